"""The held-out rows behind a report as HTML; every text of theirs passes through ``html.escape``."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from playground.adapters.report_view import NOTHING
from playground.data.text import excerpt
from playground.types import Shape

BEGINNING_CHARS = 90
KINDS = {
    "all": "All rows",
    "wrong": "Not fully right",
    "changed": "Changed by the adapter",
    "better": "Better with the adapter",
    "worse": "Worse with the adapter",
}
"""Which rows are shown, by the name of the choice."""
ORDERS = {
    "worst": "Worst first",
    "best": "Best first",
    "gained": "Largest gain first",
    "lost": "Largest loss first",
}

DetailedRow = Mapping[str, Any]
"""As `playground.evaluation.report.row_details` makes them."""


def row_list(rows: Sequence[DetailedRow], before: str) -> str:
    """The rows, each opening to its whole text; `before` is what the adapter is compared with."""
    return "".join(_row(row, before) for row in rows)


def selected(
    rows: Sequence[DetailedRow],
    shape: Shape,
    *,
    kind: str = "all",
    label: str = "",
    language: str = "",
    order: str = "worst",
) -> list[DetailedRow]:
    """The rows of `kind` in `order`; of one language, and with one label, right or answered, unless these are empty."""
    kept = [
        row
        for row in rows
        if _is_of_kind(row, kind)
        and (not label or label in labels_of(row, shape))
        and (not language or row["lang"] == language)
    ]
    keys = {
        "worst": lambda row: row["adapter_score"],
        "best": lambda row: -row["adapter_score"],
        "gained": lambda row: -_gain(row),
        "lost": _gain,
    }
    return sorted(kept, key=keys.get(order, keys["worst"]))


def labels_of(row: DetailedRow, shape: Shape) -> set[str]:
    """The labels or entity types that are right for the row, or that it was given."""
    answers = (row["gold"], row["adapter"], row["base"])
    if shape == "tag":
        return {str(entity["label"]) for found in answers for entity in found or ()}
    return {str(label) for label in answers if label is not None} if shape == "classify" else set()


def _is_of_kind(row: DetailedRow, kind: str) -> bool:
    if kind == "wrong":
        return bool(row["adapter_score"] < 100)
    if kind == "changed":
        return bool(row["changed"])
    return {"better": _gain(row) > 0, "worse": _gain(row) < 0}.get(kind, True)


def _gain(row: DetailedRow) -> float:
    """What the row scores more with the adapter; 0 where there was no base."""
    return 0.0 if row["base_score"] is None else float(row["adapter_score"] - row["base_score"])


def _row(row: DetailedRow, before: str) -> str:
    text = input_text(row["input"])
    cut_from = str(row["input"].get("text", ""))
    has_base = row["base_score"] is not None
    answers = [("Right", row["gold"]), ("Adapter", row["adapter"]), *([(before, row["base"])] if has_base else [])]
    lines = "".join(
        f'<dt>{name}</dt><dd dir="auto">{escape(answer_text(value, cut_from))}</dd>' for name, value in answers
    )
    old = f"{row['base_score']:.0f}" if has_base else NOTHING
    score = f'<span class="pg-score">{old} → {row["adapter_score"]:.0f}</span>'
    return (
        f'<details class="pg-row"><summary>{score} {number(row)} <bdi>{escape(beginning(row))}</bdi></summary>'
        f'<div class="pg-text" dir="auto">{escape(text)}</div><dl class="pg-answers">{lines}</dl></details>'
    )


def number(row: DetailedRow) -> str:
    """What a row is called, also where others are shown beside it."""
    return f"#{int(row['place']) + 1}"


def beginning(row: DetailedRow) -> str:
    return excerpt(input_text(row["input"]), BEGINNING_CHARS)


def heading(row: DetailedRow) -> str:
    """The row in one line, not escaped."""
    return f"{number(row)} {beginning(row)}"


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
