"""JSON objects that somebody else wrote: every value is checked before it is used."""

import json
from pathlib import Path
from typing import Any, TypeVar, cast

from playground.errors import AdapterError

T = TypeVar("T", str, int, float, bool, list[Any], dict[str, Any])

MAX_JSON_BYTES = 1024 * 1024
MAX_DIGITS = 20
"""Of a whole number; with hundreds of them it could not be turned into a float any more."""
_KINDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def read_limited(path: Path, limit_bytes: int, where: str) -> bytes:
    """Content of a regular file.

    Raises:
        AdapterError: it is missing, a link, unreadable or larger than the limit.
    """
    try:
        if path.is_symlink() or not path.is_file():
            raise AdapterError(f"{where} has no file {path.name}; import the adapter again.")
        size_bytes = path.stat().st_size
        if size_bytes > limit_bytes:
            raise AdapterError(f"{where}: {path.name} has {size_bytes:,} bytes; at most {limit_bytes:,} are allowed.")
        return path.read_bytes()
    except OSError as err:
        raise AdapterError(f"{where}: {path.name} can't be read ({err.strerror}).") from err


def parse_object(data: bytes, where: str) -> dict[str, Any]:
    """The JSON object in `data`.

    Raises:
        AdapterError: too large, no JSON, nested too deeply, no object, or with values that can't be written again
            (NaN, infinity, lone surrogates) or computed with (whole numbers of more than `MAX_DIGITS` digits).
    """
    if len(data) > MAX_JSON_BYTES:
        raise AdapterError(f"{where} has {len(data):,} bytes; at most {MAX_JSON_BYTES:,} are allowed.")
    try:
        payload = json.loads(data, parse_int=_whole_number)
        json.dumps(payload, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as err:
        raise AdapterError(f"{where} is not valid JSON ({err}).") from err
    if not isinstance(payload, dict):
        raise AdapterError(f"{where} must hold one JSON object, not {shown(payload)}.")
    return payload


def _whole_number(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"{shown(digits)} is too large a number")
    return int(digits)


def take(payload: dict[str, Any], key: str, kind: type[T], where: str, default: T | None = None) -> T:
    """The value under `key`, checked to be of `kind`; whole numbers count as numbers, true and false don't.

    Raises:
        AdapterError: it is of another kind, or missing and there is no default.
    """
    if key not in payload:
        if default is None:
            raise AdapterError(f"{where} has no '{key}'.")
        return default
    value: Any = payload[key]
    if not is_kind(value, kind):
        raise AdapterError(f"{where}: '{key}' must be {_KINDS[kind]}, not {shown(value)}.")
    return cast("T", value)


def take_texts(payload: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    """The list of texts under `key`, empty when it is missing.

    Raises:
        AdapterError: it is no list, or one of its items is no text.
    """
    items: list[Any] = take(payload, key, list, where, [])
    for item in items:
        if not isinstance(item, str):
            raise AdapterError(f"{where}: '{key}' must hold texts only, not {shown(item)}.")
    return tuple(items)


def is_kind(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def shown(value: object) -> str:
    """`value` short enough for an error message."""
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
