"""What every file format is read into."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from playground.types import Row


@dataclass(frozen=True)
class Rejected:
    """A line or record that was set aside."""

    line: int
    """Line of a text file, row of a sheet, or number of the record in Parquet and in JSON without lines; from 1."""
    reason: str
    raw: str = ""
    """Its beginning, on one line."""


Entry = tuple[int, Row] | Rejected
"""A row with its place, counted as in `Rejected.line`, or what stands there instead."""


@dataclass(frozen=True)
class Reading:
    """A file of one format on its way to a `Table`: its rows come one by one while it is read."""

    format: str
    entries: Iterable[Entry]
    columns: list[str] | None = None
    """None: the keys of the rows."""
    notes: list[str] = field(default_factory=list)
    num_rows: int | None = None
    """Rows of the file when `entries` are a sample of them already."""


def chained(readings: Sequence[Reading]) -> Iterator[Entry]:
    """The entries of one after the other; their places go on counting."""
    before = 0
    for reading in readings:
        last = 0
        for entry in reading.entries:
            line = entry.line if isinstance(entry, Rejected) else entry[0]
            last = max(last, line)
            if isinstance(entry, Rejected):
                yield Rejected(before + line, entry.reason, entry.raw)
            else:
                yield before + line, entry[1]
        before += last


@dataclass(frozen=True)
class Table:
    columns: list[str]
    rows: list[Row]
    rejected: list[Rejected]
    notes: list[str]
    """Sentences about what was guessed or repaired."""
    format: str
    """csv, tsv, jsonl, json, parquet, xlsx, txt, conll, tmx or xliff: what the content is, whatever the name says."""
    lines: list[int] = field(default_factory=list)
    """Place of each row, counted as in `Rejected.line`."""
    name: str = "the file"


def columns_of(rows: list[Row]) -> list[str]:
    """The keys of all rows in the order in which they first appear."""
    return list(dict.fromkeys(key for row in rows for key in row))
