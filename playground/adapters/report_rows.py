"""The held-out rows behind a report as HTML; every text of theirs passes through ``html.escape``."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground.adapters.report_view import NOTHING

BEGINNING_CHARS = 90


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
    beginning = " ".join(text.split())[:BEGINNING_CHARS]
    score = f'<span class="pg-score">{before} → {row["adapter_score"]:.0f}</span>'
    return (
        f'<details class="pg-row"><summary>{score} <bdi>{escape(beginning)}</bdi></summary>'
        f'<div class="pg-text" dir="auto">{escape(text)}</div><dl>{lines}</dl></details>'
    )


def answer_text(value: Any, text: str = "") -> str:
    """An answer of any task in one line; `text` is what entities are cut out of."""
    if value is None or value in ([], ""):
        return NOTHING
    if isinstance(value, list):
        return " · ".join(_part_text(part, text) for part in value)
    return _part_text(value, text)


def _part_text(part: Any, text: str) -> str:
    if isinstance(part, dict) and "label" in part:
        return f"{text[part['start'] : part['end']]} ({part['label']})"
    return str(part.get("text", part)) if isinstance(part, dict) else str(part)


def input_text(values: Mapping[str, Any]) -> str:
    """What a row gave the task to read, a line each."""
    if "messages" in values:
        return "\n".join(f"{message['role']}: {message['content']}" for message in values["messages"])
    return "\n".join(str(value) for value in values.values())
