"""Under a result: "wrong? correct it". What a person says instead becomes a row to learn from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from playground import access
from playground.adapters.record import AdapterRecord
from playground.data.quotes import places_of
from playground.data.splits import MIN_ROWS as FEWEST
from playground.data.text import in_one_line
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
FEW = (
    " An adapter that you trained here learns from a single one, as long as its rows are here; others, as those "
    "shipped, need {fewest}."
)
SAVE = "Keep as a row to learn from"


@dataclass(frozen=True)
class CorrectionBox:
    area: gr.Accordion
    value: Component
    save: gr.Button
    outcome: gr.HTML
    answered: gr.State
    """Task, adapter, row and output of the answer that is shown."""

    @property
    def shown(self) -> list[Block]:
        return [self.area, self.value, self.outcome, self.answered]


def build(task: Task) -> CorrectionBox:
    """Under the results of `task`."""
    return _build(task.name, "Wrong? Correct it", lambda: _value(task))


def build_for_any() -> CorrectionBox:
    """Under a conversation, whose last answer may be of any task."""
    return _build("chat", "Wrong? Correct the last answer", lambda: text_field("chat-right"))


def _build(prefix: str, title: str, field: Callable[[], Component]) -> CorrectionBox:
    with gr.Accordion(title, open=False, visible=False, elem_id=f"{prefix}-correction") as area:
        value = field()
        with gr.Row(elem_classes="pg-actions"):
            save = gr.Button(SAVE, size="sm", elem_id=f"{prefix}-correction-save")
        outcome = gr.HTML()
    box = CorrectionBox(area, value, save, outcome, gr.State(None))

    def keep(answered: dict[str, Any] | None, given: Any) -> Stream[Updates]:
        if answered is None:
            raise InputError("There is no answer to correct; ask something first.")
        right = corrected(get_task(answered["task"]), answered["row"], given, answered["output"])
        yield {outcome: kept(answered["task"], right, answered["adapter"])}

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


def kept(task: str, row: Row, adapter: str) -> str:
    """Keeps `row` among the corrections of the present person; the sentence that says so.

    Args:
        row: as `corrected` gives it.
        adapter: name of the one that answered; empty for the bare backbone.

    Raises:
        PlaygroundError: they may not, there is no room, or it can't be learnt from.
    """
    access.must_change()
    quota.check_disk(0)
    count = corrections.keep(access.current().key, task, row, adapter)
    rows = "1 correction" if count == 1 else f"{count:,} corrections"
    few = FEW.format(fewest=FEWEST) if count < FEWEST else ""
    return render.info(f"Kept: you have {rows} for {get_task(task).title}. Train on them in the tab Fine-tune.{few}")


def hidden(box: CorrectionBox) -> Updates:
    return {box.area: gr.Accordion(visible=False), box.outcome: "", box.answered: None}


def offered(box: CorrectionBox, task: Task, prediction: Prediction, adapter: AdapterRecord | None) -> Updates:
    """The box for an answer that is done; its row goes to the task of the adapter that gave it."""
    if prediction.error:
        return hidden(box)
    value: Any = said(task, prediction.row)
    if task.shape == "classify":
        value = gr.Dropdown(choices=list(prediction.row.get("scores") or task.labels), value=value)
    task_name, name = (adapter.task, adapter.name) if adapter else (task.name, "")
    return _shown(box, value, _answered(task, prediction.row) | {"task": task_name, "adapter": name})


def offered_as_text(box: CorrectionBox, task: Task, row: Row, adapter: str) -> Updates:
    """The same in the box for any task, for the `row` with the answer of the adapter, whose name may be empty."""
    value = gr.Textbox(value=said(task, row), **words(task))
    return _shown(box, value, _answered(task, row) | {"adapter": adapter})


def _answered(task: Task, row: Row) -> dict[str, Any]:
    inputs = {field.name: row[field.name] for field in task.inputs}
    return {"task": task.name, "row": inputs, "output": row.get(task.output)}


def _shown(box: CorrectionBox, value: Any, answered: dict[str, Any]) -> Updates:
    if access.problem():
        return hidden(box)
    return {box.area: gr.Accordion(visible=True, open=False), box.value: value, box.outcome: "", box.answered: answered}


def said(task: Task, row: Row) -> str:
    """What was answered, as the box shows it for editing."""
    if task.shape == "classify":
        return str(row.get("label") or "")
    if task.shape == "tag":
        text = row[task.inputs[0].name]
        return "\n".join(
            f"{in_one_line(text[one['start'] : one['end']])}{BETWEEN}{one['label']}"
            for one in row.get("entities") or ()
        )
    if task.shape == "span":
        return str((row.get("answer") or {"text": ""})["text"])
    return str(row.get(task.output) or "")


def corrected(task: Task, row: Row, given: Any, shown: Any = None) -> Row:
    """The row to learn from, with what the person gave as the right answer.

    Args:
        shown: the entities, or the answer of question answering, that the box began with: words that a text has more
            than once stay where they were.

    Raises:
        InputError: it can't be: the message names the words that are not in the text, or the line without a label.
    """
    answer = str(given or "").strip()
    if task.shape == "tag":
        return row | {"entities": _entities(row[task.inputs[0].name], answer, shown or ())}
    if task.shape == "span":
        return row | {"answers": _answers(row["context"], answer, shown)}
    if not answer:
        raise InputError("There is no right answer yet; say what it should have been.")
    if task.labels and answer not in task.labels:
        raise InputError(f"'{answer[:60]}' is no label of {task.title}; use {', '.join(task.labels)}.")
    return row | {task.target: answer}


def _entities(text: str, lines: str, shown: Sequence[Row]) -> list[Row]:
    """What the `lines` name, each where it was among those `shown`, else at its first free place.

    The longest are placed first, so that a name which is part of another one goes beside it.
    """
    asked = [_words_and_label(line) for line in filter(None, map(str.strip, lines.splitlines()))]
    found: list[Row] = []
    for words, label in sorted(asked, key=lambda one: -len(one[0])):
        before = [one for one in shown if in_one_line(text[one["start"] : one["end"]]) == words]
        before.sort(key=lambda one: one["label"] != label)
        places = [*((one["start"], one["end"]) for one in before), *places_of(words, text)]
        start, end = _free_place(text, words, places, found)
        found.append({"start": start, "end": end, "label": label})
    return sorted(found, key=lambda one: one["start"])


def _words_and_label(line: str) -> tuple[str, str]:
    words, between, label = (part.strip() for part in line.rpartition(BETWEEN.strip()))
    if not (between and words and label):
        raise InputError(f"'{line[:60]}' names no label; write it as 'Nairobi{BETWEEN}LOC'.")
    return in_one_line(words), label


def _free_place(text: str, words: str, places: Sequence[tuple[int, int]], found: Sequence[Row]) -> tuple[int, int]:
    """The first of `places` that no entity in `found` lies in."""
    for start, end in places:
        if all(one["end"] <= start or end <= one["start"] for one in found):
            return start, end
    others = (in_one_line(text[one["start"] : one["end"]]) for one in found)
    if places and words not in others:
        raise InputError(f"'{words[:60]}' lies in another entity; keep one of them.")
    raise InputError(f"'{words[:60]}' is not in the text (so often); copy the words as they stand there.")


def _answers(context: str, answer: str, shown: Row | None) -> list[Row]:
    if not answer:
        return []
    if shown and answer == shown["text"]:
        return [{"text": answer, "start": shown["start"]}]
    places = places_of(answer, context)
    if not places:
        raise InputError(f"'{answer[:60]}' is not in the text; copy the words as they stand there.")
    start, end = places[0]
    return [{"text": context[start:end], "start": start}]
