"""Parquet and XLSX, the two binary table formats."""

import json
import math
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import ParseError

import openpyxl
import polars as pl
from openpyxl.utils.exceptions import InvalidFileException

from playground import settings
from playground.data.gathering import MAX_SAMPLE_CHARS, SEED
from playground.data.grid import Record, to_reading
from playground.data.table import Entry, Reading
from playground.data.text import join_surrogates
from playground.data.unpacking import first_bytes
from playground.errors import DataError
from playground.types import Row

MAX_WORKBOOK_BYTES = settings.MAX_UPLOAD_BYTES
"""Unpacked; openpyxl holds all texts of a workbook in memory."""

_MAX_WHOLE_WORKBOOK_BYTES = 5 * 1024 * 1024
_NUM_SHEET_ROWS = 100
_NUM_WEIGHED = 1000
_ROWS_AT_ONCE = 20_000
_INDEX = "__row__"
_ERROR_CELLS = frozenset("#REF! #N/A #VALUE! #DIV/0! #NAME? #NULL! #NUM! #SPILL! #CALC!".split())
_PARQUET_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)
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


def is_parquet(path: Path) -> bool:
    return first_bytes(path, 4) == b"PAR1"


def read_parquet(path: Path, *, name: str, is_sampled: bool) -> Reading:
    """The rows, with the names of Hugging Face class labels instead of their numbers.

    Args:
        is_sampled: only a random sample of a file of more rows than memory should hold.

    Raises:
        DataError: damaged, incomplete or without rows.
    """
    try:
        lazy = pl.scan_parquet(path)
        metadata = pl.read_parquet_metadata(path)
        columns = lazy.collect_schema().names()
        num_rows = int(lazy.select(pl.len()).collect().item())
        places = _drawn(num_rows, _affordable(lazy)) if is_sampled else range(num_rows)
        entries = _parquet_rows(lazy, places, _class_names(metadata.get("huggingface")))
        first = list(islice(entries, 1))
    except _PARQUET_ERRORS as err:
        raise DataError(f"{name} is a damaged or incomplete Parquet file; write it again.") from err
    if not num_rows:
        raise DataError(f"{name} has columns ({', '.join(columns)}) but no rows; add at least one row.")
    return Reading("parquet", chain(first, entries), columns, [], num_rows if is_sampled else None)


def _affordable(lazy: pl.LazyFrame) -> int:
    """How many rows may be held, by the size of the first ones."""
    head = lazy.head(_NUM_WEIGHED).collect()
    row_chars = max(head.estimated_size() / max(head.height, 1), 1)
    return max(min(settings.MAX_SAMPLE_ROWS, int(MAX_SAMPLE_CHARS / row_chars)), 1)


def _drawn(num_rows: int, num_wanted: int) -> Sequence[int]:
    """Numbers of the rows to read, from 0: all, or a random sample of the whole file."""
    if num_rows <= num_wanted:
        return range(num_rows)
    return sorted(random.Random(SEED).sample(range(num_rows), num_wanted))


def _parquet_rows(lazy: pl.LazyFrame, places: Sequence[int], names: dict[str, list[str]]) -> Iterator[Entry]:
    """Rows a part of the file at a time, so that only one part is held beside what is made of it."""
    for start in range(0, len(places), _ROWS_AT_ONCE):
        wanted = places[start : start + _ROWS_AT_ONCE]
        first, length = wanted[0], wanted[-1] - wanted[0] + 1
        part = lazy.slice(first, length)
        if length > len(wanted):
            inside = pl.Series([place - first for place in wanted], dtype=pl.UInt32)
            part = part.with_row_index(_INDEX).filter(pl.col(_INDEX).is_in(inside.implode())).drop(_INDEX)
        rows = part.collect(engine="streaming").iter_rows(named=True)
        for place, row in zip(wanted, rows, strict=True):
            yield place + 1, _plain_row(row, names)


def read_xlsx(path: Path, *, name: str) -> Reading:
    """The rows of the first sheet that has a table in it; hidden sheets don't count unless there is no other.

    Raises:
        DataError: damaged, too large when unpacked, or without rows.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size_bytes = sum(info.file_size for info in archive.infolist())
        is_too_large = size_bytes > MAX_WORKBOOK_BYTES
        found = None if is_too_large else _chosen_sheet(path, size_bytes)
    except _XLSX_ERRORS as err:
        raise DataError(f"{name} is a damaged or incomplete XLSX file; save it again or as CSV.") from err
    if is_too_large:
        raise DataError(f"{name} unpacks to {size_bytes / 1024 / 1024:.0f} MB, which is too much; save it as CSV.")
    if found is None:
        raise DataError(f"{name} has no cells with content; upload a sheet with at least one row.")
    reading = to_reading(_whole(found.records, name), name=name, file_format="xlsx")
    if found.others:
        others = f", {_quoted(found.others)} {'is' if len(found.others) == 1 else 'are'} not"
        reading.notes.append(f"{name} has several sheets; '{found.title}' is used{others}.")
    return reading


def _whole(records: Iterator[Record], name: str) -> Iterator[Record]:
    """`records`, with damage in the middle of the sheet said in words."""
    try:
        yield from records
    except _XLSX_ERRORS as err:
        raise DataError(f"{name} is a damaged or incomplete XLSX file; save it again or as CSV.") from err


@dataclass(frozen=True)
class _Sheet:
    title: str
    records: Iterator[Record]
    others: list[str]
    """Titles of the other sheets."""


def _chosen_sheet(path: Path, size_bytes: int) -> _Sheet | None:
    # Only a workbook that is read as a whole tells which cells are merged.
    is_small = size_bytes <= _MAX_WHOLE_WORKBOOK_BYTES
    # openpyxl wants to know a file by its name, which an unpacked one has not; the rows close it when they end.
    stream = path.open("rb")
    workbook = openpyxl.load_workbook(stream, read_only=not is_small, data_only=True)
    found: list[tuple[tuple[bool, bool], str, Any]] = []
    for sheet in workbook.worksheets:
        if not is_small:
            # Some programs write a wrong size of the sheet, which hides all rows but the first.
            sheet.reset_dimensions()
        head = list(islice(_sheet_records(sheet), _NUM_SHEET_ROWS))
        if head:
            is_table = len(head) > 1 and any(_num_filled(record) > 1 for record in head)
            is_list = len(head) > 2
            found.append(((sheet.sheet_state == "visible", is_table or is_list), sheet.title, sheet))
    if not found:
        stream.close()
        return None
    best = max(found, key=lambda one: one[0])
    others = [sheet.title for sheet in workbook.worksheets if sheet is not best[2]]
    return _Sheet(best[1], _padded(best[2], stream), others)


def _padded(sheet: Any, stream: IO[bytes]) -> Iterator[Record]:
    """Records as wide as the widest of the first, without columns on the left that are empty in all of them."""
    with stream:
        yield from _aligned(sheet)


def _aligned(sheet: Any) -> Iterator[Record]:
    head = list(islice(_sheet_records(sheet), _NUM_SHEET_ROWS))
    width = max(len(record.cells) for record in head)
    margin = min(next(i for i, cell in enumerate(record.cells) if not _is_empty(cell)) for record in head)
    for record in _sheet_records(sheet):
        cells = record.cells + [None] * (width - len(record.cells))
        is_out = any(not _is_empty(cell) for cell in cells[:margin])
        yield replace(record, cells=cells if is_out else cells[margin:])


def _sheet_records(sheet: Any) -> Iterator[Record]:
    merged = _merged_downwards(sheet)
    for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
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
    return _plain(value)


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _num_filled(record: Record) -> int:
    return sum(not _is_empty(cell) for cell in record.cells)


def _quoted(titles: list[str]) -> str:
    more = f" and {len(titles) - 3} more" if len(titles) > 3 else ""
    return ", ".join(f"'{title}'" for title in titles[:3]) + more


def _class_names(metadata: str | None) -> dict[str, list[str]]:
    """Label names by column from what the ``datasets`` library writes into Parquet files."""
    try:
        features = json.loads(metadata or "{}")["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    names = {}
    for column, feature in features.items() if isinstance(features, dict) else ():
        for kind in _kinds(feature):
            if isinstance(kind, dict) and isinstance(kind.get("names"), list):
                names[column] = [str(label) for label in kind["names"]]
    return names


def _kinds(feature: Any) -> Iterator[Any]:
    """`feature` and what it is a list of, in each way in which ``datasets`` has written lists."""
    yield feature
    if isinstance(feature, list) and feature:
        yield feature[0]
    elif isinstance(feature, dict):
        yield feature.get("feature")


def _plain_row(row: Row, names: dict[str, list[str]]) -> Row:
    return {key: _named(_plain(value), names[key]) if key in names else _plain(value) for key, value in row.items()}


def _named(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        return [_named(inner, names) for inner in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else value


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if isinstance(value, str):
        return join_surrogates(value)
    if isinstance(value, float | Decimal):
        number = float(value)
        return (int(number) if number.is_integer() else number) if math.isfinite(number) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return value
