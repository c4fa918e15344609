"""Scores of any task's predictions against its gold rows."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from playground.errors import DataError, InputError
from playground.evaluation.answers import confidences_of, gold_of, outputs_of
from playground.evaluation.bootstrap import Statistic, mean_of
from playground.evaluation.calibration import expected_calibration_error
from playground.evaluation.classification import macro_f1_of, score_labels
from playground.evaluation.entities import entities_of, entity_f1_of, score_entities
from playground.evaluation.grounding import source_precision
from playground.evaluation.scores import Scores, f1_percent
from playground.evaluation.squad import score_answers, token_f1
from playground.evaluation.text_overlap import rouge_l, score_texts, tokenize
from playground.evaluation.translation import chrf_counts, chrf_from_counts, chrf_of, score_translations
from playground.tasks.task import Task
from playground.types import Row

__all__ = ["Scores", "by_language", "row_language", "row_scores", "rows_by_language", "score", "statistic"]


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
    scores = _with_ece(_SHAPES[task.shape](task, rows, predictions), *confidences_of(task, rows, predictions))
    if scores.main != task.metric:
        known = ", ".join(scores.metrics)
        raise InputError(f"The task '{task.name}' is decided by {scores.main}, not '{task.metric}' (it has {known}).")
    return scores


def statistic(task: Task, rows: Sequence[Row], predictions: Sequence[Row]) -> Statistic:
    """The task's main metric over rows that are drawn again, as `bootstrap` and `significance` take it."""
    gold, outputs = gold_of(task, rows), outputs_of(task, predictions)
    if task.shape == "classify":
        return macro_f1_of(*_as_labels(gold, outputs))
    if task.shape == "tag":
        return entity_f1_of([entities_of(spans) for spans in gold], [entities_of(spans) for spans in outputs])
    if task.metric == "chrf++":
        return chrf_of(gold, [output or "" for output in outputs])
    return mean_of(np.array(row_scores(task, rows, predictions)))


def row_scores(task: Task, rows: Sequence[Row], predictions: Sequence[Row]) -> list[float]:
    """How good each answer is by itself, 0 to 100: right or wrong for labels, else the main metric on that row."""
    pairs = zip(gold_of(task, rows), outputs_of(task, predictions), rows, strict=True)
    return [_row_score(task, gold, output, row) for gold, output, row in pairs]


def _row_score(task: Task, gold: Any, output: Any, row: Row) -> float:
    if task.shape == "classify":
        return 100.0 * (output is not None and str(output) == str(gold))
    if task.shape == "tag":
        truth, guess = entities_of(gold), entities_of(output)
        counts = (np.array(float(len(part))) for part in (truth & guess, guess, truth))
        return float(f1_percent(*counts)) if truth or guess else 100.0
    if task.shape == "span":
        return token_f1([answer["text"] for answer in gold], output["text"] if output else "", row.get("lang"))
    if task.metric == "chrf++":
        return float(chrf_from_counts(np.array([chrf_counts(output or "", gold)], dtype=float))[0])
    return rouge_l(tokenize(gold), tokenize(output or ""))


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
    return score_labels(*_as_labels(gold_of(task, rows), outputs_of(task, predictions)))


def _as_labels(gold: Sequence[Any], outputs: Sequence[Any]) -> tuple[list[str], list[str | None]]:
    return [str(label) for label in gold], [None if output is None else str(output) for output in outputs]


def _with_ece(scores: Scores, confidences: Sequence[float], is_right: Sequence[bool]) -> Scores:
    """`scores` with the calibration error, unless there is nothing to judge."""
    if not confidences:
        return scores
    return replace(scores, metrics={**scores.metrics, "ece": expected_calibration_error(confidences, is_right)})


def _score_tag(task: Task, rows: Sequence[Row], predictions: Sequence[Row]) -> Scores:
    gold = [entities_of(spans) for spans in gold_of(task, rows)]
    return score_entities(gold, [entities_of(spans) for spans in outputs_of(task, predictions)])


def _score_span(task: Task, rows: Sequence[Row], predictions: Sequence[Row]) -> Scores:
    gold = [[answer["text"] for answer in answers] for answers in gold_of(task, rows)]
    predicted = [output["text"] if output else "" for output in outputs_of(task, predictions)]
    return score_answers(gold, predicted, [row.get("lang") for row in rows])


def _score_generate(task: Task, rows: Sequence[Row], predictions: Sequence[Row]) -> Scores:
    gold = gold_of(task, rows)
    predicted = [output or "" for output in outputs_of(task, predictions)]
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
