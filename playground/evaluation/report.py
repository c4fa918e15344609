"""The base beside the adapter, on the same held-out rows: figures, and the rows behind them.

Figures hold no text of the rows beyond the names of labels; the rows are kept apart, since they may be private.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

import numpy as np

from playground.evaluation.answers import answer_key, confidences_of, gold_of, input_of, num_chars, outputs_of
from playground.evaluation.calibration import reliability
from playground.evaluation.metrics import row_language, row_scores, rows_by_language, score, statistic
from playground.evaluation.significance import NUM_SHUFFLES, TEST, difference
from playground.tasks.task import Task
from playground.types import Row

MAX_GROUPS = 100
"""Languages or classes in a report: the largest ones."""
MIN_ROWS_BY_LENGTH = 6
MAX_ROWS_KEPT = 200
MAX_TEXT_CHARS = 4000
"""A row with longer texts is kept with their beginnings only."""
_SHARES = {"worst": 0.5, "best": 0.2, "gained": 0.15, "lost": 0.15}


def compare(
    task: Task,
    rows: Sequence[Row],
    base_predictions: Sequence[Row] | None,
    adapter_predictions: Sequence[Row],
    against: Literal["base", "parent"] = "base",
) -> dict[str, Any]:
    """Scores of both as plain JSON values.

    Args:
        task: what both did.
        rows: gold rows.
        base_predictions: None when the base has nothing to say; what compares the two is None then.
        adapter_predictions: one for each row.
        against: whose the `base_predictions` are, the base's or those of the adapter that this one goes on from.

    Returns:
        ``against``, ``metric`` (key of the main one), ``n``, ``base`` and ``adapter`` (`Scores` as dicts),
        ``difference`` (`value`, `interval`, `p_value`, `test`), ``changed`` (number of rows where the two answers
        differ), ``better`` and ``worse`` (rows that score more, or less, with the adapter), ``per_language`` and
        ``per_length`` (``n``, main metric of both, the adapter's interval), ``calibration`` (points of both as
        `reliability` gives them) and ``learning_curve`` (None; a training may add it, or say
        in ``no_learning_curve`` why it does not).

    Raises:
        DataError: there are no rows, or not one prediction for each.
    """
    adapter = score(task, rows, adapter_predictions)
    base = None if base_predictions is None else score(task, rows, base_predictions)
    both = (base_predictions, adapter_predictions)
    languages = sorted(rows_by_language(rows).items(), key=lambda item: -len(item[1]))[:MAX_GROUPS]
    return {
        "against": against,
        "metric": adapter.main,
        "n": adapter.n,
        "base": _largest_classes(base.as_dict()) if base else None,
        "adapter": _largest_classes(adapter.as_dict()),
        **_changes(task, rows, base_predictions, adapter_predictions),
        "per_language": {key: _group(task, rows, *both, places) for key, places in sorted(languages)},
        "per_length": [
            {"from": low, "to": high, **_group(task, rows, *both, places)}
            for low, high, places in _by_length([num_chars(task, row) for row in rows])
        ],
        "calibration": {
            name: reliability(*confidences_of(task, rows, predictions)) if predictions is not None else []
            for name, predictions in zip(("base", "adapter"), both, strict=True)
        },
        "learning_curve": None,
    }


def row_details(
    task: Task,
    rows: Sequence[Row],
    base_predictions: Sequence[Row] | None,
    adapter_predictions: Sequence[Row],
    most: int = MAX_ROWS_KEPT,
) -> list[dict[str, Any]]:
    """At most `most` rows in their order: the worst and best ones, and those that gained and lost most.

    Each has its ``place`` among all, ``input`` (the task's fields), ``gold``, ``adapter`` and ``base`` (the answers),
    ``adapter_score`` and ``base_score`` (0 to 100), ``changed``, ``lang`` and ``is_clipped`` (texts are cut off, so
    that offsets do not hold).
    """
    after = row_scores(task, rows, adapter_predictions)
    before = None if base_predictions is None else row_scores(task, rows, base_predictions)
    outputs = outputs_of(task, adapter_predictions)
    base_outputs = [None] * len(rows) if base_predictions is None else outputs_of(task, base_predictions)
    gold = gold_of(task, rows)
    details = []
    for place in _worth_keeping(after, before, _sureness(task, adapter_predictions), most):
        values = {"input": input_of(task, rows[place]), "gold": gold[place]}
        values |= {"adapter": outputs[place], "base": base_outputs[place]}
        clipped = _clipped(values)
        details.append(
            {
                "place": place,
                **clipped,
                "adapter_score": after[place],
                "base_score": None if before is None else before[place],
                "changed": base_predictions is not None
                and answer_key(task, base_predictions[place]) != answer_key(task, adapter_predictions[place]),
                "lang": row_language(rows[place]),
                "is_clipped": clipped != values,
            }
        )
    return details


def contrast(task: Task, rows: Sequence[Row], first: Sequence[Row], second: Sequence[Row]) -> dict[str, Any]:
    """How much more the second predictions score: ``value``, ``interval``, ``p_value`` and the name of the ``test``."""
    found = difference(statistic(task, [*rows, *rows], [*first, *second]), len(rows))
    return {**asdict(found), "interval": list(found.interval), "test": f"{TEST}, {NUM_SHUFFLES:,} shuffles"}


def _changes(
    task: Task,
    rows: Sequence[Row],
    base_predictions: Sequence[Row] | None,
    adapter_predictions: Sequence[Row],
) -> dict[str, Any]:
    """What sets the two apart, None each where there is no base."""
    if base_predictions is None:
        return dict.fromkeys(("difference", "changed", "better", "worse"))
    gains = np.subtract(row_scores(task, rows, adapter_predictions), row_scores(task, rows, base_predictions))
    pairs = zip(base_predictions, adapter_predictions, strict=True)
    return {
        "difference": contrast(task, rows, base_predictions, adapter_predictions),
        "changed": sum(answer_key(task, one) != answer_key(task, other) for one, other in pairs),
        "better": int((gains > 0).sum()),
        "worse": int((gains < 0).sum()),
    }


def _group(
    task: Task,
    rows: Sequence[Row],
    base_predictions: Sequence[Row] | None,
    adapter_predictions: Sequence[Row],
    places: Sequence[int],
) -> dict[str, Any]:
    """Main metric of both on some of the rows."""
    members = [rows[place] for place in places]
    adapter = score(task, members, [adapter_predictions[place] for place in places])
    base = None
    if base_predictions is not None:
        base = score(task, members, [base_predictions[place] for place in places]).metrics[adapter.main]
    return {
        "n": adapter.n,
        "base": base,
        "adapter": adapter.metrics[adapter.main],
        "interval": list(adapter.interval),
    }


def _by_length(lengths: Sequence[int]) -> list[tuple[int, int, list[int]]]:
    """Shortest and longest length, and places, of the shorter, the middle and the longer third of the rows.

    Rows of one length stay together, so that there may be fewer groups; none when they do not differ or are few.
    """
    if len(lengths) < MIN_ROWS_BY_LENGTH or len(set(lengths)) < 2:
        return []
    thirds = np.searchsorted(np.quantile(lengths, [1 / 3, 2 / 3], method="lower"), lengths, side="left")
    groups = [[place for place, third in enumerate(thirds) if third == number] for number in range(3)]
    ends = [
        (min(lengths[place] for place in group), max(lengths[place] for place in group), group)
        for group in groups
        if group
    ]
    return ends if len(ends) > 1 else []


def _largest_classes(scores: dict[str, Any]) -> dict[str, Any]:
    per_class: Mapping[str, dict[str, float]] = scores["per_class"]
    largest = sorted(per_class, key=lambda name: -per_class[name]["support"])[:MAX_GROUPS]
    return scores | {"per_class": {name: per_class[name] for name in per_class if name in set(largest)}}


def _sureness(task: Task, predictions: Sequence[Row]) -> list[float]:
    """Of labels how sure they were, so that the surest mistakes come first; 0 for other answers."""
    if task.shape != "classify":
        return [0.0] * len(predictions)
    return [max((prediction.get("scores") or {"": 0.0}).values()) for prediction in predictions]


def _worth_keeping(
    after: Sequence[float], before: Sequence[float] | None, sureness: Sequence[float], most: int
) -> list[int]:
    places = range(len(after))
    if len(after) <= most:
        return list(places)
    worst = sorted(places, key=lambda place: (after[place], -sureness[place]))
    gains = sorted(places, key=lambda place: (before[place] if before else after[place]) - after[place])
    orders = {"worst": worst, "best": worst[::-1], "gained": gains, "lost": gains[::-1]}
    kept: dict[int, None] = {}
    for name, share in _SHARES.items():
        free = (place for place in orders[name] if place not in kept)
        kept |= dict.fromkeys([place for place, _ in zip(free, range(int(most * share)), strict=False)])
    return sorted(kept)


def _clipped(value: Any) -> Any:
    """`value` with every text in it cut to `MAX_TEXT_CHARS`."""
    if isinstance(value, str):
        return value[:MAX_TEXT_CHARS]
    if isinstance(value, dict):
        return {key: _clipped(item) for key, item in value.items()}
    return [_clipped(item) for item in value] if isinstance(value, list) else value
