"""Offsets that count something else than characters: the units of JavaScript, or the bytes of UTF-8."""

from collections.abc import Iterable

from playground.data.quotes import is_by_itself

_BYTES = ("utf-8", 1)
_JAVASCRIPT = ("utf-16-le", 2)
"""An emoji counts as two."""


def at_byte(text: str, offset: int) -> int | None:
    """How many characters of `text` lie before that byte of its UTF-8; None inside a character or behind the end."""
    return _at_unit(text, offset, *_BYTES)


def other_places(text: str, offset: int) -> list[int]:
    """Where `offset` lies in the characters of `text` if it counts as JavaScript does, or bytes."""
    places = (_at_unit(text, offset, *units) for units in (_JAVASCRIPT, _BYTES))
    return [place for place in places if place is not None and place != offset]


def are_bytes(spans: Iterable[tuple[str, int, int]]) -> bool:
    """Whether the starts and ends of `spans`, each with its text, are rather bytes than characters.

    They are if many lie where no entity can, behind the text or inside words, and clearly fewer do as bytes.
    """
    num_spans = num_odd = num_odd_as_bytes = 0
    for text, start, end in spans:
        first, last = at_byte(text, start), at_byte(text, end)
        if (first, last) == (start, end):
            continue  # only ASCII before it: both are the same
        num_spans += 1
        num_odd += _is_odd(text, start, end)
        num_odd_as_bytes += _is_odd(text, first, last)
    return 0 < num_spans <= 3 * num_odd and 4 * num_odd_as_bytes <= 3 * num_odd


def _is_odd(text: str, start: int | None, end: int | None) -> bool:
    """Whether nobody would mark this: nothing, white space around words, or a part of a word."""
    if start is None or end is None or not 0 <= start < end <= len(text):
        return True
    piece = text[start:end]
    return piece != piece.strip() or not is_by_itself((start, end), text)


def _at_unit(text: str, offset: int, encoding: str, size: int) -> int | None:
    units = text.encode(encoding, "surrogatepass")
    if not 0 <= offset * size <= len(units):
        return None
    try:
        return len(units[: offset * size].decode(encoding, "surrogatepass"))
    except UnicodeDecodeError:
        return None
