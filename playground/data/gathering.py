"""Rows of a file of any length as a table of bounded size: all of them, or a random sample of the whole file."""

import random
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from playground import settings
from playground.data.table import Reading, Rejected, Table
from playground.data.text import excerpt
from playground.errors import DataError
from playground.types import Row

MAX_SAMPLE_CHARS = 150_000_000
"""Characters held at most; Python keeps up to four bytes for each."""
MAX_REJECTED = 10_000
MAX_COLUMNS = 2000
MAX_HEAD_CHARS = 1 << 24
"""Characters of the first rows, by which their columns are recognised."""
SEED = 0

Item = TypeVar("Item")


def gather(reading: Reading, *, name: str, max_rows: int, is_sampled: bool) -> Table:
    """The table of what `reading` gives.

    Args:
        reading: is used up.
        name: of the file, for notes.
        max_rows: rows and rejected lines that are read; the rest of the file is left out, and a note says so.
        is_sampled: hold no more than ``settings.MAX_SAMPLE_ROWS`` rows, drawn from all that were read.

    Raises:
        DataError: more than `MAX_COLUMNS` columns.
    """
    kept = _Sample(settings.MAX_SAMPLE_ROWS, MAX_SAMPLE_CHARS) if is_sampled else _Sample(max_rows, None)
    rejected: list[Rejected] = []
    num_rejected = 0
    columns: dict[str, None] = dict.fromkeys(reading.columns or ())
    notes = reading.notes
    is_cut = False
    for entry in reading.entries:
        if kept.num_seen + num_rejected >= max_rows:
            notes.append(f"Only the first {max_rows:,} rows of {name} are used.")
            is_cut = True
            break
        if isinstance(entry, Rejected):
            num_rejected += 1
            if num_rejected <= MAX_REJECTED:
                rejected.append(entry)
            continue
        if reading.columns is None:
            columns.update(dict.fromkeys(entry[1]))
        if len(columns) > MAX_COLUMNS:
            raise DataError(
                f"{name} has more than {MAX_COLUMNS:,} columns, the last of them '{excerpt(list(columns)[-1], 40)}'; "
                "keep those with texts and labels and upload it again."
            )
        kept.add(*entry)
    if num_rejected > MAX_REJECTED:
        notes.append(f"{num_rejected:,} lines were set aside; the first {MAX_REJECTED:,} are listed.")
    total = kept.num_seen if reading.num_rows is None else reading.num_rows
    chosen = sorted(kept.chosen, key=lambda pair: pair[0])
    if total > len(chosen):
        read = f"{total:,} rows of {name} were read" if is_cut else f"{name} has {total:,} rows"
        notes.append(f"{read}; a random sample of {len(chosen):,} of them is used.")
    rows = [row for _, row in chosen]
    return Table(list(columns), rows, rejected, notes, reading.format, [line for line, _ in chosen], name)


def beginning(items: Iterator[Item], num_items: int, weight: Callable[[Item], int]) -> list[Item]:
    """The first of `items`, which are used up so far: `num_items`, or fewer that weigh `MAX_HEAD_CHARS` in all."""
    found: list[Item] = []
    room = MAX_HEAD_CHARS
    while len(found) < num_items and room > 0:
        item = next(items, None)
        if item is None:
            break
        found.append(item)
        room -= weight(item)
    return found


class _Sample:
    """Each row seen has the same chance to be in it (algorithm R, https://doi.org/10.1145/3147.3165).

    Where the rows hold too many characters, half of them are dropped at random and the sample goes on at that size.
    """

    def __init__(self, capacity: int, max_chars: int | None) -> None:
        self.chosen: list[tuple[int, Row]] = []
        self.num_seen = 0
        self._capacity = capacity
        self._max_chars = max_chars
        self._num_chars = 0
        self._chance = random.Random(SEED)

    def add(self, line: int, row: Row) -> None:
        self.num_seen += 1
        if len(self.chosen) < self._capacity:
            self.chosen.append((line, row))
        else:
            place = self._chance.randrange(self.num_seen)
            if place >= self._capacity:
                return
            self._num_chars -= num_chars(self.chosen[place][1]) if self._max_chars else 0
            self.chosen[place] = (line, row)
        if self._max_chars:
            self._num_chars += num_chars(row)
            if self._num_chars > self._max_chars and len(self.chosen) > 1:
                self._halve()

    def _halve(self) -> None:
        self._capacity = max(len(self.chosen) // 2, 1)
        self.chosen = self._chance.sample(self.chosen, self._capacity)
        self._num_chars = sum(num_chars(row) for _, row in self.chosen)


def num_chars(value: Any) -> int:
    """About how much memory `value` takes, in characters."""
    if isinstance(value, str):
        return len(value) + 50
    if isinstance(value, dict):
        return 100 + sum(map(num_chars, value.values()))
    if isinstance(value, list | tuple):
        return 60 + sum(map(num_chars, value))
    return 8
