"""Any uploaded file as a table: what it holds decides how it is read, not what it is called."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from playground import settings
from playground.data.conll import looks_like_conll, read_conll
from playground.data.decoding import decode, file_bytes, refuse_foreign
from playground.data.delimited import looks_delimited, read_delimited
from playground.data.jsonrows import looks_like_jsonl, parse_json, read_json, read_jsonl
from playground.data.packed import is_parquet, is_xlsx, read_parquet, read_xlsx
from playground.data.table import Rejected, Table
from playground.errors import DataError

__all__ = ["SUFFIXES", "Rejected", "Table", "read_table"]

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".txt": "txt",
    ".text": "txt",
    ".conll": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".bio": "conll",
}
"""Format that a file name promises, by its suffix (before ``.gz``)."""

_ALSO_FINE = {("csv", "tsv"), ("tsv", "csv"), ("txt", "conll"), ("tsv", "conll"), ("json", "jsonl"), ("jsonl", "json")}


def read_table(path: Path, *, max_rows: int | None = None) -> Table:
    """The rows of CSV, TSV, JSONL, JSON, Parquet, XLSX, TXT or CoNLL, also gzipped, in any common encoding.

    Args:
        max_rows: read no more rows than this; ``settings.MAX_ROWS`` if None.

    Raises:
        DataError: no such file, too large, empty, only a header, no table at all, or no line that can be used.
    """
    path = Path(path)
    limit = settings.MAX_ROWS if max_rows is None else max_rows
    promised = _promised_format(path)
    data = file_bytes(path)
    if is_parquet(data):
        table = read_parquet(data, name=path.name, max_rows=limit)
    elif is_xlsx(data):
        table = read_xlsx(data, name=path.name, max_rows=limit)
    else:
        refuse_foreign(data, path.name)
        text, notes = decode(data, path.name)
        table = _read_text(text, promised, name=path.name, max_rows=limit)
        table = replace(table, notes=notes + table.notes)
    if not table.rows:
        raise DataError(f"{path.name} has no row that can be used{_first_reasons(table)}.")
    if promised and promised != table.format and (promised, table.format) not in _ALSO_FINE:
        table.notes.insert(
            0, f"{path.name} holds {table.format.upper()}, whatever its name says, and was read as that."
        )
    return table


def _promised_format(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def _read_text(text: str, promised: str | None, *, name: str, max_rows: int) -> Table:
    start = text.lstrip()[:15].lower()
    if start.startswith(("<!doctype html", "<html")):
        raise DataError(f"{name} is a web page; download the data itself, as CSV or JSON.")
    if start.startswith("<?xml"):
        raise DataError(f"{name} is XML; convert it to CSV, JSONL or JSON.")
    if start.startswith(("{", "[", '"')) or promised in {"json", "jsonl"}:
        table = _read_json_text(text, promised, name=name, max_rows=max_rows)
        if table:
            return table
    if looks_like_conll(text):
        return read_conll(text, name=name, max_rows=max_rows)
    if promised == "conll":
        raise DataError(f"{name} has no IOB tags; each line needs a token, a tab and a tag such as O, B-PER or I-PER.")
    if promised in {"csv", "tsv"} or looks_delimited(text, needs_known_names=promised == "txt"):
        return read_delimited(text, name=name, max_rows=max_rows)
    if promised in {"json", "jsonl"}:
        raise DataError(f"{name} is not JSON: {_json_error(text)}. Correct it, or save the data as CSV.")
    return _read_lines(text, name=name, max_rows=max_rows)


def _read_json_text(text: str, promised: str | None, *, name: str, max_rows: int) -> Table | None:
    """The table when `text` is JSON or JSON Lines, else None."""
    try:
        whole: Any = parse_json(text)
    except ValueError:
        whole = None
    # One object on one line of a JSON Lines file is one row, whatever lists it holds.
    is_one_row = promised == "jsonl" and isinstance(whole, dict) and "\n" not in text.strip()
    if isinstance(whole, list | dict) and not is_one_row:
        return read_json(whole, name=name, max_rows=max_rows)
    is_quoted_csv = promised in {"csv", "tsv", "txt"} and text.lstrip().startswith('"')
    if not is_quoted_csv and looks_like_jsonl(text, is_promised=promised == "jsonl"):
        return read_jsonl(text, name=name, max_rows=max_rows)
    start = text.lstrip()[:2]
    if start in {'{"', "[{"} or (promised in {"json", "jsonl"} and start[:1] in {"{", "["}):
        raise DataError(f"{name} is not JSON: {_json_error(text)}. Correct it there and upload it again.")
    return None


def _json_error(text: str) -> str:
    try:
        parse_json(text)
    except ValueError as err:
        return str(err)
    return "it is a single value"


def _read_lines(text: str, *, name: str, max_rows: int) -> Table:
    table = Table(["text"], [], [], [], "txt", [], name)
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if not line.strip():
            continue
        if len(table.rows) >= max_rows:
            table.notes.append(f"Only the first {max_rows:,} lines of {name} are used.")
            break
        table.rows.append({"text": line.strip()})
        table.lines.append(number)
    return table


def _first_reasons(table: Table) -> str:
    reasons = [f"line {rejected.line} {rejected.reason}" for rejected in table.rejected[:3]]
    return ": " + "; ".join(reasons) if reasons else ""
