"""What the Fine-tune tab says about the rows before a training: a check, the switches that help, the split."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from playground.chat.languages import detect_language
from playground.data.doctor import (
    LANGUAGE_SAMPLE,
    NAMES_UNSEEN,
    NEEDS_WEIGHTS,
    Checkup,
    Finding,
    examine,
    unknown_labels,
    with_names,
)
from playground.data.duplicates import Leak, find_leaks
from playground.data.fixes import EXACT, FIXES, check_fixes
from playground.data.lengths import Lengths
from playground.data.rows import load_training_rows
from playground.data.splits import NEEDS_COLUMN, SPLITS, check_split, marking_field, split
from playground.engine.names import name_finder
from playground.engine.startup import EngineLoader
from playground.errors import DataError, InputError, PlaygroundError
from playground.tasks import get_task
from playground.ui import finetune_data, languages, render
from playground.ui.finetune_data import Inspection
from playground.ui.notices import Updates

OWN_FILE = "file"
"""The choice of rows of one's own to measure on, beside those of `SPLITS`."""
MOST_WAITED_S = 60
"""For the backbone, so that an upload at the start of the program is looked at as any other."""
SPLIT_CHOICES = [*((title, name) for name, title in SPLITS.items()), ("A file of my own", OWN_FILE)]
WEIGHTS_TITLE = "Count rare labels more (class weights)"
NOTHING_FOUND = "Nothing stands out: no duplicates, contradictions, uneven labels or personal details."
LOOKED_FOR = (
    "Personal details are looked for by their form: e-mail addresses, phone numbers, payment cards, IBANs and IP "
    "addresses."
)
LOOKING = "Names of persons are being looked for in some of the rows…"
FIXES_INFO = "Done on a copy while training; your file stays as it is."
SUSPECT_WORDS = "The adapter was not trained on these rows and is sure of another label; either may be wrong."
NUM_BARS_SHOWN = 8
NUM_SUSPECTS_SHOWN = 10
WIDTH, HEIGHT = 240, 64


@dataclass(frozen=True)
class Doctor:
    area: gr.Column
    view: gr.HTML
    fixes: gr.CheckboxGroup
    split: gr.Radio
    column: gr.Dropdown
    validation: gr.File
    leaks: gr.HTML
    """How the person's own file goes with the rows."""
    checkup: gr.State
    """What was found, but for names."""

    @property
    def seen(self) -> list[Block]:
        """What changes when a file was looked at."""
        return [self.area, self.view, self.fixes, self.split, self.column, self.validation, self.leaks, self.checkup]

    @property
    def choices(self) -> list[Component]:
        """Inputs of the start, in the order of the arguments of `chosen`."""
        return [self.fixes, self.split, self.column, self.validation]


def build() -> Doctor:
    with gr.Column(visible=False, elem_id="finetune-doctor") as area:
        view = gr.HTML(elem_id="finetune-check")
        fixes = gr.CheckboxGroup([], label="Fixes", info=FIXES_INFO, visible=False, elem_id="finetune-fixes")
        picked = gr.Radio(SPLIT_CHOICES, value="stratified", label="Rows to measure on", elem_id="finetune-split")
        column = gr.Dropdown(
            [], label="Column of the groups, times or marks", visible=False, elem_id="finetune-split-column"
        )
        validation = gr.File(
            label="Rows to measure on",
            file_types=finetune_data.FILE_TYPES,
            height=120,
            visible=False,
            elem_id="finetune-validation",
        )
        leaks = gr.HTML()
    return Doctor(area, view, fixes, picked, column, validation, leaks, gr.State(None))


def hidden(doctor: Doctor) -> Updates:
    return {doctor.area: gr.Column(visible=False), doctor.view: "", doctor.checkup: None}


def shown(doctor: Doctor, found: Inspection, loader: EngineLoader) -> Updates:
    """The check of these rows but for names, with the safe switches on and the usual split, or the one that a
    column marks.
    """
    if found.problem or not found.rows:
        return hidden(doctor)
    checkup = check(found, loader)
    helpful = helpful_fixes(checkup.findings)
    field = marking_field(found.rows, found.fields.values())
    column = next((name for name, place in found.fields.items() if place == field), None)
    return {
        doctor.area: gr.Column(visible=True),
        doctor.checkup: checkup,
        doctor.view: view(replace(checkup, names=LOOKING)),
        doctor.fixes: gr.CheckboxGroup(
            choices=_choices(helpful), value=[name for name in helpful if name == EXACT], visible=bool(helpful)
        ),
        doctor.split: "marked" if column else "stratified",
        doctor.column: gr.Dropdown(choices=found.table.columns, value=column, visible=column is not None),
        doctor.validation: gr.File(value=None, visible=False),
        doctor.leaks: "",
    }


def named(doctor: Doctor, checkup: Checkup, found: Inspection, loader: EngineLoader) -> Updates:
    """What `shown` leaves out, some seconds later: `checkup` with names; switches stay as they are by then."""
    if loader.status().state == "loading":
        loader.wait(MOST_WAITED_S)
        checkup = check(found, loader)
    checkup = check_names(checkup, found, loader)
    helpful = helpful_fixes(checkup.findings)
    return {
        doctor.view: view(checkup),
        doctor.fixes: gr.CheckboxGroup(choices=_choices(helpful), visible=bool(helpful)),
    }


def check_names(checkup: Checkup, found: Inspection, loader: EngineLoader) -> Checkup:
    """`checkup` with the names of persons, or with the reason why they were not looked for."""
    try:
        return with_names(checkup, found.rows, found.lines, name_finder(loader.engine()))
    except PlaygroundError as err:
        return replace(checkup, names=f"{NAMES_UNSEEN} {err}")


def check(found: Inspection, loader: EngineLoader) -> Checkup:
    """Lengths are in tokens as soon as the backbone is there, before in characters."""
    task = get_task(found.mapping.task)
    limit = task.max_length + (task.max_new_tokens if task.shape == "generate" else 0)

    def count_tokens(texts: Sequence[str]) -> list[int]:
        ids = loader.engine().backbone.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return [len(one) for one in ids]

    return examine(
        task.name,
        found.rows,
        found.lines,
        detect_language=detect_language,
        count_tokens=count_tokens if loader.status().state == "ready" else None,
        max_tokens=limit,
    )


def helpful_fixes(findings: Iterable[Finding]) -> list[str]:
    """The switches that help against `findings`, each once."""
    return list(dict.fromkeys(fix for finding in findings for fix in finding.fixes))


def _choices(fixes: Iterable[str]) -> list[tuple[str, str]]:
    return [(_title(name), name) for name in fixes]


def _title(fix: str) -> str:
    return WEIGHTS_TITLE if fix == NEEDS_WEIGHTS else FIXES[fix]


def with_split(doctor: Doctor, how: str) -> Updates:
    return {
        doctor.column: gr.Dropdown(visible=how in NEEDS_COLUMN),
        doctor.validation: gr.File(visible=how == OWN_FILE),
        doctor.leaks: "",
    }


def compare(path: Path, task: str, columns: Mapping[str, str], validation: Path) -> str:
    """How the person's own rows to measure on go with those to learn from.

    Raises:
        DataError: one of the files can't be used.
    """
    found = finetune_data.inspect(path, task, dict(columns))
    if found.problem:
        raise DataError(found.problem)
    own = load_training_rows(finetune_data.check_suffix(validation), task, dict(columns), is_strict=False)
    leaks = find_leaks(task, found.rows, own.rows)
    aside = f", {len(own.rejected):,} set aside" if own.rejected else ""
    sentence = f"{validation.name}: {finetune_data.usable(own.rows)}{aside}."
    unknown = unknown_labels(task, found.rows, own.rows)
    return _compared(sentence, found, leaks) + (render.hint(unknown) if unknown else "")


def _compared(sentence: str, found: Inspection, leaks: Sequence[Leak]) -> str:
    if not leaks:
        return render.info(f"{sentence} None of them is among the rows to learn from.")
    lines = ", ".join(str(found.lines[leak.row]) for leak in leaks[:10]) + (", …" if len(leaks) > 10 else "")
    return render.hint(
        f"{sentence} {len(leaks):,} of the rows to learn from are or resemble one of them and will be left out "
        f"(lines {lines})."
    )


def chosen(
    found: Inspection, fixes: Any = None, how: Any = "stratified", column: Any = None, validation: Any = None
) -> dict[str, Any]:
    """Settings of the run from the values of `Doctor.choices`, checked on the rows.

    Raises:
        InputError: a value is none of those offered, or the rows can't be split so.
    """
    names = [str(name) for name in fixes] if isinstance(fixes, list | tuple) else []
    settings: dict[str, Any] = {
        "class_weights": NEEDS_WEIGHTS in names,
        "fixes": check_fixes([name for name in names if name != NEEDS_WEIGHTS]),
    }
    if how == OWN_FILE:
        if not isinstance(validation, str):
            raise InputError("There is no file of your own to measure on; upload one, or choose another split.")
        load_training_rows(
            finetune_data.check_suffix(Path(validation)), found.mapping.task, found.mapping.columns, is_strict=False
        )
        return settings | {"validation": validation}
    picked = str(column or "") if how in NEEDS_COLUMN else ""
    check_split(str(how), picked)
    if picked:
        if picked not in found.fields:
            raise InputError(f"There is no column '{picked}' to split by; choose one of {', '.join(found.fields)}.")
        split(found.rows, found.mapping.task, how=str(how), field=found.fields[picked])
    return settings | {"split": str(how), "split_column": picked}


def view(checkup: Checkup) -> str:
    """One line a finding with examples to open, and small charts."""
    findings = "".join(map(_finding, checkup.findings))
    body = f'<ul class="pg-findings">{findings}</ul>' if findings else f'<p class="pg-lead">{NOTHING_FOUND}</p>'
    charts = "".join((_labels_chart(checkup), _lengths_chart(checkup.lengths), _languages_chart(checkup)))
    return (
        f'<section class="pg-result"><h3>Data check of {checkup.rows:,} rows</h3>{body}'
        f'<div class="pg-charts">{charts}</div><p class="pg-stats">{LOOKED_FOR} {escape(checkup.names)}</p></section>'
    )


def suspects(report: Mapping[str, Any]) -> str:
    """Held-out rows whose label is perhaps wrong, after a training; empty where there is none."""
    found = report.get("suspicious") or []
    if not found:
        return ""
    rows = [
        (str(one["text"]), str(one["label"]), f"{one['predicted']} ({100 * one['score']:.0f} %)")
        for one in found[:NUM_SUSPECTS_SHOWN]
    ]
    left = len(found) - len(rows)
    more = f'<p class="pg-lead">and {left:,} more</p>' if left else ""
    return (
        f'<section class="pg-result"><h3>Labels to look at again: {len(found):,}</h3><p class="pg-lead">{SUSPECT_WORDS}'
        f"</p>{render.table(('Text', 'Your label', 'The adapter says'), rows)}{more}</section>"
    )


def _finding(finding: Finding) -> str:
    sentence = render.said(finding.sentence)
    if not finding.examples:
        return f"<li>{sentence}</li>"
    rows = [(str(example.line), example.text) for example in finding.examples]
    examples = render.table(("Line", "Text"), rows)
    return f"<li><details><summary>{sentence}</summary>{examples}</details></li>"


def _labels_chart(checkup: Checkup) -> str:
    titles = {"ner": "Entities", "qa": "Questions"}
    return _chart(titles.get(checkup.task, "Labels"), _bars(checkup.labels)) if checkup.labels else ""


def _languages_chart(checkup: Checkup) -> str:
    named = {languages.spelled_out(codes.split(" → ")): count for codes, count in checkup.languages.items()}
    is_sample = checkup.task != "translate" and checkup.rows > LANGUAGE_SAMPLE
    title = f"Languages of {LANGUAGE_SAMPLE:,} rows, as guessed" if is_sample else "Languages, as guessed"
    return _chart("Directions" if checkup.task == "translate" else title, _bars(named))


def _chart(title: str, body: str) -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption>{body}</figure>"


def _bars(counts: Mapping[str, int]) -> str:
    """A bar for each of the commonest, as long as its share of the commonest one."""
    most = max(counts.values(), default=1)
    shown = list(counts.items())[:NUM_BARS_SHOWN]
    bars = "".join(
        f'<dt><bdi>{escape(name)}</bdi></dt><dd><div class="pg-track pg-top" aria-hidden="true">'
        f'<span style="width:{100 * count / most:.1f}%"></span></div></dd><dd class="pg-number">{count:,}</dd>'
        for name, count in shown
    )
    left = len(counts) - len(shown)
    more = f'<p class="pg-lead">and {left:,} more</p>' if left else ""
    return f'<dl class="pg-bars">{bars}</dl>{more}'


def _lengths_chart(lengths: Lengths) -> str:
    """Columns of equal width, with a line where one example of the training ends."""
    most = max(*lengths.counts, 1)
    step = WIDTH / len(lengths.counts)
    columns = "".join(
        f'<rect x="{i * step + 1:.1f}" y="{HEIGHT - height:.1f}" width="{step - 2:.1f}" height="{height:.1f}"/>'
        for i, count in enumerate(lengths.counts)
        if (height := max(HEIGHT * count / most, 1.5 if count else 0))
    )
    width = lengths.edges[1] - lengths.edges[0]
    place = lengths.limit / width * step
    line = f'<line x1="{place:.1f}" x2="{place:.1f}" y1="0" y2="{HEIGHT}"/>' if 0 < place < WIDTH else ""
    words = f"Half of the rows have {lengths.median:,} {lengths.unit} or more; the longest has {lengths.longest:,}."
    if lengths.too_long:
        words += f" {100 * lengths.too_long:.1f} % exceed {lengths.limit:,}: {lengths.consequence}."
    chart = (
        f'<svg class="pg-columns" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(words)}">{columns}{line}</svg>'
        f'<p class="pg-axis"><span>0</span><span>{lengths.edges[-2]:,} {lengths.unit} or more</span></p>'
    )
    return _chart(f"Length in {lengths.unit}", f'{chart}<p class="pg-lead">{escape(words)}</p>')
