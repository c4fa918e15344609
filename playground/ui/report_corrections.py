"""Under the rows of a report: "wrong? correct a row". What a person says instead becomes a row to learn from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from playground import access
from playground.adapters.record import AdapterRecord
from playground.adapters.report_rows import DetailedRow, heading
from playground.errors import InputError
from playground.tasks import get_task
from playground.types import Row, Stream
from playground.ui import correction
from playground.ui.events import QUIET
from playground.ui.notices import Updates, guarded
from playground.ui.reported import Reported

LEAD = "It begins with what your rows say is right. Kept, it is a row to learn from, which is then not measured on."
CUT = "Not among them: rows whose text is so long that only its beginning is kept."
NONE_CHOSEN = "There is no such row to correct; choose one of those above."


@dataclass(frozen=True)
class RowCorrection:
    area: gr.Accordion
    row: gr.Dropdown
    """Place of a row among the held-out ones."""
    label: gr.Dropdown
    """The right answer where it is a label, else hidden."""
    text: gr.Textbox
    """The right answer where it is none."""
    save: gr.Button
    outcome: gr.HTML

    @property
    def shown(self) -> list[Block]:
        return [self.area, self.row, self.label, self.text, self.save, self.outcome]


def build(elem_id: str) -> RowCorrection:
    with gr.Accordion("Wrong? Correct a row", open=False, visible=False, elem_id=f"{elem_id}-correction") as area:
        gr.HTML(f'<p class="pg-lead">{LEAD}</p>')
        row = gr.Dropdown([], label="Row to correct", elem_id=f"{elem_id}-correct-row")
        label = correction.label_field((), f"{elem_id}-right-label")
        text = correction.text_field(f"{elem_id}-right-text")
        with gr.Row(elem_classes="pg-actions"):
            save = gr.Button(correction.SAVE, size="sm", elem_id=f"{elem_id}-correction-save")
        outcome = gr.HTML()
    return RowCorrection(area, row, label, text, save, outcome)


def wire(part: RowCorrection, inputs: Sequence[Component], reported: Callable[..., Reported]) -> None:
    """Lets it act on the adapter that `reported` gives for the request and the values of `inputs`."""

    def choose(request: gr.Request, *values: Any) -> Stream[Updates]:
        *given, place = values
        about = reported(request, *given)
        yield {**_filled(part, about.record, _row_at(about, place)), part.outcome: ""}

    def keep(request: gr.Request, *values: Any) -> Stream[Updates]:
        *given, place, label, text = values
        about = reported(request, *given)
        record, row = about.record, _row_at(about, place)
        task = get_task(record.task)
        answer = label if task.shape == "classify" else text
        right = correction.corrected(task, _inputs(record, row), answer, _right(record, row))
        yield {part.outcome: correction.kept(record.task, right, record.name)}

    chosen, kept = guarded(choose, part.outcome), guarded(keep, part.outcome)

    # Gradio hands the request over by the annotation of the function that it calls.
    def on_row(request: gr.Request, *values: Any) -> Stream[Updates]:
        yield from chosen(request, *values)

    def on_keep(request: gr.Request, *values: Any) -> Stream[Updates]:
        yield from kept(request, *values)

    part.row.input(on_row, [*inputs, part.row], part.shown, **QUIET)
    part.save.click(on_keep, [*inputs, part.row, part.label, part.text], part.outcome, **QUIET)


def offered(part: RowCorrection, about: Reported, shown: Sequence[DetailedRow]) -> Updates:
    """The choice of the rows in `shown` that can be corrected, for those who may; nothing is chosen yet."""
    rows = [row for row in shown if _is_whole(about.record, row)] if not access.problem() else []
    choices = [(heading(row), row["place"]) for row in rows]
    return {
        part.area: gr.Accordion(visible=bool(rows)),
        part.row: gr.Dropdown(choices=choices, value=None, info=CUT if len(rows) < len(shown) else None),
        part.label: gr.Dropdown(visible=False),
        part.text: gr.Textbox(visible=False),
        part.save: gr.Button(visible=False),
        part.outcome: "",
    }


def _filled(part: RowCorrection, record: AdapterRecord, row: DetailedRow) -> Updates:
    task = get_task(record.task)
    right = correction.said(task, {**row["input"], task.output: _right(record, row)})
    is_label = task.shape == "classify"
    labels = list(record.labels) if is_label else []
    return {
        part.label: gr.Dropdown(choices=labels, value=right if is_label else None, visible=is_label),
        part.text: gr.Textbox(value=right, visible=not is_label, **correction.words(task)),
        part.save: gr.Button(visible=True),
    }


def _right(record: AdapterRecord, row: DetailedRow) -> Any:
    """What the row says is right, as an output of the task: the first of several answers."""
    gold = row["gold"]
    return (gold[0] if gold else None) if record.shape == "span" else gold


def _row_at(about: Reported, place: object) -> DetailedRow:
    """The row with that place, looked up again: what the browser sends is only a wish.

    Raises:
        InputError: there is none that the person may see.
    """
    for row in about.rows:
        if row["place"] == place and _is_whole(about.record, row):
            return row
    raise InputError(NONE_CHOSEN)


def _is_whole(record: AdapterRecord, row: DetailedRow) -> bool:
    """Whether all that the task reads is there: long texts are kept with their beginnings only."""
    return not row["is_clipped"] and all(field.name in row["input"] for field in get_task(record.task).inputs)


def _inputs(record: AdapterRecord, row: DetailedRow) -> Row:
    return {field.name: row["input"][field.name] for field in get_task(record.task).inputs}
