"""A report as one HTML page that needs nothing else: no script, no font, no file beside it."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from playground.adapters.report_view import NOTHING, Report, answer_text, input_text, sections

STYLE = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Content Security Policy: whatever a name or a text may hold, nothing runs and nothing is fetched."""


def page(title: str, report: Report, rows: Sequence[Mapping[str, Any]] = ()) -> str:
    """The whole page.

    Args:
        title: task and name of the adapter.
        report: as `playground.adapters.report.parse_report` gives it.
        rows: as `playground.evaluation.report.row_details` makes them; they may be private.
    """
    parts = [f"<section><h2>{escape(name)}</h2>{body}</section>" for name, body in sections(report)]
    if rows:
        parts.append(f"<section><h2>The rows</h2>{row_list(rows)}</section>")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>Report: {escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<header><h1><bdi>{escape(title)}</bdi></h1><p>Measured on {report['n']:,} held-out rows. Metrics run from 0 to "
        "100; in brackets: 95 % bootstrap interval.</p></header>"
        f"<main>{''.join(parts)}</main></body></html>\n"
    )


def row_list(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows, the worst first, each opening to its whole text."""
    ordered = sorted(rows, key=lambda row: (row["adapter_score"], row["place"]))
    return "".join(map(_row, ordered))


def _row(row: Mapping[str, Any]) -> str:
    text = input_text(row["input"])
    cut_from = str(row["input"].get("text", ""))
    answers = [("Right", row["gold"]), ("Adapter", row["adapter"]), ("Base", row["base"])]
    lines = "".join(
        f'<dt>{name}</dt><dd dir="auto">{escape(answer_text(value, cut_from))}</dd>'
        for name, value in answers
        if name != "Base" or row["base_score"] is not None
    )
    before = NOTHING if row["base_score"] is None else f"{row['base_score']:.0f}"
    beginning = " ".join(text.split())[:90]
    score = f'<span class="pg-score">{before} → {row["adapter_score"]:.0f}</span>'
    return (
        f'<details class="pg-row"><summary>{score} <bdi>{escape(beginning)}</bdi></summary>'
        f'<div class="pg-text" dir="auto">{escape(text)}</div><dl>{lines}</dl></details>'
    )
