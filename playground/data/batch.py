"""Files of inputs for batch prediction, and the files of results."""

import csv
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from playground import settings
from playground.data.columns import input_columns, input_fields
from playground.data.reading import read_table
from playground.data.table import Table, columns_of
from playground.data.text import join_surrogates
from playground.errors import DataError, InputError
from playground.types import Row

# https://owasp.org/www-community/attacks/CSV_Injection, with the full-width forms that Excel takes too.
_FORMULA = re.compile(r"[=+\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")


def read_inputs(path: Path, task_name: str) -> list[Row]:
    """The rows of a file for prediction, in their order, with all their fields.

    The columns of the task's inputs get the names of its fields, whatever they are called in the file. A line
    that can't be read keeps its place as a row with empty inputs and the reason under "error".

    Raises:
        DataError: the file can't be read, or lacks a column for an input.
        InputError: an unknown task.
    """
    fields = input_fields(task_name)
    table = read_table(path, max_rows=settings.MAX_BATCH_ROWS, is_sampled=False)
    if task_name == "instruct" and "messages" in table.columns:
        fields, columns = ("messages",), {"messages": "messages"}
    else:
        columns = input_columns(table, task_name)
    missing = [name for name in fields if name not in columns]
    if missing:
        raise DataError(
            f"{table.name} has no column for {' and '.join(missing)}; {task_name} needs {' and '.join(fields)}. "
            f"Its columns are {', '.join(table.columns)}."
        )
    return _in_order(table, {column: name for name, column in columns.items()}, fields)


def write_rows(path: Path, rows: Iterable[Row], format: str) -> None:  # noqa: A002  the word that callers say
    """Writes `rows` as "jsonl" or "csv", in UTF-8.

    CSV has a byte order mark, because Excel takes it for Windows-1252 without; nested values are JSON text, and
    cells that a spreadsheet would run as a formula begin with an apostrophe.

    Raises:
        InputError: another format.
    """
    if format == "jsonl":
        lines = (join_surrogates(json.dumps(row, ensure_ascii=False)) + "\n" for row in rows)
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(lines)
    elif format == "csv":
        _write_csv(path, list(rows))
    else:
        raise InputError(f"Results can't be written as '{format}'; choose jsonl or csv.")


def _in_order(table: Table, names: dict[str, str], fields: tuple[str, ...]) -> list[Row]:
    placed: list[tuple[int, Row]] = [
        (line, _renamed(row, names, fields)) for line, row in zip(table.lines, table.rows, strict=True)
    ]
    for rejected in table.rejected:
        reason = f"line {rejected.line} {rejected.reason}"
        placed.append((rejected.line, {**dict.fromkeys(fields, ""), "error": reason}))
    return [row for _, row in sorted(placed, key=lambda pair: pair[0])]


def _renamed(row: Row, names: dict[str, str], fields: tuple[str, ...]) -> Row:
    renamed: Row = {}
    for key, value in row.items():
        if key in names:
            renamed[names[key]] = _as_input(value)
        else:
            renamed[f"original_{key}" if key in fields else key] = value
    return {**dict.fromkeys(fields, ""), **renamed}


def _as_input(value: Any) -> Any:
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) else value


def _write_csv(path: Path, rows: list[Row]) -> None:
    columns = columns_of(rows)
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([_safe_cell(column) for column in columns])
        writer.writerows([_safe_cell(row.get(column)) for column in columns] for row in rows)


def _safe_cell(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return join_surrogates(json.dumps(value, ensure_ascii=False))
    text = join_surrogates(value)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
