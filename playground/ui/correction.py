"""Under a result: "wrong? correct it". What a person says instead becomes a row to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from playground import access
from playground.adapters.record import AdapterRecord
from playground.engine.predict import Prediction
from playground.errors import InputError
from playground.tasks import Task, get_task
from playground.training import corrections, quota
from playground.types import Row, Stream
from playground.ui import render
from playground.ui.notices import Updates, guarded

BETWEEN = " = "
INFO = {
    "classify": "The right label.",
    "tag": f"One entity a line: the words as they stand in the text,{BETWEEN.rstrip()} and its label.",
    "span": "The right words, as they stand in the text; nothing where it holds no answer.",
    "generate": "What it should have said.",
}
PLACEHOLDERS = {"tag": f"Nairobi{BETWEEN}LOC"}
RIGHT_ANSWER = "Right answer"
SAVE = "Keep as a row to learn from"


@dataclass(frozen=True)
class CorrectionBox:
    area: gr.Accordion
    value: Component
    save: gr.Button
    outcome: gr.HTML
    answered: gr.State
    """Task and row of the answer that is shown."""

    @property
    def shown(self) -> list[Block]:
        return [self.area, self.value, self.outcome, self.answered]


def build(task: Task) -> CorrectionBox:
    with gr.Accordion("Wrong? Correct it", open=False, visible=False, elem_id=f"{task.name}-correction") as area:
        value = _value(task)
        with gr.Row(elem_classes="pg-actions"):
            save = gr.Button(SAVE, size="sm", elem_id=f"{task.name}-correction-save")
        outcome = gr.HTML()
    box = CorrectionBox(area, value, save, outcome, gr.State(None))

    def keep(answered: dict[str, Any] | None, given: Any) -> Stream[Updates]:
        if answered is None:
            raise InputError("There is no answer to correct; ask something first.")
        yield {outcome: kept(get_task(answered["task"]), answered["row"], given)}

    save.click(guarded(keep, outcome), [box.answered, value], outcome, show_progress="hidden", api_visibility="private")
    return box


def _value(task: Task) -> Component:
    elem_id = f"{task.name}-right"
    if task.shape == "classify":
        return label_field(task.labels, elem_id)
    return text_field(elem_id, **words(task))


def label_field(labels: Sequence[str], elem_id: str) -> gr.Dropdown:
    info = INFO["classify"]
    return gr.Dropdown(list(labels), allow_custom_value=True, label=RIGHT_ANSWER, info=info, elem_id=elem_id)


def text_field(elem_id: str, **shown: Any) -> gr.Textbox:
    """Takes the right answer where it is no label; `shown` is what `words` says."""
    return gr.Textbox(max_lines=12, label=RIGHT_ANSWER, elem_id=elem_id, **shown)


def words(task: Task) -> dict[str, Any]:
    """How the field for a text asks for what is right."""
    lines = 1 if task.shape == "span" else 4
    return {"info": INFO[task.shape], "placeholder": PLACEHOLDERS.get(task.shape), "lines": lines}


def kept(task: Task, row: Row, given: Any) -> str:
    """Keeps `row`, answered as `given`, among the corrections of the present person; the sentence that says so.

    Raises:
        PlaygroundError: they may not, there is no room, or it can't be learnt from.
    """
    access.must_change()
    quota.check_disk(0)
    count = corrections.keep(access.current().key, task.name, corrected(task, row, given))
    rows = "1 correction" if count == 1 else f"{count:,} corrections"
    return render.info(f"Kept: you have {rows} for {task.title}. Train on them in the tab Fine-tune.")


def hidden(box: CorrectionBox) -> Updates:
    return {box.area: gr.Accordion(visible=False), box.outcome: "", box.answered: None}


def offered(box: CorrectionBox, task: Task, prediction: Prediction, adapter: AdapterRecord | None) -> Updates:
    """The box for an answer that is done; its row goes to the task of the adapter that gave it."""
    if prediction.error or access.problem():
        return hidden(box)
    value: Any = said(task, prediction.row)
    if task.shape == "classify":
        value = gr.Dropdown(choices=list(prediction.row.get("scores") or task.labels), value=value)
    row = {field.name: prediction.row[field.name] for field in task.inputs}
    answered = {"task": adapter.task if adapter else task.name, "row": row}
    return {box.area: gr.Accordion(visible=True, open=False), box.value: value, box.outcome: "", box.answered: answered}


def said(task: Task, row: Row) -> str:
    """What was answered, as the box shows it for editing."""
    if task.shape == "classify":
        return str(row.get("label") or "")
    if task.shape == "tag":
        text = row[task.inputs[0].name]
        return "\n".join(
            f"{text[one['start'] : one['end']]}{BETWEEN}{one['label']}" for one in row.get("entities") or ()
        )
    if task.shape == "span":
        return str((row.get("answer") or {"text": ""})["text"])
    return str(row.get(task.output) or "")


def corrected(task: Task, row: Row, given: Any) -> Row:
    """The row to learn from, with what the person gave as the right answer.

    Raises:
        InputError: it can't be: the message names the words that are not in the text, or the line without a label.
    """
    answer = str(given or "").strip()
    if task.shape == "tag":
        return row | {"entities": _entities(row[task.inputs[0].name], answer)}
    if task.shape == "span":
        return row | {"answers": _answers(row["context"], answer)}
    if not answer:
        raise InputError("There is no right answer yet; say what it should have been.")
    if task.labels and answer not in task.labels:
        raise InputError(f"'{answer[:60]}' is no label of {task.title}; use {', '.join(task.labels)}.")
    return row | {task.target: answer}


def _entities(text: str, lines: str) -> list[dict[str, Any]]:
    """Each line's words where they occur next: those that occur twice may be named twice."""
    found: list[dict[str, Any]] = []
    looked_up_to: dict[str, int] = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        words, between, label = (part.strip() for part in line.rpartition(BETWEEN.strip()))
        if not (between and words and label):
            raise InputError(f"'{line[:60]}' names no label; write it as 'Nairobi{BETWEEN}LOC'.")
        start = text.find(words, looked_up_to.get(words, 0))
        if start < 0:
            raise InputError(f"'{words[:60]}' is not in the text (so often); copy the words as they stand there.")
        looked_up_to[words] = start + len(words)
        found.append({"start": start, "end": start + len(words), "label": label})
    found.sort(key=lambda one: one["start"])
    for one, other in pairwise(found):
        if other["start"] < one["end"]:
            raise InputError(f"'{text[other['start'] : other['end']][:60]}' lies in another entity; keep one of them.")
    return found


def _answers(context: str, answer: str) -> list[dict[str, Any]]:
    if not answer:
        return []
    start = context.find(answer)
    if start < 0:
        raise InputError(f"'{answer[:60]}' is not in the text; copy the words as they stand there.")
    return [{"text": answer, "start": start}]
