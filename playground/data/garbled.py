"""Texts that were read in the wrong encoding before they came here, such as ``CafÃ©`` for ``Café``."""

import re
from collections.abc import Iterable

_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]{2,}")
_WORD = re.compile(r"\S+")


def mended(text: str) -> str:
    """`text` with what is UTF-8 read as Windows-1252 or Latin-1 read as UTF-8."""
    return _BEYOND_ASCII.sub(lambda match: _as_utf8(match.group()), text)


def garbled_word(texts: Iterable[str]) -> str | None:
    """The first word in `texts` that `mended` changes, where it changes two of them or more; else None."""
    changed = [text for text in texts if not text.isascii() and mended(text) != text]
    words = (word for text in changed for word in _WORD.findall(text))
    return next((word for word in words if mended(word) != word), None) if len(changed) > 1 else None


def _as_utf8(text: str) -> str:
    try:
        return b"".join(map(_byte, text)).decode()
    except UnicodeError:
        return text


def _byte(char: str) -> bytes:
    """The byte that was taken for `char`; Windows-1252 leaves some out, which stay as in Latin-1."""
    return char.encode("latin-1") if "\x80" <= char < "\xa0" else char.encode("cp1252")
