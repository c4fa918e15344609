"""Translation memories: TMX and XLIFF, read unit by unit."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from xml.etree.ElementTree import Element, ParseError, iterparse

from playground.data.headers import language_of
from playground.data.table import Entry, Reading, Rejected
from playground.errors import DataError

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_UNITS = {"tu", "trans-unit", "segment"}
_ENTITY = b"<!ENTITY"
_MARKUP = {"bpt", "ept", "it", "ph", "ut"}
"""Elements in a TMX segment that hold the codes of another format, no text."""


def is_memory(head: str) -> bool:
    """Whether the beginning of an XML file is that of a TMX or XLIFF file."""
    return "<tmx" in head or "<xliff" in head


def read_memory(path: Path, head: str, *, name: str) -> Reading:
    """One row a unit, with the first two languages in it.

    Reading the rows raises a DataError where the file declares entities: with them a small one fills any memory.
    """
    columns = ["source_text", "target_text", "source_lang", "target_lang"]
    return Reading("tmx" if "<tmx" in head else "xliff", _entries(path, name), columns)


class _WithoutEntities:
    """A stream of XML that stops where an entity is declared."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._end = b""

    def read(self, num_bytes: int = -1) -> bytes:
        chunk = self._stream.read(num_bytes)
        seen = self._end + chunk.replace(b"\0", b"")  # UTF-16 has zeros between its letters
        if _ENTITY in seen:
            raise DataError(f"{self._name} declares XML entities, which are not read; save it as TSV or CSV.")
        self._end = seen[1 - len(_ENTITY) :]
        return chunk


def _entries(path: Path, name: str) -> Iterator[Entry]:
    number = 0
    languages = ("", "")
    parents: list[Element] = []
    try:
        with path.open("rb") as stream:
            for event, element in iterparse(_WithoutEntities(stream, name), events=("start", "end")):  # noqa: S314  see there
                if event == "start":
                    parents.append(element)
                    languages = _languages(element) or languages
                    continue
                parents.pop()
                if _local(element) not in _UNITS:
                    continue
                number += 1
                yield _entry(element, number, languages)
                if parents:
                    parents[-1].remove(element)  # what was read does not stay in memory
    except ParseError as err:
        yield Rejected(number + 1, f"is broken XML ({err}); what comes behind it could not be read")


def _languages(element: Element) -> tuple[str, str] | None:
    """Source and target language that an element of XLIFF says for the units in it."""
    source = element.get("source-language") or element.get("srcLang")
    target = element.get("target-language") or element.get("trgLang")
    return (source, target or "") if source else None


def _entry(unit: Element, number: int, languages: tuple[str, str]) -> Entry:
    pairs = _memory_pairs(unit) if _local(unit) == "tu" else _document_pairs(unit, languages)
    pairs = [(lang, text) for lang, text in pairs if text]
    if len(pairs) < 2:
        return Rejected(number, f"has {len(pairs)} text{'s' * (len(pairs) != 1)} where a translation needs two")
    (source_lang, source), (target_lang, target) = pairs[:2]
    return number, {
        "source_text": source,
        "target_text": target,
        "source_lang": language_of(source_lang) or source_lang,
        "target_lang": language_of(target_lang) or target_lang,
    }


def _memory_pairs(unit: Element) -> list[tuple[str, str]]:
    variants = [child for child in unit if _local(child) == "tuv"]
    found = []
    for variant in variants:
        segment = next((child for child in variant if _local(child) == "seg"), None)
        language = variant.get(_LANG) or variant.get("lang") or ""
        found.append((language, _text(segment) if segment is not None else ""))
    return found


def _document_pairs(unit: Element, languages: tuple[str, str]) -> list[tuple[str, str]]:
    texts = {_local(child): _text(child) for child in unit}
    return [(languages[0], texts.get("source", "")), (languages[1], texts.get("target", ""))]


def _text(element: Element) -> str:
    parts = [element.text or ""]
    for child in element:
        parts += ["" if _local(child) in _MARKUP else _text(child), child.tail or ""]
    return " ".join("".join(parts).split())


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
