"""The base beside the adapter, on the same held-out rows."""

from collections.abc import Hashable, Sequence
from typing import Any

from playground.evaluation.metrics import by_language, score
from playground.tasks.task import Task
from playground.types import Row

TITLES = {
    "macro_f1": "Macro-F1",
    "accuracy": "Accuracy",
    "ece": "Expected calibration error (lower is better)",
    "entity_f1": "Entity F1",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "exact_match": "Exact match",
    "has_answer_f1": "F1 with an answer",
    "no_answer_f1": "F1 without an answer",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "source_precision": "Names and numbers found in the source",
    "chrf++": "chrF++",
    "bleu": "BLEU",
}
NOTHING = "-"


def compare(
    task: Task, rows: Sequence[Row], base_predictions: Sequence[Row] | None, adapter_predictions: Sequence[Row]
) -> dict[str, Any]:
    """Scores of both as plain JSON values.

    Args:
        task: what both did.
        rows: gold rows.
        base_predictions: None when the base has nothing to say; ``base`` and ``changed`` are None then.
        adapter_predictions: one for each row.

    Returns:
        ``metric`` (key of the main one), ``n``, ``base`` and ``adapter`` (`Scores` as dicts), ``changed`` (number of
        rows where the two answers differ) and ``per_language`` (``n``, main metric of both, the adapter's interval).

    Raises:
        DataError: there are no rows, or not one prediction for each.
    """
    adapter = score(task, rows, adapter_predictions)
    base = None if base_predictions is None else score(task, rows, base_predictions)
    return {
        "metric": adapter.main,
        "n": adapter.n,
        "base": base.as_dict() if base else None,
        "adapter": adapter.as_dict(),
        "changed": None if base_predictions is None else _num_changed(task, base_predictions, adapter_predictions),
        "per_language": _per_language(task, rows, base_predictions, adapter_predictions),
    }


def report_table(report: dict[str, Any]) -> list[list[str]]:
    """Cells of a small table, header first: a metric each line, then the number of rows and of changed answers."""
    main, base, adapter = report["metric"], report["base"], report["adapter"]
    names = [main, *(name for name in adapter["metrics"] if name != main)]
    table = [["", "Base", "Adapter", "Difference"]]
    for name in names:
        after = adapter["metrics"][name]
        before = base["metrics"].get(name) if base else None
        with_interval = name == main
        table.append(
            [
                TITLES.get(name, name),
                NOTHING if before is None else _cell(before, base["interval"] if with_interval else None),
                _cell(after, adapter["interval"] if with_interval else None),
                NOTHING if before is None else _difference(after - before),
            ]
        )
    changed = NOTHING if report["changed"] is None else f"{report['changed']} changed"
    table.append(["Rows", str(report["n"]) if base else NOTHING, str(report["n"]), changed])
    return table


def _per_language(
    task: Task, rows: Sequence[Row], base_predictions: Sequence[Row] | None, adapter_predictions: Sequence[Row]
) -> dict[str, dict[str, Any]]:
    base = {} if base_predictions is None else by_language(task, rows, base_predictions)
    return {
        language: {
            "n": scores.n,
            "base": base[language].metrics[scores.main] if language in base else None,
            "adapter": scores.metrics[scores.main],
            "interval": list(scores.interval),
        }
        for language, scores in by_language(task, rows, adapter_predictions).items()
    }


def _num_changed(task: Task, first: Sequence[Row], second: Sequence[Row]) -> int:
    return sum(_answer(task, one) != _answer(task, other) for one, other in zip(first, second, strict=True))


def _answer(task: Task, prediction: Row) -> Hashable:
    """What was answered, without how sure it was."""
    output = prediction.get(task.output)
    if task.shape == "tag":
        return frozenset((span["start"], span["end"], span["label"]) for span in output or ())
    if task.shape == "span":
        return (output["text"], output["start"]) if output else None
    return output


def _cell(value: float, interval: list[float] | None) -> str:
    return f"{value:.1f} ({interval[0]:.1f} to {interval[1]:.1f})" if interval else f"{value:.1f}"


def _difference(value: float) -> str:
    # Adding zero turns -0.0, which rounding leaves behind, into 0.0.
    return f"{round(value, 1) + 0.0:+.1f}"
