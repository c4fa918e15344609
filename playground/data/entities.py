"""Named entities in every notation that people have them in, as character spans [start, end)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from playground.data.literals import as_list, as_literal, as_offset
from playground.data.offsets import are_bytes, at_byte, other_places
from playground.data.quotes import mentions_of
from playground.data.text import HAS_NO_SPACES, blank_controls, clean_text, excerpt, moved_offset
from playground.errors import DataError
from playground.types import Row

_INLINE = re.compile(
    r"\[([^\[\]\n]+)\]\(([^\W\d_][\w-]{0,40})\)"  # [Berlin](LOC)
    r"|<([A-Z][A-Z_-]{1,30})>([^<>\n]+)</\3>"  # <LOC>Berlin</LOC>
    r"|\[([A-Z][A-Z_-]{1,30}) ([^\[\]\n]+)\]"  # [LOC Berlin]
)
_LISTED = re.compile(r"\s*([^:=;|\n]+?)\s*[:=]\s*([^:=;|,\n]+?)\s*")
"""One of "Ada: PER; Rome: LOC", as people write entities into a cell."""
TAG_LETTERS = "BIMESLU"
"""What the tags of IOB, BIOES, BILOU and BMES begin with, but for O: begin, inside, middle, end, single, last, unit."""
_PREFIXED = re.compile(rf"([{TAG_LETTERS}])[-_](.+)", re.IGNORECASE)
_SUFFIXED = re.compile(rf"(.+)-([{TAG_LETTERS}])")
_OUTSIDE = frozenset({"O", "o", "_", "", "0"})
_START_KEYS = (
    "start",
    "start_offset",
    "begin",
    "start_char",
    "from",
    "start_idx",
    "start_index",
    "begin_offset",
    "offset",
)
_END_KEYS = ("end", "end_offset", "stop", "end_char", "to", "end_idx", "end_index", "end_offset")
_LABEL_KEYS = ("label", "entity_group", "entity_type", "type", "tag", "class", "category", "labels", "entity", "name")
_TEXT_KEYS = ("text", "word", "value", "span", "mention", "surface", "name", "entity")
_NO_SPACE_BEFORE = frozenset(".,;:!?%)]}»”’…")
_NO_SPACE_AFTER = frozenset("([{«“‘")
_FULL_WIDTH = re.compile("[\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]")
"""Punctuation with its space in itself, as in Chinese and Japanese."""


def has_inline_entities(text: str) -> bool:
    """Whether `text` has markup such as ``[Berlin](LOC)``, ``<LOC>Berlin</LOC>`` or ``[LOC Berlin]``."""
    return _INLINE.search(text) is not None


def has_listed_entities(text: str) -> bool:
    """Whether `text` lists words with their labels, such as ``Ada: PER; Rome: LOC``."""
    return text[:1] not in ("[", "{", "(") and all(map(_LISTED.fullmatch, _items(text)))


def _items(text: str) -> list[str]:
    separator = next((mark for mark in (";", "\n", "|", ",") if mark in text), ";")
    return [item for item in text.split(separator) if item.strip()]


def ner_row(row: Row, *, in_bytes: bool = False) -> tuple[Row, list[str]]:
    """`row` as {"text", "entities"} with other fields kept, and notes about repairs.

    It may have ``entities`` (objects or [start, end, label] lists, also as JSON text), ``tags`` for ``tokens`` or
    for the words of ``text``, or inline markup.

    Args:
        in_bytes: whether offsets of ``entities`` count the bytes of UTF-8, see `offsets_in_bytes`.

    Raises:
        DataError: nothing of these fits; the message is the reason, without the place.
    """
    row = dict(row)
    tags, tokens = row.pop("tags", None), row.pop("tokens", None)
    if tags is not None and row.get("entities") is None:
        words = tokens if tokens is not None else row.get("text")
        row["text"], row["entities"] = from_tags(_words(words, "tokens"), _words(tags, "tags"))
    elif row.get("entities") is None and isinstance(row.get("text"), str) and has_inline_entities(row["text"]):
        row["text"], row["entities"] = from_inline(row["text"])
    if "annotation_id" in row:
        row.setdefault("entities", [])  # the smaller JSON of Label Studio has no key where nothing was marked
    if "entities" not in row:
        raise DataError("entities are missing; an empty list means that there are none")
    text = clean_text(row.get("text"))
    original: str = row["text"]
    marked = blank_controls(original)
    listed = _listed(row["entities"])
    found, remarks = _placed([_from_bytes(one, original) for one in listed] if in_bytes else listed, marked)
    spans = [_checked_span(entity, i, marked) for i, entity in enumerate(found, 1)]
    kept, notes = _without_overlaps(spans, marked)
    if len(text) != len(marked):
        kept = [(moved_offset(original, start), moved_offset(original, end), label) for start, end, label in kept]
    entities = [{"start": start, "end": end, "label": label} for start, end, label in kept]
    return {**row, "text": text, "entities": entities}, notes + remarks


def offsets_in_bytes(rows: Iterable[Row]) -> bool:
    """Whether offsets of the ``entities`` of `rows` rather count the bytes of UTF-8 than characters."""
    return are_bytes(chain.from_iterable(map(_spans, rows)))


def _spans(row: Row) -> Iterator[tuple[str, int, int]]:
    """The text, start and end of each entity that has them; nothing where a row of ASCII makes no difference."""
    text = row.get("text")
    if not isinstance(text, str) or text.isascii():
        return
    try:
        for entity in _listed(row.get("entities")):
            span = _offsets(entity)
            if span:
                yield text, *span
    except DataError:
        return  # said where the row is set aside


def _offsets(entity: Any) -> tuple[int, int] | None:
    """Start and end of an entity; None if it has none."""
    entity = _with_end(_as_object(entity))
    if not isinstance(entity, dict) or _first(entity, _START_KEYS) is None:
        return None
    return (
        as_offset(_first(entity, _START_KEYS), "an entity", "start"),
        as_offset(_first(entity, _END_KEYS), "an entity", "end"),
    )


def _from_bytes(entity: Any, text: str) -> Any:
    """`entity` with its offsets counted in characters of `text` where it has some.

    Raises:
        DataError: one of them is inside a character or behind the text.
    """
    span = _offsets(entity)
    if span is None:
        return entity
    start, end = (at_byte(text, offset) for offset in span)
    if start is None or end is None:
        raise DataError(
            f"an entity spans the bytes {span[0]} to {span[1]}, which are no whole characters of the text; offsets of "
            "this file count bytes"
        )
    own = {key: value for key, value in _as_object(entity).items() if key not in (*_START_KEYS, *_END_KEYS)}
    return {**own, "start": start, "end": end}


def _as_object(entity: Any) -> Any:
    is_list = isinstance(entity, list | tuple) and len(entity) == 3
    return dict(zip(("start", "end", "label"), entity, strict=True)) if is_list else entity


def from_inline(text: str) -> tuple[str, list[Row]]:
    """Plain text and entities of a text with markup, see `has_inline_entities`."""
    parts: list[str] = []
    entities: list[Row] = []
    num_chars = position = 0
    for match in _INLINE.finditer(text):
        before = text[position : match.start()]
        inner = match[1] or match[4] or match[6]
        start = num_chars + len(before)
        entities.append({"start": start, "end": start + len(inner), "label": match[2] or match[3] or match[5]})
        parts += [before, inner]
        num_chars, position = start + len(inner), match.end()
    return "".join(parts) + text[position:], entities


def from_tags(tokens: Sequence[str], tags: Sequence[str]) -> tuple[str, list[Row]]:
    """Text and entities of tagged tokens; IOB1, IOB2, BIOES, BILOU, BMES, these turned round (PER-B), and plain types.

    Tokens are joined as they are written in their script: no spaces in Chinese, Japanese or Thai, none before
    closing punctuation. Where each character is a token, so are those of numbers and of words in Latin letters.

    Raises:
        DataError: the numbers of tokens and tags differ.
    """
    if len(tokens) != len(tags):
        raise DataError(f"has {len(tokens)} tokens but {len(tags)} tags")
    entities: list[Row] = []
    are_characters = _are_characters(tokens)
    text, last = "", ("O", "")
    for token, tag in zip(tokens, _type_last(tags), strict=True):
        if text and not are_characters and _needs_space(text[-1], token[:1]):
            text += " "
        start, text = len(text), text + token
        prefix, label = _parsed_tag(tag)
        if prefix == "I" and last[1] == label and last[0] not in "ES" and entities:
            entities[-1]["end"] = len(text)
        elif prefix != "O":
            entities.append({"start": start, "end": len(text), "label": label})
        last = (_original_prefix(tag), label)
    return text, entities


def _type_last(tags: Sequence[str]) -> Sequence[str]:
    """`tags` with B-PER for PER-B, where all that mark something are written so."""
    turned = [_SUFFIXED.fullmatch(tag) for tag in tags]
    if any(
        tag not in _OUTSIDE and (not found or _PREFIXED.fullmatch(tag)) for tag, found in zip(tags, turned, strict=True)
    ):
        return tags
    return [f"{found[2]}-{found[1]}" if found else tag for tag, found in zip(tags, turned, strict=True)]


def _parsed_tag(tag: str) -> tuple[str, str]:
    """B, I or O, and the type; M, E and L continue an entity, S and U are one."""
    if tag in _OUTSIDE:
        return "O", ""
    match = _PREFIXED.fullmatch(tag)
    if match is None:
        return "I", tag
    return {"B": "B", "S": "B", "U": "B"}.get(match.group(1).upper(), "I"), match.group(2)


def _original_prefix(tag: str) -> str:
    """E when an entity ends with this tag, whatever follows."""
    match = _PREFIXED.fullmatch(tag)
    return "E" if match and match.group(1).upper() in "ELSU" else "I"


def _are_characters(tokens: Sequence[str]) -> bool:
    return any(map(HAS_NO_SPACES.match, tokens)) and all(len(token) == 1 for token in tokens)


def _needs_space(left: str, right: str) -> bool:
    if (HAS_NO_SPACES.match(left) and HAS_NO_SPACES.match(right)) or any(map(_FULL_WIDTH.match, (left, right))):
        return False
    return right not in _NO_SPACE_BEFORE and left not in _NO_SPACE_AFTER


def _words(value: Any, what: str) -> list[str]:
    is_listed = what == "tags" and isinstance(value, str) and value.strip()[:1] not in ("[", "(")
    words = as_list(value.replace(",", " ") if is_listed else value, what)  # "B-PER,O,O" is three tags
    numbers = [word for word in words if not isinstance(word, str)]
    if numbers:
        hint = "; replace the numbers by names such as B-PER" if what == "tags" else ""
        raise DataError(f"{what} must be texts, but there is {excerpt(numbers[0], 40)}{hint}")
    if what == "tokens" and not all(word.strip() for word in words):
        raise DataError("one of the tokens is empty")
    return words


def _listed(entities: Any) -> list[Any]:
    """`entities` as a list: they may stand under their types, {"PER": ["Ada"]} or {"PER": {"Ada": [[0, 2]]}}, or
    before them, {"Ada": "PER"} or "Ada: PER".
    """
    if isinstance(entities, str) and entities.strip() and has_listed_entities(entities):
        return [list(found.groups()) for found in map(_LISTED.fullmatch, _items(entities)) if found]
    value = as_literal(entities.strip()) if isinstance(entities, str) and entities.lstrip()[:1] == "{" else entities
    if not isinstance(value, dict) or _first(value, _START_KEYS) is not None or not value:
        return as_list(entities, "entities")
    if isinstance(value.get("entities"), list):
        return list(value["entities"])
    if len(value) > 1 and set(value) <= {*_TEXT_KEYS, *_LABEL_KEYS}:
        return [value]
    listed: list[Any] = []
    for label, inner in value.items():
        if isinstance(inner, dict):
            # CLUENER counts the last character in.
            places = ((text, place) for text, found in inner.items() for place in found)
            listed += [{"text": text, "start": place[0], "end": place[1] + 1, "label": label} for text, place in places]
        elif isinstance(inner, list):
            listed += [{**one, "label": label} if isinstance(one, dict) else _under(label, one) for one in inner]
        elif isinstance(inner, str):
            listed.append([label, inner])
        else:
            raise DataError(f"entities must be a list, not {excerpt(value, 60)}")
    return listed


def _under(label: str, one: Any) -> Row:
    if isinstance(one, list | tuple) and len(one) == 2:
        return {"start": one[0], "end": one[1], "label": label}
    return {"text": one, "label": label}


def _placed(entities: list[Any], text: str) -> tuple[list[Any], list[str]]:
    """`entities` with offsets where they have only their words, and notes where it is not sure which places are meant.

    Words that are listed once stand for all their mentions; listed more often, they take one mention after the other.
    The longest are placed first, so that a name which is part of another one goes beside it.
    """
    placed: list[Any] = []
    labels: dict[str, list[Any]] = {}
    for entity in entities:
        words, label = _words_and_label(entity, text)
        if words:
            labels.setdefault(words, []).append(label)
        else:
            placed.append(_with_end(entity))
    notes = []
    taken = bytearray(len(text))
    for words, given in sorted(labels.items(), key=lambda item: -len(item[0])):
        mentions = mentions_of(words, text)
        if not mentions:
            raise DataError(f"the entity '{excerpt(words, 40)}' is not in the text")
        free = [(start, end) for start, end in mentions if not any(taken[start:end])] or mentions[:1]
        if len(given) == 1 < len(free):
            notes.append("an entity without offsets is listed once and mentioned more often; each mention is marked")
        elif len(given) != len(free):
            notes.append(
                "an entity without offsets is not listed as often as it is mentioned; the first ones are marked"
            )
        for (start, end), label in zip(free, given * len(free) if len(given) == 1 else given, strict=False):
            taken[start:end] = b"\1" * (end - start)
            placed.append({"start": start, "end": end, "label": label})
    return placed, notes


def _words_and_label(entity: Any, text: str) -> tuple[str, Any]:
    """Those of an entity without offsets, no words of another one; of two words, what is in the text is no label."""
    if isinstance(entity, list | tuple) and len(entity) == 2 and all(isinstance(part, str) for part in entity):
        first, second = entity
        is_turned = not mentions_of(first, text) and mentions_of(second, text)
        return (second, first) if is_turned else (first, second)
    if not isinstance(entity, dict) or _first(entity, _START_KEYS) is not None:
        return "", None
    label_key = next((key for key in _LABEL_KEYS if entity.get(key) is not None), "")
    words = next((entity[key] for key in _TEXT_KEYS if key != label_key and isinstance(entity.get(key), str)), "")
    return blank_controls(words).strip(), entity.get(label_key)


def _with_end(entity: Any) -> Any:
    if isinstance(entity, dict) and _first(entity, _END_KEYS) is None and isinstance(entity.get("length"), int):
        start = _first(entity, _START_KEYS)
        return {**entity, "end": start + entity["length"]} if isinstance(start, int) else entity
    return entity


def _checked_span(entity: Any, number: int, text: str) -> tuple[int, int, str]:
    """Start, end and label of one entity of `text`, without white space at its ends."""
    entity = _as_object(entity)
    if not isinstance(entity, dict):
        raise DataError(f"entity {number} must have start, end and label, but is {excerpt(entity, 60)}")
    label = _first(entity, _LABEL_KEYS)
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    if isinstance(label, list) and len(label) > 1:
        raise DataError(f"entity {number} has {len(label)} labels; each needs exactly one")
    if isinstance(label, int) and not isinstance(label, bool):
        label = str(label)
    if not isinstance(label, str) or not label.strip():
        raise DataError(f"entity {number} has no label")
    what = f"entity {number} ({label.strip()})"
    start = as_offset(_first(entity, _START_KEYS), what, "start")
    end = as_offset(_first(entity, _END_KEYS), what, "end")
    expected = blank_controls(entity["text"]).strip() if isinstance(entity.get("text"), str) else ""
    if expected and text[max(start, 0) : end].strip() != expected:
        start, end = _elsewhere(text, start, end, expected)
    if start < 0 or end > len(text):
        raise DataError(f"{what} spans {start} to {end}, but the text has {len(text)} characters")
    if start >= end or not text[start:end].strip():
        raise DataError(f"{what} spans {start} to {end}, where there is no text")
    if expected and text[start:end].strip() != expected:
        raise DataError(
            f"{what} is '{excerpt(expected, 40)}', but at {start} to {end} is '{excerpt(text[start:end], 40)}'"
        )
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return start, start + len(piece.strip()), label.strip()


def _elsewhere(text: str, start: int, end: int, expected: str) -> tuple[int, int]:
    """`start` and `end` in characters where they count something else and `expected` is there, else as they are."""
    pairs = ((first, last) for first in [*other_places(text, start), start] for last in other_places(text, end))
    return next((pair for pair in pairs if text[slice(*pair)].strip() == expected), (start, end))


def _first(entity: Row, keys: tuple[str, ...]) -> Any:
    return next((entity[key] for key in keys if entity.get(key) is not None), None)


def _without_overlaps(spans: list[tuple[int, int, str]], text: str) -> tuple[list[tuple[int, int, str]], list[str]]:
    """`spans` in order, the longer of two that overlap, and a note on each one dropped."""
    kept: list[tuple[int, int, str]] = []
    dropped: list[tuple[int, int, str]] = []
    for span in sorted(set(spans)):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
        elif span[1] - span[0] > kept[-1][1] - kept[-1][0]:
            dropped.append(kept.pop())
            kept.append(span)
        else:
            dropped.append(span)
    pieces = ((excerpt(text[start:end], 40), label) for start, end, label in dropped)
    return kept, [f"the entity '{piece}' ({label}) overlaps another and was dropped" for piece, label in pieces]
