"""Text that people type or upload, made safe for a tokenizer without moving more than it must."""

import json
import re
import unicodedata
from typing import Any

from playground import settings
from playground.errors import InputError

# Scripts written without spaces between words: Han, Kana, Thai, Lao, Myanmar, Khmer.
HAS_NO_SPACES = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
)

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LONE_RETURN = re.compile("\r(?!\n)")
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")


def clean_text(value: object, what: str = "text") -> str:
    """`value` without the characters that break tokenizers, files and JSON; `what` names it in messages.

    There is no Unicode normalisation and no stripping, because entities and answers point into the text by
    character offset; only the joining of surrogate pairs moves offsets, see `moved_offset`.

    Raises:
        InputError: not a string, nothing visible in it, or longer than ``settings.MAX_TEXT_CHARS`` characters.
    """
    if not isinstance(value, str):
        raise InputError(f"The {what} must be text, not {describe_type(value)}.")
    text = scrub(value)
    if not is_visible(text):
        raise InputError(f"The {what} is empty; it needs at least one visible character.")
    if len(text) > settings.MAX_TEXT_CHARS:
        raise InputError(
            f"The {what} has {len(text):,} characters; the limit is {settings.MAX_TEXT_CHARS:,}. Split it into parts."
        )
    return text


def scrub(text: str) -> str:
    r"""`text` with "\n" as the only line end, no control characters but "\t", and no surrogates."""
    return blank_controls(join_surrogates(text))


def blank_controls(text: str) -> str:
    r"""`text`, as long as before, with a lone "\r" as "\n" and a space for every other control but "\t" and "\n"."""
    return _CONTROLS.sub(" ", _LONE_RETURN.sub("\n", text))


def join_surrogates(text: str) -> str:
    """`text` with surrogate pairs joined to the character they stand for and lone ones as U+FFFD."""
    return _SURROGATES.sub(_joined, text)


def moved_offset(text: str, offset: int) -> int:
    """Where the character at `offset` of `text` lies in ``scrub(text)``."""
    return len(join_surrogates(text[:offset]))


def is_visible(text: str) -> bool:
    """Whether `text` holds anything but white space, format characters such as U+200B, and controls."""
    return any(not char.isspace() and unicodedata.category(char) not in {"Cf", "Cc"} for char in text)


def describe_type(value: object) -> str:
    """Words for the type of a JSON value, for messages."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    names: dict[type[object], str] = {str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), f"a {type(value).__name__}")


def in_one_line(text: str) -> str:
    """`text` with one space for each run of white space, line ends included, and none around it."""
    return " ".join(text.split())


def as_written(value: Any) -> Any:
    """`value` as the text that somebody could write: objects and lists as JSON, anything else as it is."""
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else value


def excerpt(value: object, num_chars: int = 120) -> str:
    """The beginning of `value` on one line, for messages and previews; lists and objects are shown as JSON."""
    line = in_one_line(scrub(str(as_written(value))))
    return line if len(line) <= num_chars else line[: num_chars - 1] + "…"


def _joined(match: re.Match[str]) -> str:
    pair = match.group()
    return pair.encode("utf-16-le", "surrogatepass").decode("utf-16-le") if len(pair) == 2 else "\ufffd"
