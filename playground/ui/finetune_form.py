"""The first half of the Fine-tune tab: rows, what they are for, and how to train."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from playground import access, settings
from playground.adapters import store
from playground.data.doctor import Checkup
from playground.engine.startup import EngineLoader
from playground.errors import DataError, PlaygroundError
from playground.training import runs
from playground.training.config import PRESETS, RunConfig, make_config
from playground.training.settings_file import read_settings
from playground.types import Stream
from playground.ui import (
    finetune_choices,
    finetune_corrections,
    finetune_data,
    finetune_doctor,
    finetune_estimate,
    finetune_example,
    finetune_expert,
    finetune_hub,
    picker,
    render,
)
from playground.ui.events import QUIET
from playground.ui.notices import Updates, guarded, sentence_of

VISIBLE: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""Of events that show by themselves how far they are."""
NOTHING_YET = (
    "Choose a file, or paste rows: a table with one example a row, such as a text and its label. You will see here how "
    "it was understood, before anything starts."
)
FORMATS = (
    "One row an example: text and label; text and entities (or CoNLL); text, question and answer; text and summary; "
    f"text and translation; prompt and completion. Up to {settings.MAX_UPLOAD_BYTES // 2**20} MB."
)
PRECISIONS = [("Automatic", "auto"), ("None", "none"), ("8-bit", "8-bit"), ("4-bit NF4", "4-bit")]
PRECISION_INFO = (
    "How the frozen weights are kept while training. Automatic: 4-bit NF4 with bfloat16 arithmetic on a GPU, none on a "
    "CPU, where fewer bits only save memory."
)
NUM_FETCHED_AT_ONCE = 2
"""Datasets of the Hub, by all people."""
USUAL_PRESET = "quick"
USUAL_TASK = "classify"
PASTE_EXAMPLE = "text,label\nThe parcel came a day early,delivery\nThe lamp flickers,quality"


@dataclass(frozen=True)
class Form:
    area: gr.Column
    notice: gr.HTML
    file: gr.File
    pasted: gr.Textbox
    use_pasted: gr.Button
    hub: finetune_hub.HubSource | None
    """None where the page must not go online."""
    named: gr.State
    """Path of the last file from the Hub, and what its dataset is called."""
    corrections: finetune_corrections.CorrectionSource
    mapping: gr.Column
    task: gr.Dropdown
    columns: list[gr.Dropdown]
    reasons: gr.HTML
    preview: gr.HTML
    rejected: gr.DownloadButton
    doctor: finetune_doctor.Doctor
    name: gr.Textbox
    parent: gr.Dropdown
    """Adapter to go on from; empty: a fresh one."""
    preset: gr.Radio
    quantization: gr.Radio
    expert: finetune_expert.Expert
    estimate: finetune_estimate.EstimateBox
    start: gr.Button
    outcome: gr.HTML
    """What came of choosing Start, beside the button."""

    @property
    def seen(self) -> list[Block]:
        """What changes when a file was looked at."""
        notices = [self.notice, self.outcome, self.reasons, self.preview]
        actions = [self.start, self.estimate.ask, *self.estimate.shown]
        return [
            *notices,
            self.mapping,
            self.task,
            *self.columns,
            self.rejected,
            self.parent,
            *actions,
            *self.doctor.seen,
        ]

    @property
    def choices(self) -> list[Component]:
        """All that makes up a run; `configured` takes their values."""
        own = [self.file, self.name, self.preset, self.quantization, self.task, *self.columns]
        return [*own, *self.doctor.choices, *self.expert.choices, self.parent, self.named]

    def configured(self, backbone: str, values: Sequence[Any]) -> RunConfig:
        """The run of the values of `choices`.

        Raises:
            PlaygroundError: the rows or the settings do not allow it.
        """
        *values, parent, (path, data_name) = values
        num_expert, num_checks = len(self.expert.choices), len(self.doctor.choices)
        own, checks = values[: -num_expert - num_checks], values[-num_expert - num_checks : -num_expert]
        config = finetune_choices.configured(
            backbone, *own, checks=checks, expert=values[-num_expert:], parent=parent or ""
        )
        return replace(config, data_name=data_name) if config.data == path else config


def build() -> Form:
    notice = gr.HTML(render=False)
    with gr.Column(visible=not settings.is_read_only()) as area:
        with gr.Row(equal_height=False):
            with gr.Column(min_width=300):
                file, pasted, use_pasted = _source()
                hub, named = finetune_hub.build(), gr.State(("", ""))
                corrections = finetune_corrections.build()
            with gr.Column(min_width=300):
                mapping, task, columns, reasons = _mapping()
        notice.render()
        preview = gr.HTML(render.empty(NOTHING_YET), elem_id="finetune-preview")
        rejected = gr.DownloadButton("Download the rows set aside", visible=False, size="sm", elem_classes="pg-open")
        doctor = finetune_doctor.build()
        name, parent, preset, quantization = _options()
        expert = finetune_expert.build(USUAL_TASK, USUAL_PRESET)
        with gr.Row(elem_classes="pg-actions"):
            start = gr.Button("Start training", variant="primary", interactive=False, elem_id="finetune-start")
            ask = gr.Button("Estimate time and memory", interactive=False, elem_id="finetune-estimate")
            take = gr.Button("Take the settings that fit", visible=False, elem_id="finetune-take")
        outcome, estimated = gr.HTML(), gr.HTML(elem_id="finetune-estimated")
    estimate = finetune_estimate.EstimateBox(ask, estimated, take, gr.State({}))
    return Form(
        area, notice, file, pasted, use_pasted, hub, named, corrections, mapping, task, columns, reasons, preview,
        rejected, doctor, name, parent, preset, quantization, expert, estimate, start, outcome,
    )  # fmt: skip


def _source() -> tuple[gr.File, gr.Textbox, gr.Button]:
    file = gr.File(label="Your rows", file_types=finetune_data.FILE_TYPES, height=150, elem_id="finetune-file")
    gr.HTML(f'<p class="pg-lead">{FORMATS}</p>')
    with gr.Accordion("Or paste rows", open=False):
        pasted = gr.Textbox(
            label="Rows",
            info="CSV, tab-separated (as copied from a spreadsheet) or JSON Lines.",
            placeholder=PASTE_EXAMPLE,
            lines=6,
            max_lines=14,
            elem_id="finetune-pasted",
        )
        use_pasted = gr.Button("Use these rows", size="sm", elem_classes="pg-open")
    return file, pasted, use_pasted


def _mapping() -> tuple[gr.Column, gr.Dropdown, list[gr.Dropdown], gr.HTML]:
    with gr.Column(visible=False) as mapping:
        reasons = gr.HTML()
        task = gr.Dropdown(
            picker.task_choices(),
            value=USUAL_TASK,
            label="Task",
            info="Wrong? Choose another one.",
            filterable=False,
            elem_id="finetune-task",
        )
        columns = [
            gr.Dropdown([], label="Column", visible=False, min_width=140, elem_id=f"finetune-column-{number}")
            for number in range(finetune_data.NUM_COLUMNS)
        ]
    return mapping, task, columns, reasons


def _options() -> tuple[gr.Textbox, gr.Dropdown, gr.Radio, gr.Radio]:
    with gr.Row(equal_height=False):
        name = gr.Textbox(
            label="Name of the adapter",
            info="a-z, 0-9, dots, dashes.",
            max_length=64,
            max_lines=1,
            min_width=240,
            elem_id="finetune-name",
        )
        parent = gr.Dropdown(
            [finetune_corrections.FRESH],
            value="",
            label="Start from",
            info=finetune_corrections.START_INFO,
            filterable=False,
            min_width=240,
            elem_id="finetune-parent",
        )
        quantization = gr.Radio(PRECISIONS, value="auto", label="Quantization", info=PRECISION_INFO, min_width=300)
    titles = [(f"{preset.capitalize()}: {meaning}", preset) for preset, meaning in PRESETS.items()]
    preset = gr.Radio(titles, value=USUAL_PRESET, label="How thoroughly", elem_id="finetune-preset")
    return name, parent, preset, quantization


def wire(form: Form, loader: EngineLoader) -> None:
    """What happens before the start: reading, recognising, checking, correcting."""
    doctor = form.doctor
    _wire_settings(form, loader)

    def read(path: str | None, task: str | None = None) -> Stream[Updates]:
        # What is visible changes in one step only: of two changes in one frame, the browser may drop the later one.
        yield {form.notice: render.working("Reading the file and checking its rows…")}
        try:
            found = finetune_data.inspect(_needed(path), task)
        except PlaygroundError as err:
            yield closed(form) | {form.notice: render.problem(sentence_of(err))}
            return
        wanted = finetune_data.valid_name(found.table.name, found.mapping.task)
        name = runs.free_name(found.mapping.task, wanted)
        more = {form.name: name, form.reasons: "" if task else finetune_data.reasons(found)}
        yield from _shown(form, found, loader, more | finetune_doctor.shown(doctor, found, loader))

    def with_task(path: str | None, task: str) -> Stream[Updates]:
        found = finetune_data.inspect(_needed(path), task)
        yield from _shown(form, found, loader, {form.reasons: ""} | finetune_doctor.shown(doctor, found, loader))

    def with_columns(path: str | None, task: str, *values: str | None) -> Stream[Updates]:
        found = finetune_data.inspect(_needed(path), task, finetune_data.chosen_columns(task, values))
        yield from _shown(form, found, loader, {form.reasons: ""} | finetune_doctor.shown(doctor, found, loader))

    def with_own_rows(own: str | None, path: str | None, task: str, *values: str | None) -> Stream[Updates]:
        columns = finetune_data.chosen_columns(task, values)
        yield {doctor.leaks: finetune_doctor.compare(_needed(path), task, columns, _needed(own))}

    def paste(text: str) -> Stream[Updates]:
        access.must_change()
        with tempfile.TemporaryDirectory() as folder:
            # Gradio copies the file to its cache while it handles this value, before the folder goes.
            yield {form.file: str(finetune_data.write_pasted(text, Path(folder)))}

    def take_corrections(name: str | None) -> Stream[Updates]:
        with tempfile.TemporaryDirectory() as folder:
            yield {form.file: str(finetune_corrections.as_file(name, Path(folder))), form.corrections.outcome: ""}

    def begin_with_usual(name: str) -> Updates:
        return finetune_corrections.with_starts(form.parent, name, finetune_corrections.usual_start(name))

    def with_parent(parent: str, path: str | None, task: str, *values: str | None) -> Stream[Updates]:
        found = finetune_data.inspect(_needed(path), task, finetune_data.chosen_columns(task, values))
        found = finetune_data.going_on_from(found, store.find(task, parent) if parent else None)
        yield {form.preview: _preview(found, loader), **_startable(form, is_startable=not found.problem)}

    seen = [*form.seen, form.name]
    # Another file may be chosen while a large one is read: then that one's turn comes, and what was read of a file that
    # is not there any more goes.
    arriving = form.file.upload(guarded(read, form.notice), form.file, seen, trigger_mode="always_last", **VISIBLE)
    arriving.success(lambda path: settled(form, path), form.file, seen, **QUIET)
    form.file.clear(lambda: closed(form), outputs=seen, **QUIET)
    checks = [arriving]
    checks.append(form.task.input(guarded(with_task, form.notice), [form.file, form.task], seen, **VISIBLE))
    for column in form.columns:
        chosen = [form.file, form.task, *form.columns]
        checks.append(column.input(guarded(with_columns, form.notice), chosen, seen, **VISIBLE))
    doctor.split.input(lambda how: finetune_doctor.with_split(doctor, how), doctor.split, doctor.seen, **QUIET)
    own = [doctor.validation, form.file, form.task, *form.columns]
    doctor.validation.upload(guarded(with_own_rows, doctor.leaks), own, doctor.leaks, **VISIBLE)
    doctor.validation.clear(lambda: "", outputs=doctor.leaks, **QUIET)
    pasting = form.use_pasted.click(guarded(paste, form.notice), form.pasted, [form.file, form.notice], **VISIBLE)
    checks.append(pasting.success(guarded(read, form.notice), form.file, seen, **VISIBLE))
    started = [form.parent, form.file, form.task, *form.columns]
    # Not at every change: one that comes with other columns would be told the columns before.
    form.parent.input(guarded(with_parent, form.notice), started, seen, **VISIBLE)
    source = form.corrections
    taking = source.use.click(
        guarded(take_corrections, source.outcome), source.task, [form.file, source.outcome], **VISIBLE
    )
    # Their task is known: labels such as positive and negative may be those of a classify adapter.
    reading = taking.success(guarded(read, form.notice), [form.file, source.task], seen, **VISIBLE)
    beginning = reading.success(begin_with_usual, form.task, form.parent, **QUIET)
    checks.append(beginning.success(guarded(with_parent, form.notice), started, seen, **VISIBLE))
    if form.hub:
        checks.append(_wire_hub(form, form.hub, read, seen))
    _wire_names(form, loader, checks)


def _wire_hub(
    form: Form, source: finetune_hub.HubSource, read: Callable[[str | None], Stream[Updates]], seen: Sequence[Block]
) -> Any:
    """A dataset is fetched and then looked at like an upload; returns the event of the latter."""

    def take_dataset(text: str) -> Stream[Updates]:
        yield from finetune_hub.take(source, form.file, text)

    def read_dataset(path: str | None, name: str) -> Stream[Updates]:
        # What came of an earlier file stays where no dataset came.
        if name:
            yield {form.named: (str(path), name)}
            yield from read(path)

    taking = gr.on(
        [source.use.click, source.wanted.submit],
        guarded(take_dataset, source.outcome),
        source.wanted,
        [form.file, source.fetched, source.outcome],
        concurrency_limit=NUM_FETCHED_AT_ONCE,
        trigger_mode="once",
        **VISIBLE,
    )
    return taking.success(
        guarded(read_dataset, form.notice), [form.file, source.fetched], [*seen, form.named], **VISIBLE
    )


def _wire_names(form: Form, loader: EngineLoader, checks: Sequence[Any]) -> None:
    """After each of `checks` names are looked for: it takes seconds, in which all else can be seen and chosen."""
    doctor = form.doctor

    def look_for_names(checkup: Checkup | None, path: str | None, task: str, *values: str | None) -> Stream[Updates]:
        if checkup is not None and path is not None:
            found = finetune_data.inspect(Path(path), task, finetune_data.chosen_columns(task, values))
            yield finetune_doctor.named(doctor, checkup, found, loader)

    inputs = [doctor.checkup, form.file, form.task, *form.columns]
    for check in checks:
        check.success(guarded(look_for_names, form.notice), inputs, [*doctor.seen, form.notice], **VISIBLE)


def settled(form: Form, path: str | None) -> Updates:
    """The form as it is, or closed where its file was taken away while it was read."""
    return {form.notice: gr.skip()} if path else closed(form)


def closed(form: Form) -> Updates:
    """The form before any file."""
    return {
        form.notice: "",
        form.outcome: "",
        form.mapping: gr.Column(visible=False),
        form.preview: render.empty(NOTHING_YET),
        form.rejected: gr.DownloadButton(visible=False),
        **_startable(form, is_startable=False),
        **finetune_doctor.hidden(form.doctor),
    }


def _startable(form: Form, *, is_startable: bool) -> Updates:
    box = form.estimate
    return {
        form.start: gr.Button(interactive=is_startable),
        box.ask: gr.Button(interactive=is_startable),
        box.outcome: "",
        box.take: gr.Button(visible=False),
        box.offer: {},
    }


def _wire_settings(form: Form, loader: EngineLoader) -> None:
    """The expert settings, their command and file, and the estimate."""
    expert, box = form.expert, form.estimate

    def show(*values: Any) -> Stream[Updates]:
        yield from finetune_expert.as_command(expert, form.configured(loader.backbone_id, values))

    def load(path: str, preset: str, task: str) -> Stream[Updates]:
        settings = {"preset": preset, **read_settings(Path(path))}
        config = make_config(task=task, data="", name="", backbone="", **settings)
        updates = finetune_expert.filled(expert, finetune_expert.settings_of(config, expert.controls))
        updates |= {form.preset: config.preset, expert.outcome: render.info("The settings are loaded.")}
        yield updates | ({form.quantization: config.quantization} if "quantization" in settings else {})

    def ask(*values: Any) -> Stream[Updates]:
        yield {form.outcome: ""}
        yield from finetune_estimate.told(box, form.configured(loader.backbone_id, values))

    def take(offer: dict[str, Any]) -> Updates:
        known = {name: value for name, value in offer.items() if name in expert.controls}
        general = {form.quantization: offer["quantization"]} if "quantization" in offer else {}
        return finetune_expert.filled(expert, known) | general | {box.outcome: "", box.take: gr.Button(visible=False)}

    filled = [*expert.filled, form.preset, form.quantization]
    choice = [form.task, form.preset]
    form.preset.input(lambda *of: finetune_expert.preset_chosen(expert, *of), choice, expert.filled, **QUIET)
    form.task.change(lambda *of: finetune_expert.task_chosen(expert, *of), choice, expert.filled, **QUIET)
    expert.show.click(guarded(show, expert.outcome), form.choices, expert.filled, **VISIBLE)
    expert.load.upload(guarded(load, expert.outcome), [expert.load, form.preset, form.task], filled, **VISIBLE)
    box.ask.click(guarded(ask, box.outcome), form.choices, [*box.shown, form.outcome], concurrency_limit=1, **VISIBLE)
    box.take.click(take, box.offer, [*filled, box.outcome, box.take], **QUIET)


def _needed(path: str | None) -> Path:
    access.must_change()
    if path is None:
        raise DataError("There is no file; choose one or paste rows first.")
    return Path(path)


def _shown(form: Form, found: finetune_data.Inspection, loader: EngineLoader, more: Updates) -> Stream[Updates]:
    task = found.mapping.task
    fields = finetune_data.fields_of(task)
    start = finetune_corrections.start_for(task, len(found.rows))
    if start:
        found = finetune_data.going_on_from(found, store.find(task, start))
    updates: Updates = {
        form.notice: "",
        form.outcome: "",
        form.mapping: gr.Column(visible=True),
        form.task: task,
        form.preview: _preview(found, loader),
        **finetune_corrections.with_starts(form.parent, task, start),
        **_startable(form, is_startable=not found.problem),
        form.rejected: gr.DownloadButton(visible=False),
    }
    for number, dropdown in enumerate(form.columns):
        updates[dropdown] = _column(found, fields[number]) if number < len(fields) else gr.Dropdown(visible=False)
    if not found.rejected:
        yield updates | more
        return
    with tempfile.TemporaryDirectory() as folder:
        path = finetune_data.write_rejected(found, Path(folder))
        rows = "row" if len(found.rejected) == 1 else f"{len(found.rejected):,} rows"
        title = f"Download the {rows} set aside"
        yield updates | more | {form.rejected: gr.DownloadButton(title, value=str(path), visible=True)}


def _preview(found: finetune_data.Inspection, loader: EngineLoader) -> str:
    return finetune_data.preview(found) + finetune_example.view(found, loader)


def _column(found: finetune_data.Inspection, field: str) -> Any:
    return gr.Dropdown(
        choices=finetune_data.column_choices(found, field),
        value=found.mapping.columns.get(field, finetune_data.NOT_THERE),
        label=finetune_data.FIELD_TITLES[field],
        visible=True,
    )
