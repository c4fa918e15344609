"""CSV and its relatives, read line by line so that a broken row costs that row only."""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from playground import settings
from playground.data.decoding import MAX_LINE_CHARS
from playground.data.gathering import beginning
from playground.data.grid import MAX_TITLE_LINES, Record, to_reading
from playground.data.headers import is_known
from playground.data.table import Reading

# The limit is one for the whole process, and its default of 128 KB a cell refuses long documents.
csv.field_size_limit(settings.MAX_UPLOAD_BYTES)

DELIMITERS = ",;\t|"
_RARE = ("^", "~", "\x01", "¦", "，", "；", "،", "؛")
"""Delimiters that are taken only where they make columns with known names."""
# No text file holds this separator, so every line is one cell.
_ONE_COLUMN = "\x1f"
_NUM_TRIED = 60
_NUM_LINES_TRIED = 2000
_MAX_RECORD_LINES = 2000
"""Lines after which a quotation mark counts as never closed."""
_UNCLOSED = "a quotation mark is opened on this line and never closed"
_PROSE_SHARE = 0.9
_RULE = re.compile(r"[\s|+:=-]*[+|-][\s|+:=-]*")
"""A line that only draws a table."""


@dataclass(frozen=True)
class Dialect:
    delimiter: str
    skips_space: bool = False
    quote: str | None = '"'
    escape: str | None = None
    is_wrapped: bool = False
    """Each line is quoted as a whole, as Excel does with a line that it took for one cell."""
    is_framed: bool = False
    """Each line begins and ends with the delimiter, as tables in Markdown do."""
    long_column: int | None = None
    """The column whose unquoted texts hold delimiters themselves."""
    width: int = 0
    """Number of columns; needed for `long_column`."""

    def options(self) -> dict[str, Any]:
        """Arguments of ``csv.reader``."""
        return {
            "delimiter": self.delimiter,
            "skipinitialspace": self.skips_space,
            "quotechar": self.quote,
            "quoting": csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            "escapechar": self.escape,
        }


def read_delimited(lines: Iterable[str], *, name: str) -> Reading:
    """The table in CSV, TSV, or anything with another delimiter between the cells.

    Raises:
        DataError: there is nothing but a header.
    """
    stream = iter(lines)
    first = beginning(stream, _NUM_LINES_TRIED, len)
    start, dialect = _prepared(first)
    file_format = "tsv" if dialect.delimiter == "\t" else "csv"
    records = _records(chain(first[start:], stream), dialect, start)
    reading = to_reading(records, name=name, file_format=file_format)
    if dialect.long_column is not None:
        reading.notes.append(f"Some texts of {name} hold the delimiter without quotes; they were put together again.")
    return reading


def looks_delimited(head: list[str], *, needs_known_names: bool) -> bool:
    """Whether most of the lines have the same number of cells, two at least.

    Args:
        head: the first lines of the file.
        needs_known_names: ask for two column names that are known, for tabs, or for labels that come back behind
            another delimiter than a comma; prose has commas too.
    """
    start, dialect = _prepared(head)
    if dialect.delimiter == _ONE_COLUMN:
        return False
    records = list(islice(_records(head[start:], dialect), _NUM_TRIED))
    if not needs_known_names or any(_num_known(record.cells) >= 2 for record in records[: MAX_TITLE_LINES + 1]):
        return True
    widths = {len(record.cells) for record in records}
    if len(records) < 2 or len(widths) > 1 or dialect.delimiter == ",":
        return False
    return dialect.delimiter == "\t" or any(map(_come_back, zip(*(record.cells for record in records), strict=True)))


def _come_back(cells: tuple[str, ...]) -> bool:
    """Whether `cells` are a few words that stand in many rows, as labels do."""
    return len(set(cells)) <= len(cells) // 3 and all(0 < len(cell.split()) <= 2 for cell in cells)


def _prepared(head: list[str]) -> tuple[int, Dialect]:
    """The index of the first line to read, and the dialect."""
    declared = head[0].rstrip("\n").strip(' "').lower() if head else ""
    if declared.startswith("sep=") and len(declared) <= 5:
        return 1, Dialect(declared[4:] or "\t")
    return 0, _find_dialect(head)


def _find_dialect(lines: list[str]) -> Dialect:
    best, best_fit = Dialect(_ONE_COLUMN), (0.5, 0)
    for dialect in _candidates(lines):
        fit = _fit(lines, dialect)
        if fit > best_fit:
            best, best_fit = dialect, fit
    return _with_long_column(lines, best, best_fit[0])


def _candidates(lines: list[str]) -> Iterator[Dialect]:
    text = "".join(lines[:_NUM_TRIED])
    for delimiter in (*DELIMITERS, *_RARE):
        if delimiter not in text:
            continue
        plain = Dialect(delimiter)
        yield from (plain, replace(plain, skips_space=True), replace(plain, escape="\\"))
        if "'" in text:
            yield replace(plain, quote="'", skips_space=True)
        if delimiter == "\t":
            yield replace(plain, quote=None)
        if delimiter == "|":
            yield Dialect("|", skips_space=True, quote=None, is_framed=True)
        if text.startswith('"'):
            yield replace(plain, is_wrapped=True)


def _fit(lines: list[str], dialect: Dialect) -> tuple[float, int]:
    """The share of good rows among the first, and the number of columns."""
    records = list(islice((r for r in _records(lines, dialect) if r.problem or any(r.cells)), _NUM_TRIED))
    body = _body(records)
    if not body or len(body[0].cells) < 2:
        return 0.0, 0
    width = len(body[0].cells)
    share = _share_of_width(body, width)
    num_known = _num_known(body[0].cells)
    if num_known >= 2:
        # The fewer marks are left over at the rims of cells, the better they were understood.
        num_unnamed = sum(not cell.strip() for cell in body[0].cells)
        return 1.0 + share - 0.3 * _share_quoted(body) - 0.1 * num_unnamed / width, width
    if dialect.delimiter in _RARE or dialect.is_framed or dialect.is_wrapped:
        return 0.0, 0
    is_prose = dialect.delimiter == "," and _reads_like_prose(lines)
    if not num_known and share < 1.0 and is_prose:
        return 0.0, 0
    # Of two delimiters that make as good columns, one may stand in the texts only: the header tells.
    has_title = body[0] is not records[0]
    return share - 0.3 * _share_quoted(body) + 0.1 * num_known - 0.05 * (has_title + is_prose), width


def _body(records: list[Record]) -> list[Record]:
    """`records` from the header on, without the lines of a title above it."""
    widths = Counter(len(record.cells) for record in records if not record.problem and len(record.cells) > 1)
    if not widths:
        return records
    usual = widths.most_common(1)[0][0]
    for skipped, record in enumerate(records[: MAX_TITLE_LINES + 1]):
        num_filled = sum(bool(cell.strip()) for cell in record.cells)
        if not record.problem and (num_filled > 1 or usual == 1 or len(record.cells) > usual):
            return records[skipped:]
    return records


def _num_known(cells: list[Any]) -> int:
    return sum(is_known(str(cell)) for cell in cells)


def _share_quoted(records: list[Record]) -> float:
    cells = [cell.strip() for record in records for cell in record.cells if cell.strip()]
    marked = sum(len(cell) > 1 and cell[0] in "\"'" and cell[-1] == cell[0] for cell in cells)
    return marked / len(cells) if cells else 0.0


def _reads_like_prose(lines: list[str]) -> bool:
    """Whether nearly all commas are followed by a space, as in sentences."""
    sample = "".join(lines[:_NUM_TRIED])
    return sample.count(", ") > _PROSE_SHARE * sample.count(",")


def _share_of_width(records: list[Record], width: int) -> float:
    if len(records) == 1:
        return 1.0
    return sum(not r.problem and _same_width(r.cells, width) for r in records[1:]) / (len(records) - 1)


def _same_width(cells: list[str], width: int) -> bool:
    """Whether there are `width` cells, or that many and empty ones behind them."""
    return len(cells) == width or (len(cells) > width and not any(cell.strip() for cell in cells[width:]))


def _with_long_column(lines: list[str], dialect: Dialect, fit: float) -> Dialect:
    """`dialect` with the one column whose texts hold delimiters, where that explains most of the ragged rows.

    That is so when the header is sure, the rows that do not fit are longer, and the delimiters in them are followed
    by spaces, or stand beside a label that comes back.
    """
    if dialect.delimiter not in ",;" or fit >= 1.9 or fit < 1.0:
        return dialect
    records = list(islice((r for r in _records(lines, dialect) if any(r.cells)), _NUM_TRIED))
    body = _body(records)
    width = len(body[0].cells)
    longer = [record.cells for record in body[1:] if not record.problem and len(record.cells) > width]
    if width < 2 or not longer or len(longer) < 0.3 * len(body[1:]) or any('"' in lines[r.line - 1] for r in body[1:]):
        return dialect
    spaced = [[i for i, cell in enumerate(cells) if i and cell.startswith(" ")] for cells in longer]
    if not all(len(places) >= len(cells) - width for places, cells in zip(spaced, longer, strict=True)):
        return dialect
    column = min(min(places) - 1 for places in spaced)
    behind = width - 1 - column
    fits = all(
        all(column < place < len(cells) - behind for place in places)
        for places, cells in zip(spaced, longer, strict=True)
    )
    return replace(dialect, long_column=column, width=width) if 0 <= column < width and fits else dialect


class _Ahead:
    """Lines that can be looked at before they are taken, so that a record can be read again from its second line."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._seen: deque[str] = deque()

    def first(self) -> str | None:
        if not self._seen:
            line = next(self._lines, None)
            if line is None:
                return None
            self._seen.append(line)
        return self._seen[0]

    def from_first(self) -> Iterator[str]:
        room = MAX_LINE_CHARS
        for number in range(_MAX_RECORD_LINES):
            if number == len(self._seen):
                line = next(self._lines, None)
                if line is None:
                    return
                self._seen.append(line)
            room -= len(self._seen[number])
            if number and room < 0:
                return
            yield self._seen[number]

    def drop(self, num_lines: int) -> None:
        for _ in range(num_lines):
            self._seen.popleft()


def _records(lines: Iterable[str], dialect: Dialect, start: int = 0) -> Iterator[Record]:
    """All records of `lines`, of which the first is at index `start` of the file.

    A quotation mark that is never closed swallows lines up to the next one. Such a record is given up at its
    first line, and reading goes on at the second.
    """
    ahead = _Ahead(map(_unwrapped, lines) if dialect.is_wrapped else lines)
    width, number = 0, start + 1
    while (first := ahead.first()) is not None:
        cells, num_lines = _parse(ahead, first, dialect)
        width = width if width > 1 else len(cells)
        if num_lines == 0 or (num_lines > 1 and len(cells) != width):
            yield Record(number, [first.rstrip("\n")], _UNCLOSED)
            num_lines = 1
        elif not (dialect.is_framed and _RULE.fullmatch(first)):
            yield Record(number, _reshaped(cells, dialect))
        ahead.drop(num_lines)
        number += num_lines


def _parse(ahead: _Ahead, first: str, dialect: Dialect) -> tuple[list[str], int]:
    """The cells of the record that begins with the line `first` and its number of lines, 0 when it has no end."""
    quote = dialect.quote
    if (quote is None or quote not in first) and dialect.escape is None:
        cells = first.rstrip("\n").split(dialect.delimiter)
        return ([cell.lstrip(" ") for cell in cells] if dialect.skips_space else cells), 1
    reader = csv.reader(ahead.from_first(), strict=True, **dialect.options())
    try:
        return next(reader), reader.line_num
    except csv.Error:
        if dialect.delimiter == _ONE_COLUMN:
            return [first.rstrip("\n")], 1
        if quote and first.count(quote) % 2:
            return [], 0
    # Quotation marks inside a cell that should have been doubled: read the one line as it stands.
    return next(csv.reader([first], **dialect.options())), 1


def _reshaped(cells: list[str], dialect: Dialect) -> list[str]:
    if dialect.is_framed:
        cells = [cell.strip() for cell in cells]
        return cells[1:-1] if len(cells) > 2 and not cells[0] and not cells[-1] else cells
    surplus = len(cells) - dialect.width
    if dialect.long_column is None or surplus <= 0:
        return cells
    column = dialect.long_column
    text = dialect.delimiter.join(cells[column : column + surplus + 1])
    return [*cells[:column], text, *cells[column + surplus + 1 :]]


def _unwrapped(line: str) -> str:
    body = line.rstrip("\n")
    if len(body) > 1 and body[0] == body[-1] == '"':
        return body[1:-1].replace('""', '"') + "\n"
    return line
