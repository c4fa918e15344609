"""Scores of one label per row, equal to scikit-learn's.

Macro-F1 is the mean over the labels that occur as gold or as prediction, as in
https://scikit-learn.org/stable/modules/generated/sklearn.metrics.f1_score.html with ``zero_division=0``.
Shapes: B resamples, N rows, C labels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from playground.evaluation.bootstrap import count_by_row, estimate
from playground.evaluation.scores import Scores, class_scores, f1_percent

MAX_CONFUSION_LABELS = 100
"""With more labels nobody can read the matrix, and it grows with their square."""


def score_labels(gold: Sequence[str], predicted: Sequence[str | None]) -> Scores:
    """Macro-F1, accuracy, scores per label and the confusion matrix.

    Args:
        gold: the true label of each row; at least one.
        predicted: the predicted ones; None is a row without an answer, wrong but not a label of its own.
    """
    labels = sorted(set(gold) | {label for label in predicted if label is not None})
    index = {label: i for i, label in enumerate(labels)}
    none = len(labels)
    gold_index = np.array([index[label] for label in gold])
    predicted_index = np.array([none if label is None else index[label] for label in predicted])
    match_index = np.where(gold_index == predicted_index, gold_index, none)

    def counts(weights: np.ndarray) -> tuple[np.ndarray, ...]:
        kinds = (match_index, predicted_index, gold_index)
        return tuple(count_by_row(kind, weights, none + 1)[:, :none] for kind in kinds)

    def macro_f1(weights: np.ndarray) -> np.ndarray:
        matches, guesses, truths = counts(weights)
        num_occurring = ((guesses + truths) > 0).sum(axis=1)
        means: np.ndarray = f1_percent(matches, guesses, truths).sum(axis=1) / num_occurring
        return means

    value, interval = estimate(macro_f1, len(gold))
    totals = np.stack([kind[0] for kind in counts(np.ones((1, len(gold))))], axis=1)  # (C, 3)
    return Scores(
        metrics={"macro_f1": value, "accuracy": 100 * float(np.mean(gold_index == predicted_index))},
        main="macro_f1",
        n=len(gold),
        interval=interval,
        per_class={label: class_scores(*row) for label, row in zip(labels, totals.tolist(), strict=True)},
        confusion=_confusion(labels, gold_index, predicted_index) if len(labels) <= MAX_CONFUSION_LABELS else None,
    )


def _confusion(labels: list[str], gold_index: np.ndarray, predicted_index: np.ndarray) -> dict[str, Any]:
    matrix = np.zeros((len(labels), len(labels) + 1), dtype=int)
    np.add.at(matrix, (gold_index, predicted_index), 1)
    return {"labels": labels, "matrix": matrix[:, :-1].tolist(), "unanswered": matrix[:, -1].tolist()}
