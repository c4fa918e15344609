"""Scores of one label per row, equal to scikit-learn's.

Macro-F1 is the mean over the labels that occur as gold or as prediction, as in
https://scikit-learn.org/stable/modules/generated/sklearn.metrics.f1_score.html with ``zero_division=0``.
Shapes: B resamples, N rows, C labels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from playground.evaluation.bootstrap import Statistic, count_by_row, estimate
from playground.evaluation.scores import Scores, class_scores, f1_percent

MAX_CONFUSION_LABELS = 100
"""With more labels nobody can read the matrix, and it grows with their square."""


def score_labels(gold: Sequence[str], predicted: Sequence[str | None]) -> Scores:
    """Macro-F1, accuracy, scores per label and the confusion matrix.

    Args:
        gold: the true label of each row; at least one.
        predicted: the predicted ones; None is a row without an answer, wrong but not a label of its own.
    """
    labels, gold_index, predicted_index = _indexed(gold, predicted)
    value, interval = estimate(macro_f1_of(gold, predicted), len(gold))
    counts = _counts(gold_index, predicted_index, len(labels), np.ones((1, len(gold))))
    totals = np.stack([kind[0] for kind in counts], axis=1)  # (C, 3)
    return Scores(
        metrics={"macro_f1": value, "accuracy": 100 * float(np.mean(gold_index == predicted_index))},
        main="macro_f1",
        n=len(gold),
        interval=interval,
        per_class={label: class_scores(*row) for label, row in zip(labels, totals.tolist(), strict=True)},
        confusion=_confusion(labels, gold_index, predicted_index) if len(labels) <= MAX_CONFUSION_LABELS else None,
    )


def macro_f1_of(gold: Sequence[str], predicted: Sequence[str | None]) -> Statistic:
    """Macro-F1 of rows that are drawn again; a label that no drawn row has does not count."""
    labels, gold_index, predicted_index = _indexed(gold, predicted)

    def macro_f1(weights: np.ndarray) -> np.ndarray:
        matches, guesses, truths = _counts(gold_index, predicted_index, len(labels), weights)
        num_occurring = ((guesses + truths) > 0).sum(axis=1)
        means: np.ndarray = f1_percent(matches, guesses, truths).sum(axis=1) / num_occurring
        return means

    return macro_f1


def _indexed(gold: Sequence[str], predicted: Sequence[str | None]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The labels that occur, and the place among them of each row's gold and predicted one; C stands for none."""
    labels = sorted(set(gold) | {label for label in predicted if label is not None})
    index: dict[str | None, int] = {label: i for i, label in enumerate(labels)} | {None: len(labels)}
    return labels, np.array([index[label] for label in gold]), np.array([index[label] for label in predicted])


def _counts(
    gold_index: np.ndarray, predicted_index: np.ndarray, num_labels: int, weights: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Matching, predicted and gold rows of each label: (B, C) each."""
    match_index = np.where(gold_index == predicted_index, gold_index, num_labels)
    kinds = (match_index, predicted_index, gold_index)
    return tuple(count_by_row(kind, weights, num_labels + 1)[:, :num_labels] for kind in kinds)


def _confusion(labels: list[str], gold_index: np.ndarray, predicted_index: np.ndarray) -> dict[str, Any]:
    matrix = np.zeros((len(labels), len(labels) + 1), dtype=int)
    np.add.at(matrix, (gold_index, predicted_index), 1)
    return {"labels": labels, "matrix": matrix[:, :-1].tolist(), "unanswered": matrix[:, -1].tolist()}
