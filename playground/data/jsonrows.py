"""JSON Lines and the shapes in which JSON files hold rows."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from playground.data.table import Rejected, Table, columns_of
from playground.data.text import describe_type, excerpt, join_surrogates
from playground.errors import DataError
from playground.types import Row

_NUM_TRIED = 20
_CONTAINERS = frozenset("data rows examples items records results train test dev validation".split())


class _Parsed(NamedTuple):
    line: int
    value: Any
    problem: str = ""
    raw: str = ""


def read_jsonl(text: str, *, name: str, max_rows: int) -> Table:
    """One object (or one string) per line; lines that are neither are rejected."""
    return _table(_parsed_lines(text), name=name, file_format="jsonl", max_rows=max_rows)


def read_json(value: Any, *, name: str, max_rows: int) -> Table:
    """A list of objects or strings, an object that holds one, columns, or SQuAD's articles and paragraphs.

    Raises:
        DataError: `value` has none of these shapes.
    """
    records = _records(value)
    if records is None:
        raise DataError(
            f"{name} is JSON, but holds no rows; it needs a list of objects such as "
            '[{"text": "...", "label": "..."}], one object per line, or {"data": [...]}.'
        )
    numbered = (_Parsed(i, record) for i, record in enumerate(records, 1))
    return _table(numbered, name=name, file_format="json", max_rows=max_rows)


def parse_json(text: str) -> Any:
    """`text` as JSON, with NaN and infinities as None and no lone surrogates.

    Raises:
        ValueError: `text` is not JSON, or nested too deeply.
    """
    try:
        value = json.loads(text, parse_constant=lambda _: None)
    except RecursionError as err:
        raise ValueError("it is nested too deeply") from err
    return _mended(value) if "\\ud" in text or "\\uD" in text else value


def looks_like_jsonl(text: str, *, is_promised: bool) -> bool:
    """Whether most of the first lines are JSON objects or strings, or one is where the file's name promises it."""
    head = list(islice(_parsed_lines(text), _NUM_TRIED))
    num_good = sum(isinstance(parsed.value, dict | str) for parsed in head)
    return num_good >= (1 if is_promised else max(1, len(head) / 2))


def _parsed_lines(text: str) -> Iterator[_Parsed]:
    for number, line in enumerate(text.replace("\r", "\n" if "\n" not in text else "").split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield _Parsed(number, parse_json(line))
        except ValueError as err:
            yield _Parsed(number, None, f"is not JSON ({str(err)[:100]})", excerpt(line))


def _table(parsed: Iterable[_Parsed], *, name: str, file_format: str, max_rows: int) -> Table:
    table = Table([], [], [], [], file_format, [], name)
    for line, value, problem, raw in parsed:
        if len(table.rows) >= max_rows:
            table.notes.append(f"Only the first {max_rows:,} rows of {name} are used.")
            break
        if problem:
            table.rejected.append(Rejected(line, problem, raw))
        elif isinstance(value, str | dict) and value:
            table.rows.append({"text": value} if isinstance(value, str) else _stripped(value))
            table.lines.append(line)
        else:
            what = "an empty object" if value in ({}, "") else describe_type(value)
            table.rejected.append(Rejected(line, f"is {what}, not an object with fields", excerpt(value)))
    table.columns.extend(columns_of(table.rows))
    return table


def _records(value: Any) -> list[Any] | None:
    if isinstance(value, list):
        return _squad_rows(value) if _is_squad(value) else value
    if not isinstance(value, dict) or not value:
        return None
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        return [_zipped(value["columns"], cells) for cells in value["data"]]
    lists = {key: inner for key, inner in value.items() if isinstance(inner, list)}
    for key, inner in lists.items():
        if (key in _CONTAINERS or len(value) == 1) and inner and isinstance(inner[0], dict):
            return _records(inner)
    if len(lists) == len(value):
        return _from_columns(lists)
    if all(isinstance(inner, dict) for inner in value.values()):
        return _from_columns({key: list(inner.values()) for key, inner in value.items()})
    return [value]


def _zipped(columns: list[Any], cells: Any) -> Any:
    if not isinstance(cells, list) or len(cells) != len(columns):
        return cells
    return dict(zip(map(str, columns), cells, strict=True))


def _from_columns(columns: dict[str, list[Any]]) -> list[Any] | None:
    if len({len(cells) for cells in columns.values()}) != 1:
        return None
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _is_squad(records: list[Any]) -> bool:
    return bool(records) and all(isinstance(r, dict) and isinstance(r.get("paragraphs"), list) for r in records)


def _squad_rows(articles: list[Row]) -> list[Any]:
    """SQuAD's nesting (https://arxiv.org/abs/1606.05250) as one row a question."""
    rows: list[Any] = []
    for article in articles:
        for paragraph in article["paragraphs"]:
            questions = paragraph.get("qas") if isinstance(paragraph, dict) else None
            if not isinstance(questions, list):
                rows.append(paragraph)
                continue
            context = {"context": paragraph.get("context")}
            rows += [context | question if isinstance(question, dict) else question for question in questions]
    return rows


def _stripped(row: Row) -> Row:
    return {key.strip(): value for key, value in row.items()}


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return join_surrogates(value)
    if isinstance(value, list):
        return [_mended(inner) for inner in value]
    if isinstance(value, dict):
        return {join_surrogates(key): _mended(inner) for key, inner in value.items()}
    return value
