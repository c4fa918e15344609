"""Token windows: how a text longer than one forward pass is covered without cutting anything off."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

STRIDE_SHARE = 4
"""Neighbouring windows share a quarter of their tokens."""


@dataclass(frozen=True)
class Tokens:
    """A text as token ids, with the character range of each token."""

    ids: list[int]
    offsets: list[tuple[int, int]]


@dataclass(frozen=True)
class Window:
    """Input of one forward pass; tokens ``start:end`` of the text stand at ``position:position + end - start``."""

    input_ids: list[int]
    start: int
    end: int
    position: int


def tokenize(tokenizer: Any, text: str) -> Tokens:
    """Tokens of `text` without special tokens; white space at the rims of a token is not part of its range."""
    encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    offsets = [_trim(text, *offset) for offset in encoding["offset_mapping"]]
    return Tokens(list(encoding["input_ids"]), offsets)


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    stripped = piece.strip()
    if not stripped:
        return start, start
    lead = len(piece) - len(piece.lstrip())
    return start + lead, start + lead + len(stripped)


def special_ids(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Ids that the tokenizer puts before and after a text."""
    added = list(tokenizer("")["input_ids"])
    opening = tokenizer.cls_token_id if tokenizer.cls_token_id is not None else tokenizer.bos_token_id
    if added and added[0] == opening:
        return added[:1], added[1:]
    return [], added


def make_windows(ids: Sequence[int], before: Sequence[int], after: Sequence[int], max_length: int) -> list[Window]:
    """Windows of at most `max_length` tokens over `ids`, each between `before` and `after`.

    Neighbours overlap by a quarter, so that every token but those at the rims has context on both sides.
    """
    room = max(max_length - len(before) - len(after), 8)
    step = max(room - room // STRIDE_SHARE, 1)
    starts = [0]
    while starts[-1] + room < len(ids):
        starts.append(starts[-1] + step)
    return [
        Window([*before, *ids[start : start + room], *after], start, min(start + room, len(ids)), len(before))
        for start in starts
    ]


def owners(windows: Sequence[Window]) -> list[range]:
    """For each window the tokens of the text that it speaks for: overlaps are shared at their middle."""
    edges = [0, *((left.end + right.start) // 2 for left, right in pairwise(windows)), windows[-1].end]
    return [range(start, end) for start, end in pairwise(edges)]
