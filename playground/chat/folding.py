"""Text made comparable: no case, no accents, one spelling of look-alike letters; each letter keeps its place."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

# Accents of Latin, Greek and Cyrillic, Hebrew and Arabic vowel points, the Devanagari and Bengali nukta, joiners.
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u0655\u0670\u093c\u09bc\u200b-\u200f\u2060-\u2069\ufeff]")
_LOOK_ALIKES = str.maketrans(
    {
        "ı": "i", "đ": "d", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe",
        "ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه",
        "’": "'", "‘": "'", "ʼ": "'", "׳": "'", "`": "'", "‐": "-", "‑": "-", "–": "-", "—": "-",
        "،": ",", "、": ",", "؟": "?", "。": ".", "।": ".", "۔": ".",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Folded:
    text: str
    starts: tuple[int, ...]
    """Where each letter of ``text`` lies in the original; one more entry for the end."""


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    wide = unicodedata.normalize("NFKC", character).casefold()
    plain = _MARKS.sub("", unicodedata.normalize("NFD", wide))
    return unicodedata.normalize("NFC", plain).translate(_LOOK_ALIKES)


def fold(text: str) -> str:
    return "".join(_fold_character(character) for character in text)


def fold_with_places(text: str) -> Folded:
    """As `fold`, with the way back to the original text."""
    pieces = [_fold_character(character) for character in text]
    starts = [place for place, piece in enumerate(pieces) for _ in piece]
    return Folded("".join(pieces), (*starts, len(text)))
