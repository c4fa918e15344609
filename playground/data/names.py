"""Names of persons in rows. Unlike other personal details they have no form: who finds them is handed in."""

import random
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from playground.data.masking import mask_row, maskable_texts
from playground.data.pii import KINDS, Detail, find_details
from playground.types import Progress, Row

NAME = "name"
"""Kind of these details; they are masked as [NAME]."""
SAMPLE_ROWS = 200
SAMPLE_CHARS = 20_000
"""Rows, and characters of them, in which names are looked for before anything is masked."""
SAMPLE_S = 15.0
"""No further rows are looked at after so long: others, such as a training that began, want the processor."""
CHARS_AT_ONCE = 2_000
_TAG = re.compile(rf"\[(?:{'|'.join(kind.upper() for kind in (*KINDS, NAME))})\]")

Span = tuple[int, int]


@dataclass(frozen=True)
class NameFinder:
    title: str
    """Who looks, such as ``ner/multilingual``."""
    find: Callable[[Sequence[str]], Iterable[Sequence[Span]]]
    """The names in each of some texts, as (start, end) in characters, one text after the other."""
    recall: float | None = None
    """Percent of the names that it found where it was measured."""


@dataclass(frozen=True)
class NameSample:
    """Names in some of the rows."""

    num_rows: int
    """That were looked at."""
    found: dict[int, str]
    """The first name in each row that has one, by the place of the row."""
    all_rows_s: float
    """What it would take to look at all rows, in seconds."""


def name_details(text: str, spans: Iterable[Span]) -> list[Detail]:
    """`spans` as details, without those that touch another detail, such as the name in an address, or its tag."""
    taken = [(one.start, one.end) for one in find_details(text)] + [match.span() for match in _TAG.finditer(text)]
    kept: list[Detail] = []
    for start, end in sorted(spans):
        if all(end <= begun or start >= ended for begun, ended in taken):
            kept.append(Detail(NAME, start, end))
            taken.append((start, end))
    return kept


def sample_names(task: str, rows: Sequence[Row], finder: NameFinder) -> NameSample:
    """Looks for names in as many rows as seconds allow, always in the same order."""
    names: dict[int, list[str]] = {}
    looked_at, began, seconds = 0, time.monotonic(), 0.0
    for part in _sample(task, rows):
        if seconds >= SAMPLE_S:
            break
        details = _details_of([text for texts in part.values() for text in texts], finder)
        for place, texts in part.items():
            names[place] = [text[one.start : one.end] for text in texts for one in details[text]]
            looked_at += _num_chars(texts)
        seconds = time.monotonic() - began
    found = {place: names[place][0] for place in sorted(names) if names[place]}
    everything = sum(_num_chars(maskable_texts(task, row)) for row in rows)
    return NameSample(len(names), found, seconds * everything / max(looked_at, 1))


def _sample(task: str, rows: Sequence[Row]) -> Iterator[dict[int, list[str]]]:
    """Texts to look at, by the places of their rows, a few rows at a time."""
    part: dict[int, list[str]] = {}
    num_chars = num_before = 0
    for place in random.Random(0).sample(range(len(rows)), min(SAMPLE_ROWS, len(rows))):
        texts = maskable_texts(task, rows[place])
        num_chars += _num_chars(texts)
        if (num_before or part) and num_chars > SAMPLE_CHARS:
            break
        part[place] = texts
        if num_chars - num_before >= CHARS_AT_ONCE:
            yield part
            part, num_before = {}, num_chars
    if part:
        yield part


def mask_names(task: str, rows: Sequence[Row], finder: NameFinder, progress: Progress) -> list[Row]:
    """`rows` with [NAME] for each name of a person; those without one are the same objects.

    Args:
        progress: told about once a second how far it is, and how long the rest will take.
    """
    texts = [text for row in rows for text in maskable_texts(task, row)]
    details = _details_of(texts, finder, progress)
    return [mask_row(task, row, lambda text: details[text]) for row in rows]


def _num_chars(texts: Iterable[str]) -> int:
    return sum(map(len, texts))


def _details_of(
    texts: Collection[str], finder: NameFinder, progress: Progress = lambda *_: None
) -> dict[str, list[Detail]]:
    """The names in each of `texts`, of which equal ones are looked at once."""
    different = sorted(dict.fromkeys(texts), key=len)
    found = zip(different, _watched(different, finder, progress), strict=True)
    return {text: name_details(text, spans) for text, spans in found}


def _watched(texts: Sequence[str], finder: NameFinder, progress: Progress) -> Iterator[Sequence[Span]]:
    """What `finder` finds, while `progress` is told of it."""
    began = said = time.monotonic()
    num_chars, num_done = _num_chars(texts), 0
    for number, (text, spans) in enumerate(zip(texts, finder.find(texts), strict=True), start=1):
        yield spans
        num_done += len(text)
        now = time.monotonic()
        if now - said >= 1:
            said = now
            left_s = (now - began) * (num_chars - num_done) / max(num_done, 1)
            done = f"{number:,} of {len(texts):,} texts"
            progress(num_done / max(num_chars, 1), f"Masking names: {done}, {duration(left_s)} left")


def duration(seconds: float) -> str:
    return f"about {max(seconds, 1):.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"
