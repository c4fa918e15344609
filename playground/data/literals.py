"""Lists and numbers that tables hold as text."""

import ast
import json
from typing import Any

from playground.errors import DataError

_MAX_CHARS = 1_000_000


def as_list(value: Any, what: str) -> list[Any]:
    """`value` as a list: it may be one, or JSON, a Python list, or words between spaces, as text; empty is [].

    Raises:
        DataError: it is something else, or text that begins like a list and isn't one.
    """
    if value is None:
        return []
    if isinstance(value, list | tuple):
        return list(value)
    if not isinstance(value, str):
        raise DataError(f"{what} must be a list, not {value!r}")
    text = value.strip()
    if text[:1] not in ("[", "{", "("):
        return text.split()
    parsed = as_literal(text)
    if isinstance(parsed, dict):
        return [parsed]
    if not isinstance(parsed, list | tuple):
        raise DataError(f"{what} must be a list such as [...], but are '{text[:60]}'")
    return list(parsed)


def as_literal(text: str) -> Any:
    """`text` read as JSON or as a Python literal (what pandas writes into CSV), or None when it is neither."""
    if len(text) > _MAX_CHARS:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _python_literal(text)


def as_offset(value: Any, what: str, name: str) -> int:
    """`value` as a whole number; tables hold offsets as text or as 3.0.

    Raises:
        DataError: it is no whole number.
    """
    if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise DataError(f"{what} has no whole number as {name}, but {value!r}")


def _python_literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
