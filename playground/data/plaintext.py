"""Text files without columns: a text a line, with the label or the entities that some notations put into it."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from playground.data.entities import TAG_LETTERS
from playground.data.gathering import beginning, num_chars
from playground.data.table import Entry, Reading
from playground.types import Row

_NUM_TRIED = 60
_FASTTEXT = re.compile(r"((?:__label__\S+\s+)+)(.+)")
_SLASHED = re.compile(rf"\S+/(?:[{TAG_LETTERS}]-\S+|O)")
_MOSES = " ||| "


def read_lines(lines: Iterable[str]) -> Reading:
    """A row a line that is not empty.

    fastText's ``__label__x text``, ``token/TAG`` and ``text ||| translation`` are taken apart.
    """
    stream = enumerate((line.strip() for line in lines), 1)
    filled = ((number, line) for number, line in stream if line)
    head = beginning(filled, _NUM_TRIED, num_chars)
    texts = [line for _, line in head]
    whole = chain(head, filled)
    if _share(_FASTTEXT.fullmatch(line) is not None for line in texts) > 0.9:
        return Reading(
            "txt", _fasttext(whole), ["text", "label"], ["Labels stand before the texts, as fastText has them."]
        )
    if _share(all(map(_SLASHED.fullmatch, line.split())) for line in texts) > 0.9:
        return Reading("txt", _slashed(whole), ["tokens", "tags"])
    if _share(line.count(_MOSES) == 1 for line in texts) > 0.9:
        return Reading("txt", _moses(whole), ["source_text", "target_text"])
    return Reading("txt", ((number, {"text": line}) for number, line in whole), ["text"])


def _share(claims: Iterable[bool]) -> float:
    found = list(claims)
    return sum(found) / len(found) if found else 0.0


def _fasttext(lines: Iterable[tuple[int, str]]) -> Iterator[Entry]:
    for number, line in lines:
        match = _FASTTEXT.fullmatch(line)
        labels = match[1].replace("__label__", "").split() if match else []
        row: Row = {"text": match[2] if match else line, "label": labels[0] if len(labels) == 1 else labels or None}
        yield number, row


def _slashed(lines: Iterable[tuple[int, str]]) -> Iterator[Entry]:
    for number, line in lines:
        pairs = [word.rpartition("/") for word in line.split()]
        yield number, {"tokens": [token for token, _, _ in pairs], "tags": [tag for _, _, tag in pairs]}


def _moses(lines: Iterable[tuple[int, str]]) -> Iterator[Entry]:
    for number, line in lines:
        source, _, target = line.partition(_MOSES)
        yield number, {"source_text": source, "target_text": target}
