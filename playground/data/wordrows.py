"""Tables with one word a row, as named entities are often shared: words become sentences again."""

import re
from collections.abc import Iterator
from itertools import chain

from playground.data.entities import TAG_LETTERS
from playground.data.gathering import beginning, num_chars
from playground.data.headers import normal_name
from playground.data.table import Entry, Reading, Rejected
from playground.data.text import excerpt
from playground.types import Row

_WORDS = frozenset({"word", "words", "token", "tokens", "form"})
_TAGS = frozenset("tag tags label labels ner bio iob entity".split()) | {"ner tag", "ner tags", "bio tag", "iob tag"}
_SENTENCES = frozenset(
    {"sentence", "sentence id", "sentence no", "sentence number", "sentence idx", "sent", "sent id", "sentence num"}
)
IOB_TAG = re.compile(rf"(?:[{TAG_LETTERS}][-_]\S+|O)", re.IGNORECASE)
_NUM_TRIED = 200
_ENDS = frozenset(".!?。！？")
MAX_SENTENCE_TOKENS = 10_000
ENDLESS = f"begins {MAX_SENTENCE_TOKENS:,} words without the end of a sentence; put an empty line after each sentence"


def with_sentences(reading: Reading) -> Reading:
    """`reading`, or its sentences when it has a word and an IOB tag in each row.

    A sentence ends where the column that names it changes, else at an empty line, else behind a full stop.
    """
    columns = reading.columns or []
    word, tag = _named(columns, _WORDS), _named(columns, _TAGS)
    if word is None or tag is None:
        return reading
    entries = iter(reading.entries)
    head = beginning(entries, _NUM_TRIED, num_chars)
    whole = chain(head, entries)
    rows = [entry[1] for entry in head if not isinstance(entry, Rejected)]
    tags = [value for row in rows if isinstance(value := row[tag], str) and IOB_TAG.fullmatch(value.strip())]
    if len(tags) < 0.9 * len(rows) or all(value.strip().upper() == "O" for value in tags):
        return Reading(reading.format, whole, columns, reading.notes)
    sentence = _named(columns, _SENTENCES)
    how = f"the column '{sentence}' tells" if sentence else "empty lines and full stops tell"
    reading.notes.append(f"Each row is a word; {how} which ones make a sentence.")
    return Reading(reading.format, _sentences(whole, word, tag, sentence), ["tokens", "tags"], reading.notes)


def names_words(cells: list[str]) -> bool:
    """Whether `cells` are the header of a table with a word and a tag in each row."""
    return _named(cells, _WORDS) is not None and _named(cells, _TAGS) is not None


def _sentences(entries: Iterator[Entry], word: str, tag: str, sentence: str | None) -> Iterator[Entry]:
    made: Row = {"tokens": [], "tags": []}
    first = last = 0
    name = ""
    for entry in entries:
        if isinstance(entry, Rejected):
            yield entry
            continue
        line, row = entry
        here = str(row[sentence] or "").strip() if sentence else ""
        tokens = made["tokens"]
        is_next = here not in ("", name) if sentence else line > last + 1 or (tokens and tokens[-1] in _ENDS)
        is_endless = len(tokens) >= MAX_SENTENCE_TOKENS
        if tokens and (is_next or is_endless):
            yield (first, made) if is_next else Rejected(first, ENDLESS, excerpt(" ".join(tokens[:20])))
            made = {"tokens": [], "tags": []}
        token, label = str(row[word] or "").strip(), str(row[tag] or "").strip()
        name, last = here or name, line
        if not token:
            continue
        first = first if made["tokens"] else line
        made["tokens"].append(token)
        made["tags"].append(label or "O")
    if made["tokens"]:
        yield first, made


def _named(columns: list[str], names: frozenset[str]) -> str | None:
    return next((column for column in columns if normal_name(column) in names), None)
