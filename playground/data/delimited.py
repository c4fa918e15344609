"""CSV and its relatives, read line by line so that a broken row costs that row only."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from playground import settings
from playground.data.grid import Record, to_table
from playground.data.headers import is_known
from playground.data.table import Table

# The limit is one for the whole process, and its default of 128 KB a cell refuses long documents.
csv.field_size_limit(settings.MAX_UPLOAD_BYTES)

DELIMITERS = ",;\t|"
# No text file holds this separator, so every line is one cell.
_ONE_COLUMN = "\x1f"
_NUM_TRIED = 60
_UNCLOSED = "a quotation mark is opened on this line and never closed"


@dataclass(frozen=True)
class Dialect:
    delimiter: str
    skips_space: bool = False
    has_quotes: bool = True
    escape: str | None = None

    def options(self) -> dict[str, Any]:
        """Arguments of ``csv.reader``."""
        return {
            "delimiter": self.delimiter,
            "skipinitialspace": self.skips_space,
            "quoting": csv.QUOTE_MINIMAL if self.has_quotes else csv.QUOTE_NONE,
            "escapechar": self.escape,
        }


def read_delimited(text: str, *, name: str, max_rows: int) -> Table:
    """The table in CSV, TSV, or anything with ``;`` or ``|`` between the cells.

    Raises:
        DataError: there is nothing but a header.
    """
    lines, start, dialect = _prepared(text)
    file_format = "tsv" if dialect.delimiter == "\t" else "csv"
    return to_table(_records(lines, dialect, start), name=name, file_format=file_format, max_rows=max_rows)


def looks_delimited(text: str, *, needs_known_names: bool) -> bool:
    """Whether most lines of `text` have the same number of cells, two at least.

    Args:
        needs_known_names: ask for two column names that are known; prose has commas too.
    """
    lines, start, dialect = _prepared(text)
    if dialect.delimiter == _ONE_COLUMN:
        return False
    header = next((record.cells for record in _records(lines, dialect, start) if any(record.cells)), [])
    return not needs_known_names or sum(is_known(cell) for cell in header) >= 2


def _prepared(text: str) -> tuple[list[str], int, Dialect]:
    """The lines, the index of the first to read, and the dialect."""
    lines = list(io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n")))
    declared = lines[0].strip().lower() if lines else ""
    if declared.startswith("sep=") and len(declared) == 5:
        return lines, 1, Dialect(declared[-1])
    return lines, 0, _find_dialect(lines)


def _find_dialect(lines: list[str]) -> Dialect:
    best, best_fit = Dialect(_ONE_COLUMN), (0.5, 0)
    for delimiter in DELIMITERS:
        plain = Dialect(delimiter)
        variants = [plain, replace(plain, skips_space=True), replace(plain, escape="\\")]
        if delimiter == "\t":
            variants.append(replace(plain, has_quotes=False))
        for dialect in variants:
            fit = _fit(lines, dialect)
            if fit > best_fit:
                best, best_fit = dialect, fit
    return best


def _fit(lines: list[str], dialect: Dialect) -> tuple[float, int]:
    """The share of good rows among the first, and the number of columns."""
    records = list(islice((r for r in _records(lines, dialect) if r.problem or any(r.cells)), _NUM_TRIED))
    if not records or len(records[0].cells) < 2:
        return 0.0, 0
    width = len(records[0].cells)
    share = _share_of_width(records, width)
    num_known = sum(is_known(cell) for cell in records[0].cells)
    if num_known >= 2:
        return 1.0 + share, width
    if not num_known and share < 1.0 and dialect.delimiter == "," and _reads_like_prose(lines):
        return 0.0, 0
    return share, width


def _reads_like_prose(lines: list[str]) -> bool:
    """Whether nearly all commas are followed by a space, as in sentences."""
    sample = "".join(lines[:_NUM_TRIED])
    return sample.count(", ") > 0.9 * sample.count(",")


def _share_of_width(records: list[Record], width: int) -> float:
    if len(records) == 1:
        return 1.0
    return sum(not r.problem and len(r.cells) == width for r in records[1:]) / (len(records) - 1)


def _records(lines: list[str], dialect: Dialect, start: int = 0) -> Iterator[Record]:
    """All records from the line with index `start` on.

    A quotation mark that is never closed swallows lines up to the next one. Such a record is given up at its
    first line, and reading goes on at the second.
    """
    width = 0
    while start < len(lines):
        cells, num_lines = _parse(lines, start, dialect)
        width = width or len(cells)
        if num_lines == 0 or (num_lines > 1 and len(cells) != width):
            yield Record(start + 1, [lines[start].rstrip("\n")], _UNCLOSED)
            start += 1
        else:
            yield Record(start + 1, cells)
            start += num_lines


def _parse(lines: list[str], start: int, dialect: Dialect) -> tuple[list[str], int]:
    """The cells of the record that begins at `start` and its number of lines, 0 when it has no end."""
    reader = csv.reader((lines[i] for i in range(start, len(lines))), strict=True, **dialect.options())
    try:
        return next(reader), reader.line_num
    except csv.Error:
        if dialect.delimiter == _ONE_COLUMN:
            return [lines[start].rstrip("\n")], 1
        if lines[start].count('"') % 2:
            return [], 0
    # Quotation marks inside a cell that should have been doubled: read the one line as it stands.
    return next(csv.reader([lines[start]], **dialect.options())), 1
