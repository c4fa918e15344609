"""Rows whose label is perhaps wrong: the adapter, which never saw them, is sure of another one.

Confident disagreement of a model with labels that it was not trained on is the sign that confident learning looks for
(Northcutt, Jiang and Chuang 2021, https://doi.org/10.1613/jair.1.12125); the held-out rows are one such fold.
"""

from collections.abc import Sequence
from typing import Any

from playground.data.text import excerpt
from playground.tasks.task import Task
from playground.types import Row

SURE = 0.9
"""Score from which the adapter counts as sure."""
MAX_SUSPECTS = 50


def suspicious_labels(task: Task, rows: Sequence[Row], predictions: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows of a classify task with ``text``, ``label``, the ``predicted`` one and its ``score``, the surest first."""
    if task.shape != "classify":
        return []
    pairs = [(row, found, found["scores"][found["label"]]) for row, found in zip(rows, predictions, strict=True)]
    suspects = [
        {
            "text": excerpt(row["text"], 200),
            "label": row["label"],
            "predicted": found["label"],
            "score": round(float(score), 4),
        }
        for row, found, score in pairs
        if found["label"] != row["label"] and score >= SURE
    ]
    return sorted(suspects, key=lambda suspect: -float(suspect["score"]))[:MAX_SUSPECTS]
