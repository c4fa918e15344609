"""Lists and numbers that tables hold as text."""

import ast
import json
import re
from typing import Any

from playground.errors import DataError

_MAX_CHARS = 1_000_000
_ITEM = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d*)?""")
_NUMPY = re.compile(rf"\[\s*(?:{_ITEM.pattern})(?:\s+(?:{_ITEM.pattern}))+\s*\]")
ARRAY = re.compile(r"\b(?:np\.|numpy\.)?array\((\[[^()]*?\])(?:,\s*dtype=[\w.<>']+)?\)")


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
        pass
    array = _numpy_list(text)
    return _python_literal(ARRAY.sub(r"\1", text)) if array is None else array


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


def _numpy_list(text: str) -> list[Any] | None:
    """The items of what NumPy prints: no commas between them."""
    if not _NUMPY.fullmatch(text.strip()):
        return None
    return [as_literal(item) for item in _ITEM.findall(text)]


def _python_literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
