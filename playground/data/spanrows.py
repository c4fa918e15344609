"""Tables with one entity a row beside its text: rows of the same text become one."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from playground.data.gathering import beginning, num_chars
from playground.data.headers import normal_name, role_score
from playground.data.literals import as_offset
from playground.data.table import Entry, Reading, Rejected
from playground.errors import DataError
from playground.types import Row

_STARTS = frozenset(("start", "start offset", "start char", "start index", "start idx", "begin", "begin offset"))
_ENDS = frozenset(("end", "end offset", "end char", "end index", "end idx", "stop"))
_KINDS = frozenset(("entity type", "entity label", "entity group", "entity", "ner tag", "ner label"))
_NUM_TRIED = 200


def with_spans(reading: Reading) -> Reading:
    """`reading`, or its texts with all their entities when each row says where in its text one entity lies.

    Rows of the same text must follow one another; one without a place is a text without entities.
    """
    columns = reading.columns or []
    start, end = (next((name for name in columns if normal_name(name) in names), None) for names in (_STARTS, _ENDS))
    text = next((name for name in columns if max(role_score(name, role) for role in ("text", "document")) == 3), None)
    kinds = [name for name in columns if name != text]
    kind = next((name for name in kinds if normal_name(name) in _KINDS or role_score(name, "label") == 3), None)
    if start is None or end is None or text is None or kind is None or "entities" in columns:
        return reading
    entries = iter(reading.entries)
    head = beginning(entries, _NUM_TRIED, num_chars)
    whole = chain(head, entries)
    placed = [one[1] for one in head if not isinstance(one, Rejected) and one[1][start] not in (None, "")]
    if not placed or sum(_has_place(row, text, start, end) for row in placed) < 0.9 * len(placed):
        return Reading(reading.format, whole, columns, reading.notes)
    reading.notes.append("Each row is an entity; those of the same text, one after the other, are put together.")
    kept = [name for name in columns if name not in (start, end, kind)]
    return Reading(reading.format, _texts(whole, text, (start, end, kind)), [*kept, "entities"], reading.notes)


def _has_place(row: Row, text: str, start: str, end: str) -> bool:
    try:
        first, last = as_offset(row[start], "it", "start"), as_offset(row[end], "it", "end")
    except DataError:
        return False
    return 0 <= first < last <= len(str(row[text]))


def _texts(entries: Iterator[Entry], text: str, place: tuple[str, str, str]) -> Iterator[Entry]:
    made: tuple[int, Row] | None = None
    for entry in entries:
        if isinstance(entry, Rejected):
            yield entry
            continue
        line, row = entry
        if made is None or made[1][text] != row[text]:
            if made is not None:
                yield made
            made = line, {name: value for name, value in row.items() if name not in place} | {"entities": []}
        if row[place[0]] not in (None, ""):
            made[1]["entities"].append(_entity(*(row[name] for name in place)))
    if made is not None:
        yield made


def _entity(start: Any, end: Any, kind: Any) -> Row:
    return {"start": start, "end": end, "label": kind}
