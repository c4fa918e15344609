"""What the name and the first values of a column say about it."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from playground.data.dialogue import transcript
from playground.data.entities import TAG_LETTERS
from playground.data.headers import LANGUAGES, language_of, normal_name, role_score
from playground.data.literals import as_literal
from playground.data.table import Table
from playground.data.text import HAS_NO_SPACES
from playground.data.times import read_times

_NUM_LOOKED_AT = 300
_NUM_READ = 60
_MAX_READ_CHARS = 4000
_MIN_LETTERS = 20
_MAX_TIME_CHARS = 40
_MIN_CERTAINTY = 0.35
_HAS_TAG = re.compile(rf"\b[{TAG_LETTERS}]-\w|\w-[{TAG_LETTERS}]\b")


@dataclass(frozen=True)
class Column:
    name: str
    cells: list[Any]
    """Its first values, a row each."""

    @cached_property
    def values(self) -> list[Any]:
        """The first values that are not empty."""
        return [value for value in self.cells if value is not None and value != "" and value != []]

    def scalars(self) -> list[str]:
        return [str(value).strip() for value in self.values if isinstance(value, str | int | float)]

    def words(self) -> list[str]:
        """Its single values and those in its lists."""
        listed = [inner for value in self.values if isinstance(value, list) for inner in value]
        return self.scalars() + [inner.strip() for inner in listed if isinstance(inner, str)]

    def mean_chars(self) -> float:
        texts = self.scalars()
        return sum(map(len, texts)) / len(texts) if texts else 0.0

    def is_text(self) -> bool:
        return any(isinstance(value, str) for value in self.values) and not self.is_json()

    def is_json(self) -> bool:
        return bool(self.values) and all(isinstance(v, str) and v[:1] in "[{" and v[-1:] in "]}" for v in self.values)

    def is_nested(self) -> bool:
        """Whether most values are lists or objects; a few among words are bad rows."""
        num_nested = sum(isinstance(value, list | dict) for value in self.values)
        return 2 * num_nested > len(self.values) or self.is_json()

    def holds_times(self) -> bool:
        """Whether its values are dates or numbers."""
        texts = self.scalars()[:_NUM_READ]
        return bool(texts) and self.mean_chars() <= _MAX_TIME_CHARS and None not in read_times(texts)

    def is_readable(self) -> bool:
        """Whether its values have several words, unlike addresses, names and labels."""
        texts = self.scalars()
        return sum(" " in text or HAS_NO_SPACES.search(text) is not None for text in texts) > 0.3 * len(texts)

    def share_holding(self, other: "Column") -> float:
        """Share of the rows with texts or numbers in both whose text holds the other's, from 0 to 1."""
        pairs = [
            (str(text).casefold(), str(part).strip().casefold())
            for text, part in zip(self.cells, other.cells, strict=True)
            if isinstance(text, str) and isinstance(part, str | int | float) and str(part).strip()
        ]
        return sum(part in text for text, part in pairs) / len(pairs) if pairs else 0.0

    def share_ending(self, marks: tuple[str, ...]) -> float:
        """Share of its texts that end with one of the `marks`, from 0 to 1."""
        texts = self.scalars()
        return sum(text.endswith(marks) for text in texts) / len(texts) if texts else 0.0

    def varies(self) -> bool:
        """Whether it has more than one value; nothing can be learnt from a column that has not."""
        return len(set(map(repr, self.values))) > 1


def first_columns(table: Table) -> list[Column]:
    return [Column(name, [row.get(name) for row in table.rows[:_NUM_LOOKED_AT]]) for name in table.columns]


def named(columns: Iterable[Column], role: str, least: int = 1) -> str | None:
    """The first column whose name speaks most for `role`, `least` by ``role_score``; the field's own name wins."""
    best, best_score = None, least - 1
    for column in columns:
        is_own_name = normal_name(column.name) == role.replace("_", " ")
        score = 4 if is_own_name else role_score(column.name, role)
        if score > best_score:
            best, best_score = column.name, score
    return best


def text_column(columns: Iterable[Column], *roles: str) -> str | None:
    """The column of texts: by a name that speaks for one of `roles` or for a text, where the longer wins of two such as
    "Kommentar" and "Bewertung", or by length.
    """
    by_length = sorted((column for column in columns if column.scalars()), key=_readability, reverse=True)
    by_name = (named(by_length, role) for role in (*roles, "text"))
    return next(filter(None, by_name), None) or (by_length[0].name if by_length else None)


def is_label_like(column: Column) -> bool:
    """Whether its values are short and come back."""
    values = column.scalars()
    return bool(values) and column.mean_chars() <= 40 and len(set(values)) <= min(50, max(1, len(values) // 2))


def holds_spans(column: Column) -> bool:
    first = next((value for value in column.values if isinstance(value, list | dict)), None)
    first = first if first is not None else next(iter(column.values), None)
    if isinstance(first, str):
        return re.match(r"\[\s*[\[{(]", first) is not None
    if isinstance(first, dict):
        return bool(first) and all(isinstance(inner, dict | list) for inner in first.values())
    return isinstance(first, list) and bool(first) and isinstance(first[0], list | dict)


def holds_messages(column: Column) -> bool:
    """Whether its values are lists of what somebody said, each with who said it."""
    lists = [value for value in column.values if isinstance(value, list)]
    said = [one for value in lists for one in value[:2]]
    return bool(said) and all(
        isinstance(one, dict) and {"role", "from"} & set(one) and {"content", "value"} & set(one) for one in said
    )


def holds_words(column: Column) -> bool:
    """Whether its values are lists of single words, as several labels are kept."""
    lists = [value for value in column.values if isinstance(value, list)]
    return bool(lists) and len(lists) == len(column.values) and all(isinstance(v, str) for one in lists for v in one)


def holds_transcripts(column: Column) -> bool:
    texts = [value for value in column.values if isinstance(value, str)]
    spoken = [said for said in map(transcript, texts) if said and len(said) > 1]
    return bool(texts) and len(spoken) > 0.9 * len(texts)


def spoken_language(column: Column) -> str | None:
    """The language that the texts of a column are in; None when that is not sure."""
    sample = " ".join(column.scalars()[:_NUM_READ])[:_MAX_READ_CHARS]
    if sum(char.isalpha() for char in sample) < _MIN_LETTERS:
        return None
    language, certainty = _identifier().classify(sample)
    return str(language) if certainty >= _MIN_CERTAINTY else None


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(sorted(set(LANGUAGES.values())))
    return identifier


def holds_tags(columns: list[Column], name: str) -> bool:
    values = next(column.values for column in columns if column.name == name)
    return bool(values) and _HAS_TAG.search(json.dumps(values[:50])) is not None


def tagged_words(columns: list[Column]) -> tuple[str, str] | None:
    """A column of lists of words and one of as many tags for each, whatever they are called."""
    lists = {column.name: [_listed(value) for value in column.values[:_NUM_READ]] for column in columns}
    filled = {name: found for name, found in lists.items() if any(found) and None not in found}
    tags = next((name for name in filled if holds_tags(columns, name)), "")
    lengths = [len(found or []) for found in filled.get(tags, [])]
    for name, found in filled.items():
        alike = sum(len(words or []) == count for words, count in zip(found, lengths, strict=False))
        if name != tags and len(found) == len(lengths) and 2 * alike > len(lengths):
            return name, tags
    return None


def _listed(value: Any) -> list[str] | None:
    """`value`, a list of texts or the text of one; None when it is another thing."""
    listed = as_literal(value) if isinstance(value, str) and value[:1] == "[" else value
    is_list = isinstance(listed, list) and all(isinstance(one, str) for one in listed)
    return listed if is_list else None


def language_keys(column: Column) -> tuple[str, str] | None:
    """The first two languages of a column of objects such as {"en": ..., "de": ...}."""
    first = column.values[0] if column.values else None
    if not isinstance(first, dict) or len(first) < 2 or not all(map(language_of, first)):
        return None
    source, target = list(first)[:2]
    return source, target


def _readability(column: Column) -> tuple[bool, float]:
    """Texts before addresses, numbers and dates, the longer first."""
    return column.is_readable(), column.mean_chars()
