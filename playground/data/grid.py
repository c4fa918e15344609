"""Records of cells, as delimited files and sheets give them, made into rows with named columns."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from playground.data.gathering import beginning, num_chars
from playground.data.headers import is_known, normal_name
from playground.data.table import Entry, Reading, Rejected
from playground.data.text import HAS_NO_SPACES, excerpt
from playground.errors import DataError
from playground.types import Row

MAX_TITLE_LINES = 8
"""Lines of a title above the header."""
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?%?")
_INVISIBLE = re.compile("[\ufeff\u200b\u200e\u200f\u2060]")
_MAX_HEADER_CHARS = 60
_NUM_LOOKED_AT = 200
_NUM_TO_DIFFER = 6
"""Cells below the first line from which they may tell that it is a header."""
_MAX_NAME_CHARS = 120
"""Of a column; longer names are shortened."""
_ENDS = tuple(".!?。！？")
_NUM_LAST = 5
_TOTALS = frozenset(
    "total|totals|sum|subtotal|grand total|average|mean|count|summe|gesamt|gesamtsumme|durchschnitt|mittelwert|anzahl"
    "|somme|moyenne|suma|promedio|media|soma|totale|totaal|gemiddelde|razem|итого|всего|среднее|toplam|ortalama"
    "|مجموع|إجمالي|合計|総計|平均|总计|合计|合計|평균|합계|कुल|รวม|tổng".split("|")
)


@dataclass(frozen=True)
class Record:
    line: int
    cells: list[Any]
    problem: str = ""
    """Why it can't be used, whatever its number of cells."""


def to_reading(records: Iterable[Record], *, name: str, file_format: str) -> Reading:
    """`records` under the names in the first of them, or under made-up names when it holds values already.

    A title above the header and a line of totals below the rows are left out, with a note. Records without any content
    are skipped, those with another number of cells than the header are rejected.

    Raises:
        DataError: there is nothing but a header.
    """
    stream = (record for record in records if record.problem or _has_content(record.cells))
    head = beginning(stream, _NUM_LOOKED_AT, lambda record: num_chars(record.cells))
    notes: list[str] = []
    body = _below_title(head, name, notes)
    first = next((record for record in body if not record.problem), None)
    if first is None:
        raise DataError(f"{name} has no readable row{_first_problem(head)}.")
    rest = [record for record in body if record is not first]
    others = [record.cells for record in rest if not record.problem]
    if _is_header(first.cells, others):
        body = rest
        names = _trimmed(first.cells)
        if others and _has_row_names(names, others):
            names = [None, *names]
        columns = _column_names(names, notes)
    else:
        columns = ["text"] if len(first.cells) == 1 else [f"column_{i}" for i in range(1, len(first.cells) + 1)]
        notes.append(f"{name} has no header line; its columns are called {', '.join(columns)}.")
    if not body:
        raise DataError(f"{name} has a header ({', '.join(columns)}) but no rows below it; add at least one row.")
    header = _trimmed(first.cells) if body is rest else None
    entries = _entries(columns, _without_totals(chain(body, stream), notes), header)
    return Reading(file_format, entries, columns, notes)


def _below_title(head: list[Record], name: str, notes: list[str]) -> list[Record]:
    """`head` from the header on: a title fills one cell where the rows have more, and names no column."""
    good = [record for record in head if not record.problem]
    usual = Counter(_num_filled(record.cells) for record in good).most_common(1)
    if not usual or len(good) < 2:
        return head
    start = 0
    for place, record in enumerate(good[: MAX_TITLE_LINES + 1]):
        if _num_filled(record.cells) > 1 or usual[0][0] < 2 or _num_known(record.cells):
            start = place
            break
    start = _second_header(good, start)
    if not start:
        return head
    above = [
        excerpt(" ".join(str(cell) for cell in record.cells if _has_content([cell])), 60) for record in good[:start]
    ]
    notes.append(f"The lines above the header of {name} were left out: {'; '.join(above)}.")
    return head[head.index(good[start]) :]


def _second_header(good: list[Record], start: int) -> int:
    """Where a line of names follows one of groups of columns or of other words, the index of that line."""
    here = good[start].cells
    for place in range(start + 1, min(start + 4, len(good))):
        names = _trimmed(good[place].cells)
        if len(names) >= 2 and all(map(_is_name, names)) and _num_known(names) >= max(2, _num_known(here) + 1):
            return place
    return start


def _entries(columns: list[str], records: Iterable[Record], header: list[Any] | None) -> Iterator[Entry]:
    width = len(columns)
    for record in records:
        cells = _trimmed(record.cells, width)
        problem = record.problem or _ragged(len(cells), width)
        if header and len(header) > 1 and _trimmed(cells) == header:
            problem = "repeats the header"  # files that were put one behind the other
        if problem:
            yield Rejected(record.line, problem, excerpt(" | ".join(map(str, record.cells))))
        else:
            yield record.line, _row(columns, cells)


def _without_totals(records: Iterable[Record], notes: list[str]) -> Iterator[Record]:
    """`records` without a line of totals among the last."""
    last: list[Record] = []
    for record in records:
        last.append(record)
        if len(last) > _NUM_LAST:
            yield last.pop(0)
    for record in last:
        if _is_total(record.cells):
            notes.append(f"Line {record.line} holds totals and was left out: {excerpt(_joined(record.cells), 60)}.")
        else:
            yield record


def _is_total(cells: list[Any]) -> bool:
    filled = [str(cell).strip() for cell in cells if _has_content([cell])]
    if len(filled) < 2 or normal_name(filled[0]) not in _TOTALS:
        return False
    return all(_NUMBER.fullmatch(cell) for cell in filled[1:])


def _row(columns: list[str], cells: list[Any]) -> Row:
    return dict(zip(columns, cells, strict=True))


def _ragged(num_cells: int, width: int) -> str:
    if num_cells == width:
        return ""
    return f"has {num_cells} cell{'s' * (num_cells != 1)} where the header has {width}"


def _is_header(cells: list[Any], rows: list[list[Any]]) -> bool:
    names = ["" if cell is None else str(cell).strip() for cell in _trimmed(cells)]
    num_known = _num_known(names)
    if any(_recurs(name, i, rows) for i, name in enumerate(names)):
        return num_known >= min(2, len(names))
    if num_known or _differs(names, rows):
        return True
    if not all(map(_is_name, names)):
        return False
    if len(names) > 1:
        return not _are_values(names, rows)
    return _is_lone_header(names[0], rows)


def _differs(names: list[str], rows: list[list[Any]]) -> bool:
    """Whether the first line, however long, is unlike what is below it: a word above numbers or words that come back.

    So are the questions of a survey above its answers.
    """
    for i, name in enumerate(names):
        below = [str(cells[i]).strip() for cells in rows if len(cells) > i and _has_content([cells[i]])]
        if len(below) < _NUM_TO_DIFFER or len(names) < 2 or not any(map(str.isalpha, name)):
            continue
        if all(map(_NUMBER.fullmatch, below)):
            return True
        # A word or two may be the only one of a rare label.
        is_long = len(name.split()) > 2 and all(len(text) < len(name) for text in below)
        if is_long and len(set(below)) <= len(below) // 3:
            return True
    return False


def _is_name(cell: Any) -> bool:
    name = "" if cell is None else str(cell).strip()
    return len(name) <= _MAX_HEADER_CHARS and not _NUMBER.fullmatch(name) and name[-1:] not in _ENDS


def _are_values(names: list[str], rows: list[list[Any]]) -> bool:
    """Whether unknown words in the first line look like the cells below: a text of some words in each of them."""
    texts = [(name, [str(cells[i]) for cells in rows if len(cells) > i]) for i, name in enumerate(names)]
    similar = [_is_like(name, below) for name, below in texts if below]
    return bool(similar) and all(similar)


def _is_like(name: str, below: list[str]) -> bool:
    lengths = sorted(len(text.split()) for text in below)
    usual = lengths[len(lengths) // 2]
    return len(name.split()) > 1 and abs(len(name.split()) - usual) <= max(2, usual // 2)


def _is_lone_header(name: str, rows: list[list[Any]]) -> bool:
    """Whether the unknown word above a single column is its header; a text taken for one would be lost."""
    lengths = [len(str(cells[0])) for cells in rows if cells]
    is_one_word = len(name.split()) == 1 and not HAS_NO_SPACES.search(name)
    return not lengths or (is_one_word and sum(lengths) / len(lengths) >= 3 * len(name))


def _has_row_names(names: list[Any], rows: list[list[Any]]) -> bool:
    """Whether the rows have one more cell than the header, in front: how R writes tables."""
    longer = [cells for cells in rows if len(_trimmed(cells)) == len(names) + 1]
    numbered = sum(str(cells[0]).strip().isdecimal() for cells in longer)
    return len(longer) > 0.9 * len(rows) and numbered == len(longer)


def _num_known(cells: list[Any]) -> int:
    return sum(is_known(str(cell)) for cell in cells if cell is not None)


def _num_filled(cells: list[Any]) -> int:
    return sum(_has_content([cell]) for cell in cells)


def _recurs(name: str, i: int, rows: list[list[Any]]) -> bool:
    return bool(name) and any(len(cells) > i and str(cells[i]).strip() == name for cells in rows)


def _column_names(cells: list[Any], notes: list[str]) -> list[str]:
    columns: list[str] = []
    for i, cell in enumerate(cells, 1):
        # A name that begins with "=" would be taken for a value, see `ColumnMap`.
        plain = " ".join(_INVISIBLE.sub("", str(cell if cell is not None else "")).split()).lstrip("=")
        name = excerpt(plain.removeprefix("# ").strip("\"'“”‘’`* "), _MAX_NAME_CHARS) or f"column_{i}"
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


def _joined(cells: list[Any]) -> str:
    return " | ".join(str(cell) for cell in cells)


def _first_problem(records: list[Record]) -> str:
    return f": line {records[0].line}: {records[0].problem}" if records else ""
