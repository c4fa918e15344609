"""JSON values one after the other out of a text of any length, whole or broken."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from playground.data.loose import tightened
from playground.data.text import excerpt, join_surrogates

MAX_VALUE_CHARS = 1 << 24
"""A value that has not ended after so many characters counts as broken."""
_SEPARATORS = re.compile(r"[\s,;\x1e]*")
_NEXT_OBJECT = re.compile(r"[}\]]\s*,?\s*(?=\{)|\n\s*(?=\{)")
_LIST_OF_OBJECTS = re.compile(r'"(\w+)"\s*:\s*\[\s*(?=[\[{])')
_MAX_HEAD_CHARS = 1 << 16
_MAX_MENDED_CHARS = 1 << 20


class Parsed(NamedTuple):
    place: int
    """The line where it begins; the next number where other values begin on that line too; from 1."""
    value: Any
    problem: str = ""
    raw: str = ""


def parse_json(text: str) -> Any:
    """`text` as JSON, with NaN and infinities as None and no lone surrogates.

    Raises:
        ValueError: `text` is not JSON, or nested too deeply.
    """
    try:
        value = json.loads(text, parse_constant=lambda _: None, strict=False)
    except RecursionError as err:
        raise ValueError("it is nested too deeply") from err
    return mended(value) if "\\ud" in text or "\\uD" in text else value


def parse_loosely(text: str) -> Any:
    """`text` as JSON, or as something near it, such as a Python literal.

    Raises:
        ValueError: it is neither; the message is about `text` as JSON.
    """
    try:
        return parse_json(text)
    except ValueError as err:
        try:
            return parse_json(tightened(text))
        except ValueError:
            raise err from None


def stream_values(chunks: Iterable[str]) -> Iterator[Parsed]:
    """The values that follow one another, those in a list, or those in the first list of objects in an object.

    A value that is broken costs itself only: reading goes on at the next object.
    """
    text = _Text(chunks)
    text.enter()
    place = 0
    while text.skip_separators():
        place = max(place + 1, text.line)
        yield text.value(place)


class _Text:
    """The part of a text that is being looked at."""

    def __init__(self, chunks: Iterable[str]) -> None:
        self._chunks = iter(chunks)
        self._buffer = ""
        self._place = 0
        self.line = 1
        self._decoder = json.JSONDecoder(parse_constant=lambda _: None, strict=False)

    def enter(self) -> None:
        """Goes to the first value: over the bracket of a list, or into the list that an object holds."""
        while len(self._buffer) < _MAX_HEAD_CHARS and self._fill():
            pass
        start = self._buffer.lstrip()[:1]
        if start == "[":
            self._advance(self._buffer.index("[") + 1)
        elif start == "{":
            inner = _LIST_OF_OBJECTS.search(self._buffer, 0, _MAX_HEAD_CHARS)
            if inner and self._is_outermost(inner.start()):
                self._advance(inner.end())

    def _is_outermost(self, place: int) -> bool:
        before = re.sub(r'"(?:[^"\\]|\\.)*"', "", self._buffer[:place])
        return before.count("{") - before.count("}") <= 2 and "[" not in before

    def skip_separators(self) -> bool:
        """Goes to the next value; False at the end."""
        while True:
            match = _SEPARATORS.match(self._buffer, self._place)
            self._advance(match.end() if match else self._place)
            if self._place < len(self._buffer):
                if self._buffer[self._place] not in "]}":
                    return True
                self._advance(self._place + 1)
                if self._leaves_container():
                    return False
            elif not self._fill():
                return False

    def _leaves_container(self) -> bool:
        """Whether nothing that could be a row comes behind the bracket just passed."""
        while not (rest := self._buffer[self._place :].strip()) and self._fill():
            pass
        return not rest.lstrip(",;]}\x1e \n\r\t").startswith(("{", "["))

    def value(self, place: int) -> Parsed:
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._place)
            except (ValueError, RecursionError) as err:
                if len(self._buffer) - self._place < MAX_VALUE_CHARS and self._fill():
                    continue
                return self._broken(place, err)
            if end == len(self._buffer) and self._fill():
                continue  # a number could go on
            self._advance(end)
            return Parsed(place, mended(value))

    def _broken(self, place: int, err: Exception) -> Parsed:
        start = self._place
        found = _NEXT_OBJECT.search(self._buffer, start + 1)
        end = found.end() if found else len(self._buffer)
        piece = self._buffer[start:end]
        line, words = self.line, "it is nested too deeply"
        if isinstance(err, json.JSONDecodeError):
            line, words = line + self._buffer.count("\n", start, err.pos), err.msg
        self._advance(end)
        problem = Parsed(place, None, f"is not JSON (line {line}: {words})", excerpt(piece[:_MAX_HEAD_CHARS]))
        if len(piece) > _MAX_MENDED_CHARS:
            return problem
        try:
            return Parsed(place, parse_json(tightened(piece).strip().rstrip(",").strip()))
        except ValueError:
            return problem

    def _advance(self, place: int) -> None:
        self.line += self._buffer.count("\n", self._place, place)
        self._place = place

    def _fill(self) -> bool:
        chunk = next(self._chunks, "")
        if not chunk:
            return False
        self._buffer = self._buffer[self._place :] + chunk
        self._place = 0
        # A value that is not whole yet is read again from its beginning: the more there is, the more is added.
        while len(self._buffer) < 2 * (len(self._buffer) - len(chunk)):
            more = next(self._chunks, "")
            if not more:
                break
            self._buffer += more
            chunk += more
        return True


def mended(value: Any) -> Any:
    """`value` without lone surrogates."""
    if isinstance(value, str):
        return join_surrogates(value)
    if isinstance(value, list):
        return [mended(inner) for inner in value]
    if isinstance(value, dict):
        return {join_surrogates(key): mended(inner) for key, inner in value.items()}
    return value
