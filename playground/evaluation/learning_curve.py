"""What more rows to learn from are worth: the same training on parts of them, measured on the same held-out rows."""

from collections.abc import Sequence
from typing import Any

from playground.evaluation.metrics import score
from playground.evaluation.report import contrast
from playground.tasks.task import Task
from playground.types import Row


def learning_curve(task: Task, rows: Sequence[Row], answers: Sequence[tuple[int, Sequence[Row]]]) -> dict[str, Any]:
    """Plain JSON values.

    Args:
        task: what all did.
        rows: gold rows.
        answers: of two adapters at least, the one that learnt from fewest rows first: that number, and a prediction
            for each of `rows`.

    Returns:
        ``points`` (``rows`` learnt from, ``value`` of the main metric and its ``interval``) and ``gain``, what the last
        adapter has more than the one before, as ``difference`` of a report.
    """
    points = []
    for num_rows, predictions in answers:
        scores = score(task, rows, predictions)
        points.append({"rows": num_rows, "value": scores.metrics[scores.main], "interval": list(scores.interval)})
    (_, before), (_, after) = answers[-2:]
    return {"points": points, "gain": contrast(task, rows, before, after)}
