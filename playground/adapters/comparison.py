"""Adapters beside each other: what they reach, and in what they differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from playground.adapters.figures import figure, metric_title
from playground.adapters.record import AdapterRecord

NOTHING = "-"


def titles(records: Sequence[AdapterRecord]) -> list[str]:
    """What the columns are called: names, with their task where two have the same."""
    names = [record.name for record in records]
    return [f"{record.task}/{record.name}" if names.count(record.name) > 1 else record.name for record in records]


def metrics_table(records: Sequence[AdapterRecord]) -> list[list[str]]:
    """Header and lines: each metric, and what was measured on."""
    scores = [record.metrics.get("adapter") for record in records]
    mains = dict.fromkeys(one["main"] for one in scores if one)
    names = [*mains, *(name for one in scores if one for name in one["metrics"] if name not in mains)]
    parents = [record.metrics.get("parent") for record in records]
    return [
        ["", *titles(records)],
        *([metric_title(name), *(_figure(one, name) for one in scores)] for name in dict.fromkeys(names)),
        *(
            [f"{metric_title(name)} of the adapter before", *(_figure(one, name) for one in parents)]
            for name in (mains if any(parents) else ())
        ),
        *([f"{metric_title(name)} without adapter", *(_figure(_base(one), name) for one in records)] for name in mains),
        ["Rows measured on", *(f"{one['n']:,}" if one else NOTHING for one in scores)],
        ["Measured on", *(measured_on(record) for record in records)],
    ]


def measured_on(record: AdapterRecord) -> str:
    return str(record.metrics.get("data") or NOTHING)


def differences(columns: Sequence[str], settings: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """Header and a line for each setting that is not the same in all; no line where all are.

    Args:
        columns: what the adapters or runs are called.
        settings: of each, by title.
    """
    names = dict.fromkeys(name for one in settings for name in one)
    lines = [[name, *(one.get(name, NOTHING) for one in settings)] for name in names]
    return [["", *columns], *(line for line in lines if len(set(line[1:])) > 1)]


def _base(record: AdapterRecord) -> Mapping[str, Any] | None:
    base: Mapping[str, Any] | None = record.metrics.get("base")
    return base


def _figure(scores: Mapping[str, Any] | None, name: str) -> str:
    return figure(scores, name) if scores and name in scores["metrics"] else NOTHING
