"""What a row says is right, what was answered, and how sure the answer was."""

from collections.abc import Hashable, Sequence
from typing import Any

from playground.errors import DataError
from playground.evaluation.entities import entities_of
from playground.evaluation.squad import exact_match
from playground.tasks.task import Task
from playground.types import Row


def gold_of(task: Task, rows: Sequence[Row]) -> list[Any]:
    """What is right for each row.

    Raises:
        DataError: a row does not say it.
    """
    values = [row[task.target] if task.target in row else _last_reply(row) for row in rows]
    for number, value in enumerate(values, start=1):
        if value is None:
            raise DataError(f"Row {number} has no '{task.target}', so nothing says what is right; add it to the row.")
    return values


def outputs_of(task: Task, predictions: Sequence[Row]) -> list[Any]:
    return [prediction.get(task.output) for prediction in predictions]


def input_of(task: Task, row: Row) -> dict[str, Any]:
    """The fields of `row` that the task reads."""
    names = [field.name for field in task.inputs if field.name in row]
    return {name: row[name] for name in names} or {"messages": (row.get("messages") or [])[:-1]}


def num_chars(task: Task, row: Row) -> int:
    """Characters of the texts that the task reads."""
    given = input_of(task, row)
    spoken = {field.name for field in task.inputs if field.kind == "language"}
    texts = [str(value) for name, value in given.items() if name not in spoken | {"messages"}]
    return sum(map(len, (*texts, *(message["content"] for message in given.get("messages", ())))))


def answer_key(task: Task, prediction: Row) -> Hashable:
    """What was answered, without how sure it was."""
    output = prediction.get(task.output)
    if task.shape == "tag":
        return frozenset(entities_of(output))
    if task.shape == "span":
        return (output["text"], output["start"]) if output else None
    return output


def confidences_of(task: Task, rows: Sequence[Row], predictions: Sequence[Row]) -> tuple[list[float], list[bool]]:
    """How sure each answer was (0 to 1), and whether it was right; each entity found is an answer.

    Both are empty where there is nothing to judge: for texts, and where an answer comes without a score.
    """
    gold, outputs = gold_of(task, rows), outputs_of(task, predictions)
    sure: list[float] = []
    is_right: list[bool] = []
    if task.shape == "classify":
        sure = [max((prediction.get("scores") or {"": 0.0}).values()) for prediction in predictions]
        is_right = [
            output is not None and str(output) == str(label) for output, label in zip(outputs, gold, strict=True)
        ]
    elif task.shape == "tag":
        truths = [entities_of(spans) for spans in gold]
        found = [(span, truth) for spans, truth in zip(outputs, truths, strict=True) for span in spans or ()]
        sure = [float(span.get("score") or 0.0) for span, _ in found]
        is_right = [entities_of([span]) <= truth for span, truth in found]
    elif task.shape == "span":
        answered = [place for place, output in enumerate(outputs) if output]
        sure = [float(outputs[place].get("score") or 0.0) for place in answered]
        is_right = [
            exact_match([answer["text"] for answer in gold[place]], outputs[place]["text"], rows[place].get("lang")) > 0
            for place in answered
        ]
    return (sure, is_right) if all(sure) else ([], [])


def _last_reply(row: Row) -> str | None:
    """What the assistant says last in a row of ``messages``."""
    replies = [message["content"] for message in row.get("messages") or () if message["role"] == "assistant"]
    return replies[-1] if replies else None
