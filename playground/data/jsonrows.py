"""JSON Lines and the shapes in which JSON files hold rows."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from playground.data.containers import find_records
from playground.data.decoding import TextFile
from playground.data.exports import plain_rows, was_turned_down
from playground.data.gathering import beginning, num_chars
from playground.data.headers import has_role, is_known, language_of
from playground.data.jsonvalues import Parsed, parse_json, parse_loosely, stream_values
from playground.data.table import Entry, Reading, Rejected
from playground.data.text import describe_type, excerpt
from playground.errors import DataError
from playground.types import Row

MAX_WHOLE_BYTES = 64 * 1024 * 1024
"""Up to here a JSON file is read as a whole; of a longer one the values are read one by one."""
_NUM_TRIED = 20
_TURNED_DOWN = "was rejected or skipped by whoever annotated it"
_MAX_OPEN_CHARS = 100_000
_COMMENTS = ("//", "/*", "#")
_NUM_LOOKED_AT = 50
_STAYS_NESTED = frozenset({"answers", "answer", "translation", "entities", "label", "labels", "cats", "spans"})


def read_jsonl(lines: Iterable[str]) -> Reading:
    """One object (or one string, or one list that a tool writes) per line; other lines are rejected.

    Lists of cells stand under the names in the first of them.
    """
    return _reading(_under_names(_parsed_lines(lines)), "jsonl", [])


def _under_names(parsed: Iterator[Parsed]) -> Iterator[Parsed]:
    first = next(parsed, None)
    if first is None:
        return
    if not _is_header(first.value):
        yield first
        yield from parsed
        return
    names = [str(name) for name in first.value]
    for one in parsed:
        if isinstance(one.value, list):
            yield _zipped(names, one)
        else:
            yield one


def _is_header(value: Any) -> bool:
    """Whether it is a list of names of columns, two of them known."""
    is_list = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return is_list and len(set(value)) == len(value) and sum(map(is_known, value)) >= 2


def _zipped(names: list[str], one: Parsed) -> Parsed:
    if len(one.value) == len(names):
        return one._replace(value=dict(zip(names, one.value, strict=True)))
    problem = f"has {len(one.value)} cells where the header has {len(names)}"
    return Parsed(one.place, None, problem, excerpt(one.value))


def read_json(source: TextFile) -> Reading | None:
    """A list of objects or strings, an object that holds one, columns, tools' exports, or objects one after the other.

    What is broken in it costs its own record only. None when it is no JSON at all, nor near it.

    Raises:
        DataError: it is JSON that holds no rows.
    """
    name = source.name
    if source.path.stat().st_size <= MAX_WHOLE_BYTES:
        text = source.read(MAX_WHOLE_BYTES)
        notes: list[str] = []
        try:
            value = parse_loosely(text)
        except ValueError as err:
            return _salvaged(lambda: iter([text]), str(err))
        if isinstance(value, str):
            value = _inner(value)
        records = find_records(value, notes) if isinstance(value, list | dict) else None
        if records is None:
            if isinstance(value, dict | list) and not value:
                raise DataError(f"{name} has no row that can be used: it is an empty list or object.")
            return None
        return _reading(_placed(records, text), "json", notes)
    return _salvaged(source.chunks)


def _placed(records: list[Any], text: str) -> list[Parsed]:
    """`records` of `text` with the lines where they begin; with their numbers where that can not be told."""
    if text.count("\n") >= len(records):
        streamed = list(stream_values([text]))
        if [one.value for one in streamed] == records:
            return streamed
    return [Parsed(i, record) for i, record in enumerate(records, 1)]


def json_error(text: str) -> str:
    """Why `text` is not JSON, for a message."""
    try:
        parse_json(text)
    except ValueError as err:
        return str(err)
    return "it is a single value"


def is_whole(line: str) -> bool:
    """Whether `line` is JSON by itself."""
    try:
        parse_json(line.strip().rstrip(","))
    except ValueError:
        return False
    return True


def looks_like_jsonl(head: list[str], *, is_promised: bool) -> bool:
    """Whether most of the first lines are JSON objects or strings, or one is where the file's name promises it."""
    parsed = list(islice(_parsed_lines(head), _NUM_TRIED))
    has_header = len(parsed) > 1 and _is_header(parsed[0].value)
    num_good = sum(
        isinstance(one.value, dict | str) or _is_example(one.value) or (has_header and isinstance(one.value, list))
        for one in parsed
    )
    return num_good >= (1 if is_promised else max(1, len(parsed) / 2))


def _salvaged(chunks: Callable[[], Iterator[str]], problem: str = "") -> Reading | None:
    """What of a broken or large file can be read one value after the other; None if none of the first can."""
    first = list(islice(stream_values(chunks()), _NUM_LOOKED_AT))
    good = [one for one in first if isinstance(one.value, dict) or _is_example(one.value)]
    if not good:
        return None
    broken = [one for one in first if one.problem]
    why = problem or broken[0].problem if broken else ""
    notes = [f"The file is not JSON as a whole ({why}); what can be read of it is used."] if why else []
    return _reading(stream_values(chunks()), "json", notes)


def _is_example(value: Any) -> bool:
    """Whether it is a list that `plain_rows` understands."""
    return isinstance(value, list) and bool(value) and plain_rows(value) != [value]


def _inner(text: str) -> Any:
    """JSON that was written into a JSON string."""
    if text.lstrip()[:1] not in ("{", "["):
        return [text]
    try:
        return parse_json(text)
    except ValueError:
        return [text]


def _parsed_lines(lines: Iterable[str]) -> Iterator[Parsed]:
    """What is on each line; a string that goes on over the end of its line takes the next ones with it."""
    open_line, open_text = 0, ""
    for number, line in enumerate(lines, 1):
        body = line.strip(" \t\r\n\x1e").rstrip(",")
        if not body or body in "[]" or body.startswith(_COMMENTS):
            continue
        try:
            parsed = Parsed(number, _inner_object(_parse_line(body)))
        except ValueError as err:
            parsed = Parsed(number, None, f"is not JSON ({_error_in_line(err)})", excerpt(line))
        if open_line and parsed.problem and len(open_text) < _MAX_OPEN_CHARS:
            open_text += line
            joined = _joined(open_text)
            if joined is not None:
                yield Parsed(open_line, joined)
                open_line, open_text = 0, ""
            continue
        if open_line:
            yield _never_closed(open_line, open_text)
            open_line, open_text = 0, ""
        if parsed.problem and "Unterminated string" in parsed.problem and body[0] == "{":
            open_line, open_text = number, line
            continue
        yield parsed
    if open_line:
        yield _never_closed(open_line, open_text)


def _error_in_line(err: ValueError) -> str:
    return f"{err.msg} at character {err.colno}" if isinstance(err, json.JSONDecodeError) else str(err)


def _parse_line(body: str) -> Any:
    return parse_loosely(body) if body[0] in '{["(' else parse_json(body)


def _joined(text: str) -> Row | None:
    try:
        value = parse_json(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _never_closed(number: int, text: str) -> Parsed:
    first = text.split("\n", 1)[0]
    return Parsed(number, None, "is not JSON (a string in it is never closed)", excerpt(first))


def _inner_object(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("{"):
        inner = _inner(value)
        return inner if isinstance(inner, dict) else value
    return value


def _reading(parsed: Iterable[Parsed], file_format: str, notes: list[str]) -> Reading:
    return with_paths(Reading(file_format, _entries(parsed), None, notes))


def with_paths(reading: Reading) -> Reading:
    """`reading` with the fields within fields under their paths, where no text stands by itself."""
    entries = iter(reading.entries)
    first = beginning(entries, _NUM_LOOKED_AT, num_chars)
    rest: Iterable[Entry] = chain(first, entries)
    rows = [entry[1] for entry in first if not isinstance(entry, Rejected)]
    if rows and not any(map(_has_plain_text, rows)) and any(_flat(row) != row for row in rows):
        reading.notes.append("Fields within fields are shown with their path, such as 'review.body'.")
        rest = (one if isinstance(one, Rejected) else (one[0], _flat(one[1])) for one in rest)
    return replace(reading, entries=rest)


def _entries(parsed: Iterable[Parsed]) -> Iterator[Entry]:
    for place, value, problem, raw in parsed:
        if problem:
            yield Rejected(place, problem, raw)
            continue
        if isinstance(value, dict) and set(value) == {"header"}:
            continue  # MRQA's first line
        if was_turned_down(value):
            yield Rejected(place, _TURNED_DOWN, excerpt(value))
            continue
        for row in plain_rows(value):
            if isinstance(row, str | dict) and row:
                yield place, {"text": row} if isinstance(row, str) else _stripped(row)
            else:
                what = "an empty object" if row in ({}, "") else describe_type(row)
                yield Rejected(place, f"is {what}, not an object with fields", excerpt(row))


def _stripped(row: Row) -> Row:
    return {key.strip(): value for key, value in row.items()}


def _has_plain_text(row: Row) -> bool:
    """Whether a field holds a text, or a list, by itself."""
    return any(
        isinstance(value, list) or (isinstance(value, str) and (" " in value.strip() or has_role(key)))
        for key, value in row.items()
    )


def _flat(row: Row, depth: int = 0) -> Row:
    flat: Row = {}
    for key, value in row.items():
        if isinstance(value, dict) and value and depth < 4 and key.casefold() not in _STAYS_NESTED and _is_group(value):
            flat |= {f"{key}.{inner}": one for inner, one in _flat(value, depth + 1).items()}
        else:
            flat[key] = value
    return flat


def _is_group(value: Row) -> bool:
    """Whether it is a group of fields, rather than texts by language, or a picture or sound of ``datasets``."""
    return not all(language_of(key) for key in value) and not {"bytes", "path"} <= set(value)
