"""How long rows are, and how many are longer than one example of the training."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from playground.data.masking import texts_of
from playground.types import Row

TOKEN_SAMPLE = 2000
"""Rows whose tokens are counted."""
NUM_BARS = 12


@dataclass(frozen=True)
class Lengths:
    unit: str
    """tokens or characters."""
    rows: int
    """How many rows were measured."""
    edges: tuple[int, ...]
    """Of the bars, one more than there are bars; each bar holds what is from its first edge to below its second."""
    counts: tuple[int, ...]
    median: int
    longest: int
    limit: int = 0
    """Tokens that one example of the training holds; 0: not known."""
    too_long: float = 0.0
    """Share of the rows that are longer than that, 0 to 1."""
    consequence: str = ""
    """What happens to these."""


def measure_lengths(
    task: str, rows: Sequence[Row], count_tokens: Callable[[Sequence[str]], Sequence[int]] | None, limit: int
) -> Lengths:
    """Lengths of what is read and, where a text is to be written, of that too: in tokens of a sample of `TOKEN_SAMPLE`
    rows, or without `count_tokens` in characters of all.
    """
    if count_tokens is None:
        return _bars("characters", [sum(map(len, texts_of(task, row))) for row in rows])
    chosen = rows if len(rows) <= TOKEN_SAMPLE else random.Random(0).sample(list(rows), TOKEN_SAMPLE)
    sizes = list(count_tokens(["\n".join(texts_of(task, row)) for row in chosen]))
    too_long = sum(size > limit for size in sizes) / max(len(sizes), 1) if limit else 0.0
    shortened = _END_KEPT if any(row.get("messages") for row in chosen) else _BEGINNING_KEPT
    return _bars("tokens", sizes, limit, too_long, _CONSEQUENCES.get(task, shortened))


_BEGINNING_KEPT = "the beginning of the text is kept"
_END_KEPT = "of what was said before a reply the end is kept"
_IN_WINDOWS = "they are read in overlapping windows"
_FIRST_WINDOW = "only the first window is learnt from"
_CONSEQUENCES = {"sentiment": _FIRST_WINDOW, "classify": _FIRST_WINDOW, "ner": _IN_WINDOWS, "qa": _IN_WINDOWS}


def _bars(unit: str, sizes: Sequence[int], limit: int = 0, too_long: float = 0.0, consequence: str = "") -> Lengths:
    """Bars of equal width up to the length that 98 of 100 rows stay below; the last one holds all that are longer."""
    ranked = sorted(sizes)
    if not ranked:
        return Lengths(unit, 0, (0, 1), (0,), 0, 0, limit)
    most = ranked[int(0.98 * (len(ranked) - 1))]
    width = max(1, -(-(most + 1) // NUM_BARS))
    counts = [0] * min(NUM_BARS, -(-(most + 1) // width))
    for size in ranked:
        counts[min(size // width, len(counts) - 1)] += 1
    edges = (*(width * n for n in range(len(counts))), max(ranked[-1] + 1, width * len(counts)))
    median = ranked[len(ranked) // 2]
    return Lengths(unit, len(ranked), edges, tuple(counts), median, ranked[-1], limit, too_long, consequence)
