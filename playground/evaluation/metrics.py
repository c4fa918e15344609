"""Scores of any task's predictions against its gold rows."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from playground.errors import DataError, InputError
from playground.evaluation.calibration import expected_calibration_error
from playground.evaluation.classification import score_labels
from playground.evaluation.entities import entities_of, score_entities
from playground.evaluation.grounding import source_precision
from playground.evaluation.scores import Scores
from playground.evaluation.squad import exact_match, score_answers
from playground.evaluation.text_overlap import score_texts
from playground.evaluation.translation import score_translations
from playground.tasks.task import Task
from playground.types import Row

__all__ = ["Scores", "by_language", "row_language", "rows_by_language", "score"]


def score(task: Task, rows: Sequence[Row], predictions: Sequence[Row]) -> Scores:
    """How well `predictions` fit the gold `rows`.

    Args:
        task: its shape and its metric say what is computed.
        rows: gold rows.
        predictions: one for each row, in the same order; without an output it counts as wrong.

    Raises:
        DataError: there are no rows, the numbers differ, or a row has no gold value.
        InputError: the task's metric isn't one that its shape has.
    """
    if len(rows) != len(predictions):
        raise DataError(f"{len(rows)} rows can't be compared with {len(predictions)} predictions; give one for each.")
    if not rows:
        raise DataError("There are no rows to measure on; give at least one.")
    scores = _SHAPES[task.shape](task, rows, predictions)
    if scores.main != task.metric:
        known = ", ".join(scores.metrics)
        raise InputError(f"The task '{task.name}' is decided by {scores.main}, not '{task.metric}' (it has {known}).")
    return scores


def by_language(task: Task, rows: Sequence[Row], predictions: Sequence[Row]) -> dict[str, Scores]:
    """Scores of each language, or of each direction (``en-fr``) in translation; rows that name none are left out."""
    return {
        language: score(task, [rows[i] for i in members], [predictions[i] for i in members])
        for language, members in rows_by_language(rows).items()
    }


def rows_by_language(rows: Sequence[Row]) -> dict[str, list[int]]:
    """Places of the rows of each language, as `by_language` groups them."""
    groups: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        language = row_language(row)
        if language:
            groups[language].append(i)
    return dict(sorted(groups.items()))


def row_language(row: Row) -> str | None:
    """``lang`` of the row, or its two languages joined by a hyphen."""
    if row.get("source_lang") and row.get("target_lang"):
        return f"{row['source_lang']}-{row['target_lang']}"
    return row.get("lang")


def _score_classify(task: Task, rows: Sequence[Row], predictions: Sequence[Row]) -> Scores:
    gold = [str(label) for label in _gold(task, rows)]
    predicted = [None if output is None else str(output) for output in _outputs(task, predictions)]
    scores = score_labels(gold, predicted)
    confidences = [max((prediction.get("scores") or {"": 0.0}).values()) for prediction in predictions]
    is_right = [guess == label for guess, label in zip(predicted, gold, strict=True)]
    return _with_ece(scores, confidences, is_right)


def _with_ece(scores: Scores, confidences: Sequence[float], is_right: Sequence[bool]) -> Scores:
    """`scores` with the calibration error, unless there is nothing to judge or an answer comes without a confidence."""
    if not confidences or not all(confidences):
        return scores
    return replace(scores, metrics={**scores.metrics, "ece": expected_calibration_error(confidences, is_right)})


def _score_tag(task: Task, rows: Sequence[Row], predictions: Sequence[Row]) -> Scores:
    gold, outputs = [entities_of(spans) for spans in _gold(task, rows)], _outputs(task, predictions)
    found = [(span, entities) for spans, entities in zip(outputs, gold, strict=True) for span in spans or ()]
    is_right = [entities_of([span]) <= entities for span, entities in found]
    confidences = [float(span.get("score") or 0.0) for span, _ in found]
    return _with_ece(score_entities(gold, [entities_of(spans) for spans in outputs]), confidences, is_right)


def _score_span(task: Task, rows: Sequence[Row], predictions: Sequence[Row]) -> Scores:
    outputs = _outputs(task, predictions)
    gold = [[answer["text"] for answer in answers] for answers in _gold(task, rows)]
    predicted = [output["text"] if output else "" for output in outputs]
    languages = [row.get("lang") for row in rows]
    answered = [place for place, output in enumerate(outputs) if output]
    is_right = [exact_match(gold[place], predicted[place], languages[place]) > 0 for place in answered]
    confidences = [float(outputs[place].get("score") or 0.0) for place in answered]
    return _with_ece(score_answers(gold, predicted, languages), confidences, is_right)


def _score_generate(task: Task, rows: Sequence[Row], predictions: Sequence[Row]) -> Scores:
    outputs = _outputs(task, predictions)
    gold = _gold(task, rows)
    predicted = [output or "" for output in outputs]
    if task.metric == "chrf++":
        return score_translations(gold, predicted, [row.get("target_lang") or "" for row in rows])
    # A free prompt may ask for a name or a number, where being the same is what counts.
    scores = score_texts(gold, predicted, with_exact_match=task.target == "completion")
    if task.target != "summary" or not task.inputs or task.inputs[0].name != "document":
        return scores
    precision = source_precision([row["document"] for row in rows], predicted)
    return replace(scores, metrics={**scores.metrics, "source_precision": precision})


_SHAPES = {
    "classify": _score_classify,
    "tag": _score_tag,
    "span": _score_span,
    "generate": _score_generate,
}


def _outputs(task: Task, predictions: Sequence[Row]) -> list[Any]:
    return [prediction.get(task.output) for prediction in predictions]


def _gold(task: Task, rows: Sequence[Row]) -> list[Any]:
    values = [row[task.target] if task.target in row else _last_reply(row) for row in rows]
    for number, value in enumerate(values, start=1):
        if value is None:
            raise DataError(f"Row {number} has no '{task.target}', so nothing says what is right; add it to the row.")
    return values


def _last_reply(row: Row) -> str | None:
    """What the assistant says last in a row of ``messages``."""
    replies = [message["content"] for message in row.get("messages") or () if message["role"] == "assistant"]
    return replies[-1] if replies else None
