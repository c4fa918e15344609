"""XLSX workbooks, read sheet by sheet and row by row."""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, time
from itertools import islice
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils import column_index_from_string
from openpyxl.utils.escape import unescape
from openpyxl.utils.exceptions import InvalidFileException

from playground import settings
from playground.data.cells import plain_value
from playground.data.grid import Record, to_reading
from playground.data.table import Entry, Reading, chained
from playground.data.text import HAS_NO_SPACES
from playground.errors import DataError

MAX_WORKBOOK_BYTES = settings.MAX_UPLOAD_BYTES
"""Unpacked; openpyxl holds all texts of a workbook in memory."""

_MAX_WHOLE_WORKBOOK_BYTES = 5 * 1024 * 1024
_MAX_WHOLE_CELLS = 2_000_000
_MAX_ROWS = 1 << 20
"""Of a sheet, https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3."""
_NUM_SHEET_ROWS = 100
_REFERENCE = re.compile(rb"""\br(?:ef)?\s*=\s*["']([A-Z]*)(\d+)(?::([A-Z]+)(\d+))?["']""")
"""Where a row, a cell or a range of cells lies, as in r="B7" or ref="A1:C3"."""
_BARE_FORMULA = re.compile(rb"</f>\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>")
_ERROR_CELLS = frozenset("#REF! #N/A #VALUE! #DIV/0! #NAME? #NULL! #NUM! #SPILL! #CALC!".split())
# What openpyxl and zipfile let through from damaged archives, found by damaging some.
_XLSX_ERRORS = (
    zipfile.BadZipFile,
    InvalidFileException,
    ParseError,
    zlib.error,
    struct.error,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read_xlsx(path: Path, *, name: str) -> Reading:
    """The rows of the first sheet that has a table with texts in it, else of the first that has a table, and of those
    that have the same columns.

    Hidden sheets don't count unless there is no other.

    Raises:
        DataError: damaged, too large when unpacked, or without rows.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size_bytes = sum(info.file_size for info in archive.infolist())
            is_small = size_bytes <= _MAX_WHOLE_WORKBOOK_BYTES and _num_cells(archive) <= _MAX_WHOLE_CELLS
        is_too_large = size_bytes > MAX_WORKBOOK_BYTES
        found = None if is_too_large else _chosen_sheets(path, is_whole=is_small)
    except _XLSX_ERRORS as err:
        raise DataError(f"{name} is a damaged or incomplete XLSX file; save it again or as CSV.") from err
    if is_too_large:
        raise DataError(f"{name} unpacks to {size_bytes / 1024 / 1024:.0f} MB, which is too much; save it as CSV.")
    if found is None:
        raise DataError(f"{name} has no cells with content; upload a sheet with at least one row.")
    try:
        reading = _joined(found, name)
    except DataError:
        found.stream.close()
        raise
    if is_small and _has_formulas_only(path):
        reading.notes.append(
            f"Formulas in {name} have no result saved beside them and count as empty cells; open it in Excel or "
            "LibreOffice, save it there and upload it again."
        )
    return reading


def _joined(found: "_Sheets", name: str) -> Reading:
    """The rows of the best sheet, and of those like it that have its columns."""
    best = to_reading(_whole(found.tables[found.best], name), name=name, file_format="xlsx")
    used: dict[str, Reading] = {}
    for title, records in found.tables.items():
        with suppress(DataError):  # a header without rows
            one = best if title == found.best else to_reading(_whole(records, name), name=name, file_format="xlsx")
            if one.columns == best.columns:
                used[title] = one
    unused = [title for title in found.titles if title not in used]
    if len(used) > 1:
        best.notes.append(f"Rows come from {len(used)} sheets of {name}, {_quoted([*used])}; lines count through them.")
    if unused:
        which = "those" if len(used) > 1 else f"'{found.best}'"
        others = f"{_quoted(unused)} {'is' if len(unused) == 1 else 'are'} not"
        best.notes.append(f"{name} has several sheets; {which} {'are' if len(used) > 1 else 'is'} used, {others}.")
    return replace(best, entries=_closing(found.stream, chained([*used.values()])))


def _closing(stream: IO[bytes], entries: Iterator[Entry]) -> Iterator[Entry]:
    with stream:
        yield from entries


def _has_formulas_only(path: Path) -> bool:
    """Whether a cell holds a formula and no result, as programs leave it that write workbooks but don't calculate."""
    with zipfile.ZipFile(path) as archive:
        sheets = (archive.read(name) for name in archive.namelist() if "worksheets/" in name)
        return any(_BARE_FORMULA.search(xml) for xml in sheets)


def _whole(records: Iterator[Record], name: str) -> Iterator[Record]:
    """`records`, with damage in the middle of the sheet said in words."""
    try:
        yield from records
    except _XLSX_ERRORS as err:
        raise DataError(f"{name} is a damaged or incomplete XLSX file; save it again or as CSV.") from err


@dataclass(frozen=True)
class _Sheets:
    stream: IO[bytes]
    best: str
    """Title of the one to read."""
    tables: dict[str, Iterator[Record]]
    """Records of the best sheet and those that look as good, by title, in their order."""
    titles: list[str]
    """Of all sheets."""


def _num_cells(archive: zipfile.ZipFile) -> float:
    """At most so many cells are made of the sheets when they are read as a whole: up to the last one, used or not."""
    most = 0.0
    for info in archive.infolist():
        xml = archive.read(info)
        if b"sheetData" not in xml.replace(b"\0", b""):
            continue
        if b"&#" in xml or b"<!" in xml or b"\0" in xml:
            return float("inf")  # references may be written in ways that are not seen here
        merged = last_row = last_column = 0
        for left, top, right, bottom in _REFERENCE.findall(xml):
            first = column_index_from_string(left.decode()) if left else 1
            last = column_index_from_string(right.decode()) if right else first
            merged += (last - first + 1) * (int(bottom or top) - int(top) + 1) if right else 0
            last_row, last_column = max(last_row, int(bottom or top)), max(last_column, last)
        most = max(most, merged + last_row * last_column)
    return most


def _chosen_sheets(path: Path, *, is_whole: bool) -> _Sheets | None:
    """Only a workbook that is read as a whole tells which cells are merged."""
    # openpyxl wants to know a file by its name, which an unpacked one has not.
    stream = path.open("rb")
    workbook = openpyxl.load_workbook(stream, read_only=not is_whole, data_only=True)
    ranks: dict[str, tuple[bool, bool, bool]] = {}
    for sheet in workbook.worksheets:
        if not is_whole:
            # Some programs write a wrong size of the sheet, which hides all rows but the first.
            sheet.reset_dimensions()
        head = list(islice(_sheet_records(sheet), _NUM_SHEET_ROWS))
        if head:
            is_table = len(head) > 1 and any(_num_filled(record) > 1 for record in head)
            is_list = len(head) > 2
            ranks[sheet.title] = (sheet.sheet_state == "visible", is_table or is_list, _has_texts(head))
    if not ranks:
        stream.close()
        return None
    best = max(ranks, key=lambda title: ranks[title])
    tables = {title: _padded(workbook[title]) for title, rank in ranks.items() if rank == ranks[best]}
    return _Sheets(stream, best, tables, [sheet.title for sheet in workbook.worksheets])


def _has_texts(head: list[Record]) -> bool:
    """Whether most rows below the first have a cell with several words, unlike tables of sums and codes."""
    below = [record.cells for record in head[1:]]
    return sum(any(map(_is_prose, cells)) for cells in below) > len(below) / 2


def _is_prose(cell: Any) -> bool:
    return isinstance(cell, str) and (len(cell.split()) > 2 or HAS_NO_SPACES.search(cell) is not None)


def _padded(sheet: Any) -> Iterator[Record]:
    """Records as wide as the widest of the first, without columns on the left that are empty in all of them."""
    head = list(islice(_sheet_records(sheet), _NUM_SHEET_ROWS))
    width = max(len(record.cells) for record in head)
    margin = min(next(i for i, cell in enumerate(record.cells) if not _is_empty(cell)) for record in head)
    for record in _sheet_records(sheet):
        cells = record.cells + [None] * (width - len(record.cells))
        is_out = any(not _is_empty(cell) for cell in cells[:margin])
        yield replace(record, cells=cells if is_out else cells[margin:])


def _sheet_records(sheet: Any) -> Iterator[Record]:
    merged = _merged_downwards(sheet)
    for number, values in enumerate(islice(sheet.iter_rows(values_only=True), _MAX_ROWS), 1):
        cells = [_plain_cell(value) for value in values]
        for column, value in merged.get(number, ()):
            cells[column] = _plain_cell(value)
        while cells and _is_empty(cells[-1]):
            cells.pop()
        if cells:
            yield Record(number, cells)


def _merged_downwards(sheet: Any) -> dict[int, list[tuple[int, Any]]]:
    """Columns and values of the cells that belong to a cell above them, by row."""
    found: dict[int, list[tuple[int, Any]]] = {}
    ranges = getattr(sheet, "merged_cells", None)
    for area in ranges.ranges if ranges else ():
        value = sheet.cell(area.min_row, area.min_col).value
        for row in range(area.min_row + 1, area.max_row + 1):
            found.setdefault(row, []).append((area.min_col - 1, value))
    return found


def _plain_cell(value: Any) -> Any:
    if isinstance(value, str) and value.strip() in _ERROR_CELLS:
        return None
    if isinstance(value, datetime) and value.time() == time(0):
        return value.date().isoformat()
    return plain_value(unescape(value) if isinstance(value, str) else value)


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _num_filled(record: Record) -> int:
    return sum(not _is_empty(cell) for cell in record.cells)


def _quoted(titles: list[str]) -> str:
    more = f" and {len(titles) - 3} more" if len(titles) > 3 else ""
    return ", ".join(f"'{title}'" for title in titles[:3]) + more
