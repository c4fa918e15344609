"""The words by which a message says what it wants, in each language; the words themselves are in lexicon.json.

Kinds: the four tasks that have words of their own, ``help``, ``ask`` (question words), ``more`` (beginnings of a
follow-up), ``refs`` (what points at a text), ``fill`` (what carries no meaning), ``from``, ``to`` and their ``_after``
forms (what marks a language as source or target), ``greet``, ``label`` (what stands before a colon).

Entries match from the beginning of a word, so "translat" finds "translating"; "_" at the end asks for the whole word,
"*" stands for up to three words between. Scripts without blanks match anywhere.
"""

import json
import re
from functools import cache
from pathlib import Path

from playground.chat.folding import fold
from playground.chat.languages import CLITICS, JOINED, LETTER

MAX_LABEL_CHARS = 20
WORD = rf"[{LETTER}']+"
_GAP = rf"(?:[^{LETTER}]+{WORD}){{0,3}}?[^{LETTER}]+"


@cache
def _entries() -> dict[str, dict[str, list[str]]]:
    content = json.loads(Path(__file__).with_name("lexicon.json").read_text(encoding="utf-8"))
    return {lang: {kind: fold(words).split("|") for kind, words in kinds.items()} for lang, kinds in content.items()}


@cache
def words(lang: str, kind: str) -> re.Pattern[str]:
    """Matches any entry of `kind` ("translate", "refs", ...) of `lang` in folded text, the longest one first."""
    entries = sorted(_entries()[lang].get(kind, []), key=len, reverse=True)
    forms = "|".join(_form(entry, lang) for entry in entries) or "(?!)"
    if lang in JOINED:
        return re.compile(f"(?:{forms})")
    return re.compile(f"(?<![{LETTER}]){CLITICS.get(lang, '')}(?:{forms})")


def suffixes(lang: str, kind: str) -> tuple[str, ...]:
    """Entries of `kind` that stand behind a word or at its end, folded; empty for languages that have none."""
    return tuple(entry for entry in _entries()[lang].get(kind, []) if entry)


def unlabelled(text: str) -> str:
    """`text` without a "Question:" or "Text:" in front, in whatever language."""
    text = text.strip()
    match = _label().match(fold(text[:MAX_LABEL_CHARS]))
    return re.split("[:：]", text, maxsplit=1)[1].strip() if match else text


@cache
def _label() -> re.Pattern[str]:
    labels = {entry for kinds in _entries().values() for entry in kinds["label"]}
    return re.compile(rf"(?:{'|'.join(map(re.escape, labels))})\s*:")


def _form(entry: str, lang: str) -> str:
    stem = entry.removesuffix("_")
    pattern = _GAP.join(re.escape(part.strip() if "*" in stem else part) for part in stem.split("*"))
    whole = entry.endswith("_") and lang not in JOINED
    return pattern + (f"(?![{LETTER}])" if whole else "")
