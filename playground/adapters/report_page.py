"""A report as one HTML page that needs nothing else: no script, no font, no file beside it."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from playground.adapters.report_rows import DetailedRow, row_list
from playground.adapters.report_view import Report, before, sections

PARTS_STYLE = Path(__file__).with_name("report_parts.css")
"""Style of charts and rows, which the app's page uses too."""
STYLE = "".join(path.read_text(encoding="utf-8") for path in (PARTS_STYLE.with_name("report.css"), PARTS_STYLE))
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Content Security Policy: whatever a name or a text may hold, nothing runs and nothing is fetched."""


def page(title: str, report: Report, rows: Sequence[DetailedRow] = ()) -> str:
    """The whole page.

    Args:
        title: task and name of the adapter.
        report: as `playground.adapters.report.parse_report` gives it.
        rows: some of the held-out rows, in the order to show them; they may be private.
    """
    parts = [f"<section><h2>{escape(name)}</h2>{body}</section>" for name, body in sections(report)]
    if rows:
        parts.append(f"<section><h2>The rows</h2>{row_list(rows, before(report))}</section>")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>Report: {escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<header><h1><bdi>{escape(title)}</bdi></h1><p>Measured on {report['n']:,} held-out rows. Metrics run from "
        "0 to 100; in brackets: 95 % bootstrap interval.</p></header>"
        f"<main>{''.join(parts)}</main></body></html>\n"
    )
