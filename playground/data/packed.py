"""Parquet and XLSX, the two binary table formats."""

import io
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any
from xml.etree.ElementTree import ParseError

import openpyxl
import polars as pl
from openpyxl.utils.exceptions import InvalidFileException

from playground.data.decoding import MAX_UNPACKED_BYTES
from playground.data.grid import Record, to_table
from playground.data.table import Table
from playground.data.text import join_surrogates
from playground.errors import DataError
from playground.types import Row

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


def is_parquet(data: bytes) -> bool:
    return data.startswith(b"PAR1")


def is_xlsx(data: bytes) -> bool:
    """Whether `data` is a ZIP archive with a workbook in it."""
    return data.startswith(b"PK\x03\x04") and b"xl/" in data


def read_parquet(data: bytes, *, name: str, max_rows: int) -> Table:
    """The table, with the names of Hugging Face class labels instead of their numbers.

    Raises:
        DataError: damaged, incomplete or without rows.
    """
    try:
        frame = pl.read_parquet(io.BytesIO(data), n_rows=max_rows + 1)
        metadata = pl.read_parquet_metadata(io.BytesIO(data))
        rows = frame.to_dicts()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as err:
        raise DataError(f"{name} is a damaged or incomplete Parquet file; write it again.") from err
    if not rows:
        raise DataError(f"{name} has columns ({', '.join(frame.columns)}) but no rows; add at least one row.")
    notes = [f"Only the first {max_rows:,} rows of {name} are used."] if len(rows) > max_rows else []
    names = _class_names(metadata.get("huggingface"))
    plain = [_plain_row(row, names) for row in rows[:max_rows]]
    return Table(list(frame.columns), plain, [], notes, "parquet", list(range(1, len(plain) + 1)), name)


def read_xlsx(data: bytes, *, name: str, max_rows: int) -> Table:
    """The first sheet that has anything in it.

    Raises:
        DataError: damaged, too large when unpacked, or without rows.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size_bytes = sum(info.file_size for info in archive.infolist())
        is_too_large = size_bytes > MAX_UNPACKED_BYTES
        title, records, num_sheets = ("", [], 0) if is_too_large else _first_sheet(data, max_rows)
    except _XLSX_ERRORS as err:
        raise DataError(f"{name} is a damaged or incomplete XLSX file; save it again or as CSV.") from err
    if is_too_large:
        raise DataError(f"{name} unpacks to {size_bytes / 1024 / 1024:.0f} MB, which is too much; save it as CSV.")
    if not records:
        raise DataError(f"{name} has no cells with content; upload a sheet with at least one row.")
    table = to_table(records, name=name, file_format="xlsx", max_rows=max_rows)
    if num_sheets > 1:
        table.notes.append(f"{name} has {num_sheets} sheets; '{title}' is used.")
    return table


def _first_sheet(data: bytes, max_rows: int) -> tuple[str, list[Record], int]:
    """Title and records of the first sheet with content, and the number of sheets."""
    workbook = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    for sheet in workbook.worksheets:
        # Some programs write a wrong size of the sheet, which hides all rows but the first.
        sheet.reset_dimensions()
        # One row is the header, and one more tells that there are more than `max_rows`.
        records = list(islice(_sheet_records(sheet), max_rows + 2))
        if records:
            width = max(len(record.cells) for record in records)
            padded = [replace(one, cells=one.cells + [None] * (width - len(one.cells))) for one in records]
            return sheet.title, padded, len(workbook.worksheets)
    return "", [], len(workbook.worksheets)


def _sheet_records(sheet: Any) -> Iterator[Record]:
    for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
        cells = [_plain(value) for value in values]
        while cells and cells[-1] in (None, ""):
            cells.pop()
        if cells:
            yield Record(number, cells)


def _class_names(metadata: str | None) -> dict[str, list[str]]:
    """Label names by column from what the ``datasets`` library writes into Parquet files."""
    try:
        features = json.loads(metadata or "{}")["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    names = {}
    for column, feature in features.items() if isinstance(features, dict) else ():
        for kind in (feature, feature.get("feature") if isinstance(feature, dict) else None):
            if isinstance(kind, dict) and isinstance(kind.get("names"), list):
                names[column] = [str(label) for label in kind["names"]]
    return names


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
