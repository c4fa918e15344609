"""The tab of one task, built from the task's own description."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from playground.adapters.record import AdapterRecord
from playground.engine.predict import Prediction, predict_stream
from playground.engine.startup import EngineLoader
from playground.tasks import Field, Task
from playground.tasks.languages import LANGUAGES
from playground.types import Row, Stream
from playground.ui import batch, correction, languages, picker, render, rows, stopping, text_file
from playground.ui.events import QUIET
from playground.ui.notices import Updates

LINES_OF_BOX = 7


@dataclass(frozen=True)
class TaskTab:
    """What the page needs in order to open a tab from a link."""

    tab: gr.Tab
    picker: gr.Dropdown
    opened: Callable[[str | None], gr.Dropdown]
    """The picker with the adapters of this moment, for the key of the one wanted."""


@dataclass(frozen=True)
class Parts:
    """Components of one tab; ``fields`` are in the order of the task's inputs."""

    fields: list[Component]
    picker: gr.Dropdown
    compare: gr.Checkbox
    run: gr.Button
    stop: gr.Button
    clear: gr.Button
    notice: gr.HTML
    result: gr.HTML


def build(task: Task, loader: EngineLoader) -> TaskTab:
    with gr.Tab(task.title, id=task.name) as tab:
        gr.HTML(f'<p class="pg-lead">{task.summary}</p>')
        with gr.Row(equal_height=False):
            with gr.Column(min_width=300):
                parts = _inputs(task)
            with gr.Column(min_width=300):
                parts.notice.render()
                parts.result.render()
                box = correction.build(task)
        _examples(task, parts)
        language_fields = _language_fields(task, parts)
        batch.build(task, loader, parts.picker, language_fields)
    _wire(task, loader, parts, box)
    if spoken := list(language_fields.values()):
        parts.picker.change(partial(languages_for, task), [parts.picker, *spoken], spoken, **QUIET)
    tab.select(lambda key: picker.refreshed(task, key), parts.picker, parts.picker, **QUIET)
    return TaskTab(tab, parts.picker, partial(picker.opened, task))


def _inputs(task: Task) -> Parts:
    notice = gr.HTML(render=False)
    result = gr.HTML(_nothing_yet(task), render=False, elem_id=f"{task.name}-result")
    fields: dict[str, Component] = {f.name: _field(task, f, notice) for f in task.inputs if f.kind != "language"}
    spoken = [field for field in task.inputs if field.kind == "language"]
    with gr.Row(visible=bool(spoken)):
        fields |= {field.name: _language(task, field) for field in spoken}
    choice = picker.build(task)
    compare = gr.Checkbox(label="Compare with no adapter", value=False, container=False, elem_classes="pg-plain")
    with gr.Row(elem_classes="pg-actions"):
        run = gr.Button(task.action, variant="primary")
        stop = gr.Button("Cancel", variant="stop", visible=False)
        clear = gr.Button("Clear")
    in_order = [fields[field.name] for field in task.inputs]
    return Parts(in_order, choice, compare, run, stop, clear, notice, result)


def _field(task: Task, field: Field, notice: gr.HTML) -> gr.Textbox:
    is_long = field.kind == "text"
    with gr.Column(elem_classes="pg-drop" if is_long else None):
        box = gr.Textbox(
            label=field.label,
            placeholder=f"{field.placeholder}, or drop a text file here" if is_long else field.placeholder,
            value=field.default,
            lines=LINES_OF_BOX if is_long else 1,
            max_lines=2 * LINES_OF_BOX if is_long else 1,
            elem_id=f"{task.name}-{field.name}",
        )
        if is_long:
            text_file.build(box, notice)
    return box


def _language(task: Task, field: Field) -> gr.Dropdown:
    return gr.Dropdown(
        choices=languages.choices(),
        value=field.default,
        label=field.label,
        min_width=140,
        elem_id=f"{task.name}-{field.name}",
    )


def _language_fields(task: Task, parts: Parts) -> dict[str, Component]:
    pairs = zip(task.inputs, parts.fields, strict=True)
    return {field.name: part for field, part in pairs if field.kind == "language"}


def languages_for(task: Task, key: str | None, *codes: str) -> list[Any]:
    """The languages once an adapter is chosen: those of most of its rows, unless it knows `codes`, the present ones."""
    known: Mapping[str, Any] = next((one.training for one in picker.offered(task) if picker.key_of(one) == key), {})
    direction = known.get("direction", [])
    is_there = len(direction) == len(codes) and {*direction} <= LANGUAGES.keys()
    if not is_there or {*codes} <= {*known.get("languages", ())}:
        return [gr.skip() for _ in codes]
    return [gr.Dropdown(choices=languages.choices(), value=code) for code in direction]


def _examples(task: Task, parts: Parts) -> None:
    if not task.examples:
        return
    gr.Examples(
        examples=[[example.values.get(field.name, "") for field in task.inputs] for example in task.examples],
        inputs=parts.fields,
        example_labels=example_labels(task),
        label="Examples",
        examples_per_page=24,
        cache_examples=False,
        api_visibility="private",
        elem_id=f"{task.name}-examples",
    )


def example_labels(task: Task) -> list[str]:
    """One label an example: its language, its direction for translations, a number where that is not enough."""
    labels: list[str] = []
    for example in task.examples:
        target = example.values.get("target_lang")
        label = languages.title(example.lang) if target is None else languages.direction(example.lang, target)
        seen = sum(other == label or other.startswith(f"{label} (") for other in labels)
        labels.append(f"{label} ({seen + 1})" if seen else label)
    return labels


def _nothing_yet(task: Task) -> str:
    default = f"The result appears here. Type or paste a text, or take one of the examples, then choose {task.action}."
    return render.empty(task.words.get("empty", default))


def _wire(task: Task, loader: EngineLoader, parts: Parts, box: correction.CorrectionBox) -> None:
    def idle() -> Updates:
        return {parts.run: gr.Button(interactive=True), parts.stop: gr.Button(visible=False)}

    def answer(*values: Any) -> Stream[Updates]:
        *texts, key, compares = values
        yield {
            parts.run: gr.Button(interactive=False),
            parts.stop: gr.Button(visible=True),
            parts.notice: render.working("Working…"),
            **correction.hidden(box),
        }
        row = rows.row_of(task, texts)
        adapter = picker.chosen(task, key)
        yield {parts.result: ""}
        answers: list[Prediction] = []
        for view in views(task, loader, row, adapter, compares=compares, on_answer=answers.append):
            yield {parts.result: view}
        offered = correction.offered(box, task, answers[-1], adapter) if answers else {}
        yield {parts.notice: "", **offered}

    def cleared(request: gr.Request) -> Updates:
        stop(request)
        emptied: Updates = {part: field.default for part, field in zip(parts.fields, task.inputs, strict=True)}
        cleared = {parts.result: _nothing_yet(task), parts.notice: "", **correction.hidden(box)}
        return {**emptied, **cleared, **idle()}

    stop = stopping.stopper(task.name)
    boxes = [part for part in parts.fields if isinstance(part, gr.Textbox)]
    outputs = [parts.result, parts.notice, parts.run, parts.stop, *box.shown]
    gr.on(
        [parts.run.click, *(box.submit for box in boxes)],
        stopping.until_stopped(task.name, answer, parts.notice, idle),
        [*parts.fields, parts.picker, parts.compare],
        outputs,
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="once",
    )
    parts.stop.click(stop, **QUIET)
    parts.clear.click(cleared, outputs=[*parts.fields, *outputs], **QUIET)


def views(
    task: Task,
    loader: EngineLoader,
    row: Row,
    adapter: AdapterRecord | None,
    *,
    compares: bool = False,
    on_answer: Callable[[Prediction], None] = lambda _: None,
) -> Stream[str]:
    """The growing result; with `compares`, the base answers beside it after the adapter.

    `on_answer` gets the answer when it is whole. Closing this closes the stream below it, which stops the work.
    """
    engine = loader.engine()
    final = None
    with closing(predict_stream(engine, task, row, adapter)) as stream:
        for final in stream:
            side_by_side = compares and adapter is not None
            yield render.comparison(task, final, None) if side_by_side else render.answer(task, final)
    if final is not None and final.done:
        on_answer(final)
    if final is None or not compares or adapter is None:
        return
    with closing(predict_stream(engine, task, row, None)) as stream:
        for base in stream:
            yield render.comparison(task, final, base)
