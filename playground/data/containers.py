"""Where in a JSON value its records are, however they are wrapped."""

from typing import Any

from playground.data.headers import is_known
from playground.types import Row

# What people call the list of their rows, the best first.
_CONTAINERS = (
    *("train", "training", "data", "rows", "examples", "records", "items", "results", "result", "instances"),
    *("documents", "docs", "samples", "entries", "annotations", "common_examples", "dialogs", "conversations"),
    *("validation", "dev", "valid", "test"),
)
_SPLITS = frozenset({"train", "training", "validation", "dev", "valid", "test"})
_MAX_DEPTH = 6


def find_records(value: Any, notes: list[str]) -> list[Any] | None:
    """The records in `value`: a list, the list within an object, columns, or objects by their number; None: none."""
    return _records(value, notes, 0)


def _records(value: Any, notes: list[str], depth: int) -> list[Any] | None:
    if isinstance(value, list):
        return _with_header(value)
    if not isinstance(value, dict) or not value or depth > _MAX_DEPTH:
        return None
    if isinstance(value.get("columns"), list) and _are(list, value.get("data")):
        return [_zipped(value["columns"], cells) for cells in value["data"]]
    found = _container(value)
    if found is not None:
        return _of_container(value, found, notes, depth)
    if _is_record(value):
        return [value]
    columns = _by_column(value) or _by_label(value) or _by_text(value)
    if columns is not None:
        return columns
    for inner in value.values():
        if isinstance(inner, dict) and not _is_record(inner):
            deeper = _records(inner, notes, depth + 1)
            if deeper and deeper != [inner]:
                return deeper
    return [value]


def _container(value: Row) -> str | None:
    """The key under which the rows lie."""
    filled = {key: inner for key, inner in value.items() if isinstance(inner, list | dict) and inner}
    for name in _CONTAINERS:
        key = next((key for key in filled if key.casefold() == name), None)
        if key is None:
            continue
        inner = filled[key]
        if isinstance(inner, list) and any(isinstance(one, dict | list) for one in inner) and not _has_text(value):
            return key
        if isinstance(inner, dict) and key.casefold() in _SPLITS and len(filled) == len(value):
            return key
    lists = [key for key, inner in filled.items() if _are(dict, inner)]
    return lists[0] if len(lists) == 1 and not _has_text(value) and not _is_record(value) else None


def _of_container(value: Row, key: str, notes: list[str], depth: int) -> list[Any] | None:
    others = [name for name, inner in value.items() if name != key and name.casefold() in _SPLITS and inner]
    if key.casefold() in _SPLITS and others:
        notes.append(f"The rows under '{key}' are used, those under {', '.join(map(repr, others))} are not.")
    return _records(value[key], notes, depth + 1)


def _is_record(value: Row) -> bool:
    """Whether it is one row by itself: its fields have known names, and one of them holds something single."""
    known = [key for key in value if is_known(key)]
    return any(isinstance(value[key], str) for key in known) or "paragraphs" in value or "qas" in value


def _has_text(value: Row) -> bool:
    return any(isinstance(inner, str) and is_known(key) and " " in inner for key, inner in value.items())


def _by_column(value: Row) -> list[Any] | None:
    """Rows of {"text": ["a", ...], ...}, {"text": {"0": "a"}, ...} or {"0": {"text": "a"}, ...}."""
    inner = list(value.values())
    if _are(dict, inner):
        keys = list(inner[0])
        is_by_row = any(map(is_known, keys)) and not any(map(is_known, value))
        if is_by_row or (all(key.isdecimal() for key in value) and not all(key.isdecimal() for key in keys)):
            return inner
        has_cells = all(map(_is_scalar, inner[0].values()))
        if len(keys) > 1 and has_cells and all(list(cells) == keys for cells in inner):
            return _from_columns({key: list(cells.values()) for key, cells in value.items()})
        return None
    if _are(list, inner) and len({len(cells) for cells in inner}) == 1:
        return _from_columns(value) if any(map(is_known, value)) or not _are_labels(value) else None
    return None


def _by_label(value: Row) -> list[Any] | None:
    """Rows of {"positive": ["a", "b"], "negative": ["c"]}."""
    if len(value) < 2 or not all(_are(str, texts) for texts in value.values()):
        return None
    return [{"text": text, "label": label} for label, texts in value.items() for text in texts]


def _are_labels(value: Row) -> bool:
    return len(value) > 1 and all(_are(str, texts) for texts in value.values()) and not any(map(is_known, value))


def _by_text(value: Row) -> list[Any] | None:
    """Rows of {"I love it": "positive", ...}."""
    has_texts = sum(" " in key.strip() or not key.isascii() for key in value) > len(value) / 2
    if len(value) < 2 or not has_texts or not all(isinstance(label, str | int | float) for label in value.values()):
        return None
    return [{"text": text, "label": label} for text, label in value.items()]


def _with_header(records: list[Any]) -> list[Any]:
    """Lists of cells under the names in the first of them."""
    if not records or not all(isinstance(one, list) and all(map(_is_scalar, one)) for one in records):
        return records
    names = records[0]
    width = len(names)
    if width < 2 or any(len(cells) != width for cells in records):
        return records
    if sum(is_known(str(name)) for name in names) >= 1 and len({str(name) for name in names}) == width:
        return [_zipped(names, cells) for cells in records[1:]]
    return [{f"column_{i}": cell for i, cell in enumerate(cells, 1)} for cells in records]


def _zipped(columns: list[Any], cells: Any) -> Any:
    if not isinstance(cells, list) or len(cells) != len(columns):
        return cells
    return dict(zip(map(str, columns), cells, strict=True))


def _from_columns(columns: Row) -> list[Any]:
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _are(kind: type, values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(one, kind) for one in values)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)
