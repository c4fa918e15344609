"""Records of cells, as delimited files and sheets give them, made into a table with named columns."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from playground.data.headers import is_known
from playground.data.table import Rejected, Table
from playground.data.text import HAS_NO_SPACES, excerpt
from playground.errors import DataError
from playground.types import Row

_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?%?")
_MAX_HEADER_CHARS = 60
_NUM_LOOKED_AT = 200
_ENDS = tuple(".!。！")


@dataclass(frozen=True)
class Record:
    line: int
    cells: list[Any]
    problem: str = ""
    """Why it can't be used, whatever its number of cells."""


def to_table(records: Iterable[Record], *, name: str, file_format: str, max_rows: int) -> Table:
    """`records` under the names in the first of them, or under made-up names when it holds values already.

    Records without any content are skipped, those with another number of cells than the header are rejected.

    Raises:
        DataError: there is nothing but a header.
    """
    stream = (record for record in records if record.problem or _has_content(record.cells))
    head = list(islice(stream, _NUM_LOOKED_AT))
    first = next((record for record in head if not record.problem), None)
    if first is None:
        raise DataError(f"{name} has no readable row{_first_problem(head)}.")
    body = [record for record in head if record is not first]
    notes: list[str] = []
    if _is_header(first.cells, [record.cells for record in body if not record.problem]):
        columns = _column_names(_trimmed(first.cells), notes)
    else:
        columns = ["text"] if len(first.cells) == 1 else [f"column_{i}" for i in range(1, len(first.cells) + 1)]
        body = head
        notes.append(f"{name} has no header line; its columns are called {', '.join(columns)}.")
    table = Table(columns, [], [], notes, file_format, [], name)
    _fill(table, chain(body, stream), max_rows)
    if not table.rows and not table.rejected:
        raise DataError(f"{name} has a header ({', '.join(columns)}) but no rows below it; add at least one row.")
    return table


def _fill(table: Table, records: Iterator[Record], max_rows: int) -> None:
    width = len(table.columns)
    for record in records:
        if len(table.rows) >= max_rows:
            table.notes.append(f"Only the first {max_rows:,} rows of {table.name} are used.")
            return
        cells = _trimmed(record.cells, width)
        problem = record.problem or _ragged(len(cells), width)
        if problem:
            table.rejected.append(Rejected(record.line, problem, excerpt(" | ".join(map(str, record.cells)))))
        else:
            table.rows.append(_row(table.columns, cells))
            table.lines.append(record.line)


def _row(columns: list[str], cells: list[Any]) -> Row:
    return dict(zip(columns, cells, strict=True))


def _ragged(num_cells: int, width: int) -> str:
    if num_cells == width:
        return ""
    return f"has {num_cells} cell{'s' * (num_cells != 1)} where the header has {width}"


def _is_header(cells: list[Any], rows: list[list[Any]]) -> bool:
    names = ["" if cell is None else str(cell).strip() for cell in _trimmed(cells)]
    num_known = sum(is_known(name) for name in names)
    if any(_recurs(name, i, rows) for i, name in enumerate(names)):
        return num_known >= min(2, len(names))
    if num_known:
        return True
    if any(len(name) > _MAX_HEADER_CHARS or _NUMBER.fullmatch(name) or name[-1:] in _ENDS for name in names):
        return False
    return len(names) > 1 or _is_lone_header(names[0], rows)


def _is_lone_header(name: str, rows: list[list[Any]]) -> bool:
    """Whether the unknown word above a single column is its header; a text taken for one would be lost."""
    lengths = [len(str(cells[0])) for cells in rows if cells]
    is_one_word = len(name.split()) == 1 and not HAS_NO_SPACES.search(name)
    return not lengths or (is_one_word and sum(lengths) / len(lengths) >= 3 * len(name))


def _recurs(name: str, i: int, rows: list[list[Any]]) -> bool:
    return bool(name) and any(len(cells) > i and str(cells[i]).strip() == name for cells in rows)


def _column_names(cells: list[Any], notes: list[str]) -> list[str]:
    columns: list[str] = []
    for i, cell in enumerate(cells, 1):
        name = " ".join(str(cell if cell is not None else "").replace("\ufeff", "").split()) or f"column_{i}"
        if name in columns:
            numbered = next(f"{name}_{n}" for n in range(2, len(cells) + 2) if f"{name}_{n}" not in columns)
            notes.append(f"Two columns are called '{name}'; the later one is now '{numbered}'.")
            name = numbered
        columns.append(name)
    return columns


def _trimmed(cells: list[Any], width: int = 0) -> list[Any]:
    """`cells` without empty ones at the end, down to `width`: spreadsheets append them."""
    end = len(cells)
    while end > width and not _has_content(cells[end - 1 : end]):
        end -= 1
    return cells[:end]


def _has_content(cells: list[Any]) -> bool:
    return any(cell is not None and str(cell).strip() for cell in cells)


def _first_problem(records: list[Record]) -> str:
    return f": line {records[0].line}: {records[0].problem}" if records else ""
