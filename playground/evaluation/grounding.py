"""How much of what a summary states by number or by name stands in its document; the rest is invented."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

import regex

from playground.tasks.shape_generate import sentences

MIN_SHARED_CHARS = 4
"""Two forms of a name have at least that beginning in common."""
MAX_ENDING_CHARS = 3
"""At most so much at the end of a name may be an ending that the document's form of it lacks."""

_NUMBER = regex.compile(
    r"""\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?!\d)(?:[.,٫]\d+)?    # thousands parted by blanks
      | \d+(?:[.,:/٫٬．，：／'’]\d+)*
    """,
    regex.VERBOSE,
)
_THOUSANDS = regex.compile(r"\d{1,3}([ ,.'])(?:\d{2,3}\1)*\d{3}(?:[.,]\d+)?")
"""With groups of two as well, as in the Indian 12,34,567."""
_BLANK_IN_NUMBER = regex.compile(r"(?<=\d)[ \u00a0\u202f](?=\d)")
_LEADING_ZEROS = re.compile(r"^0+(?=\d)")
_SIGNS = str.maketrans("٫٬．，：／’\u00a0\u202f", ".,.,:/'  ")
_LETTER = regex.compile(r"\p{L}")
_WORD = regex.compile(r"[\p{Lu}\p{Lt}\p{Ll}][\p{Lu}\p{Lt}\p{Ll}\p{M}]*")


def source_precision(documents: Sequence[str], summaries: Sequence[str]) -> float:
    """Share (0 to 100) of the numbers and capitalised names in all the summaries that occur in their documents.

    Numbers are the same in whatever digits (Arabic, Devanagari, full-width) and with whatever thousands separators; a
    rounded one is another number. A name is a word of two letters or more with a capital that does not open a
    sentence, where any word has one. So the nouns of German count as well, and scripts without capitals have numbers
    only. It is found if the document has that word, in any case and with another ending. Summaries with neither don't
    matter; 100 when there is none at all.
    """
    found = [is_there for pair in zip(documents, summaries, strict=True) for is_there in _findings(*pair)]
    return 100 * sum(found) / len(found) if found else 100.0


def numbers(text: str) -> list[str]:
    """The numbers of `text` in ASCII digits, without thousands separators, with a point before decimals."""
    return [_plain_number(found) for found in _NUMBER.findall(text)]


def names(text: str) -> list[str]:
    """The capitalised words of `text` that do not open a sentence, in lower case."""
    return [name for sentence, _ in sentences(text, lambda _: 0) for name in _names_within(sentence)]


def _findings(document: str, summary: str) -> Iterator[bool]:
    document, summary = (unicodedata.normalize("NFC", text) for text in (document, summary))
    known, words = _known_numbers(document), {word.casefold() for word in _WORD.findall(document)}
    yield from (number in known for number in numbers(summary))
    yield from (_occurs(name, words) for name in names(summary))


def _known_numbers(document: str) -> set[str]:
    """All numbers and the parts of dates, times and the like; what blanks divide may be one number or several."""
    found = {*numbers(document), *numbers(_BLANK_IN_NUMBER.sub("  ", document))}
    return found | {_LEADING_ZEROS.sub("", part) for number in found for part in re.split(r"\D", number)}


def _plain_number(text: str) -> str:
    number = "".join(str(unicodedata.decimal(char, char)) for char in text).translate(_SIGNS)
    grouped = _THOUSANDS.fullmatch(number)
    if grouped:
        number = number.replace(grouped[1], "")
    return _LEADING_ZEROS.sub("", number.replace(",", "."))


def _names_within(sentence: str) -> list[str]:
    opening = _LETTER.search(sentence)
    later = (found[0] for found in _WORD.finditer(sentence) if opening and found.start() > opening.start())
    return [word.casefold() for word in later if len(word) > 1 and not word[0].islower()]


def _occurs(name: str, words: AbstractSet[str]) -> bool:
    stem = name[: max(MIN_SHARED_CHARS, len(name) - MAX_ENDING_CHARS)]
    return name in words or (len(name) >= MIN_SHARED_CHARS and any(word.startswith(stem) for word in words))
