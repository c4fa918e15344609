"""What the shipped adapters reach, from the figures in their records; the README holds a copy of it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from playground import settings
from playground.adapters.figures import beside, figure, language_lines, metric_title
from playground.adapters.record import AdapterRecord
from playground.errors import InputError

BEGIN = "<!-- scoreboard: written by `python -m playground adapters scoreboard`, not by hand -->"
END = "<!-- end of scoreboard -->"
PUBLISHED_FILE = "published.json"
"""Beside the shipped adapters: a list of objects with the fields `PUBLISHED_COLUMNS`, all texts."""
COLUMNS = (
    "adapter",
    "languages",
    "metric",
    "with adapter (95 % interval)",
    "n",
    "base, few-shot",
    "trivial baseline",
    "training rows",
    "size",
)
LANGUAGE_COLUMNS = ("language", "n", "with adapter (95 % interval)", "base, few-shot", "trivial baseline")
PUBLISHED_COLUMNS = ("task", "test_set", "model", "metric", "figure", "source")
PUBLISHED_INTRO = "Published figures, for orientation only: other, larger models on other test sets."


def scoreboard(records: Iterable[AdapterRecord]) -> str:
    """Markdown: a table of the measured `records`, published figures for their tasks, and a table of each by language.

    Every figure is the main metric, the adapter's with its 95 % interval; one on another number of rows than the
    adapter's says on how many.
    """
    measured = [record for record in records if record.metrics]
    table = _table(COLUMNS, map(_row, measured))
    blocks = [table, _trivial_answers(measured), _published({record.task for record in measured})]
    return "\n\n".join(block for block in [*blocks, *map(_by_language, measured)] if block)


def _row(record: AdapterRecord) -> list[str]:
    metrics = record.metrics
    tuned = metrics["adapter"]
    value, _, interval = figure(tuned, tuned["main"]).partition(" ")
    size_mb = sum(file.stat().st_size for file in record.path.iterdir()) / 1e6
    return [
        _key(record),
        str(len(record.training.get("languages", ()))),
        metric_title(tuned["main"]),
        f"**{value}** {interval}",
        f"{tuned['n']:,}",
        beside(metrics["base"], tuned) if "base" in metrics else "none",
        beside(metrics.get("trivial"), tuned),
        f"{record.training.get('rows', 0):,}",
        f"{size_mb:.1f} MB",
    ]


def _trivial_answers(records: Sequence[AdapterRecord]) -> str:
    titles = [f"{_key(r)}: {r.metrics['trivial_title']}" for r in records if "trivial_title" in r.metrics]
    return f"Trivial baselines: {'; '.join(titles)}." if titles else ""


def _published(tasks: set[str]) -> str:
    path = settings.shipped_adapters() / PUBLISHED_FILE
    published: list[Mapping[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    rows = [[found[column] for column in PUBLISHED_COLUMNS] for found in published if found["task"] in tasks]
    header = [column.replace("_", " ") for column in PUBLISHED_COLUMNS]
    return f"{PUBLISHED_INTRO}\n\n{_table(header, rows)}" if rows else ""


def _by_language(record: AdapterRecord) -> str:
    lines = language_lines(record.metrics)
    if not lines:
        return ""
    title = f"{_key(record)} by language ({metric_title(record.metrics['adapter']['main'])})"
    return f"<details><summary>{title}</summary>\n\n{_table(LANGUAGE_COLUMNS, lines)}\n\n</details>"


def _key(record: AdapterRecord) -> str:
    return f"{record.task}/{record.name}"


def _table(header: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))


def write_scoreboard(document: Path, records: Iterable[AdapterRecord]) -> None:
    """Replaces what stands between the two marks in `document`.

    Raises:
        InputError: the marks are not there.
    """
    text = document.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"{document.name} has no place for the scoreboard; add the lines '{BEGIN}' and '{END}'.")
    document.write_text(f"{before}{BEGIN}\n{scoreboard(records)}\n{END}{after}", encoding="utf-8")
