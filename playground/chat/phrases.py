"""What the chat says itself, in the language of the person; the sentences are in phrases.json."""

import json
from functools import cache
from pathlib import Path
from typing import Literal

Phrase = Literal["help", "kept", "need_text", "which_language", "no_free_talk"]

COMMAND_LIST = "/sentiment · /entities · /ask … · /summarize · /translate fr · /help"


def phrase(name: Phrase, lang: str) -> str:
    """The sentence in `lang`, in English where there is none."""
    return _phrases().get(lang, _phrases()["en"])[name]


def with_commands(sentence: str) -> str:
    return f"{sentence}\n{COMMAND_LIST}"


@cache
def _phrases() -> dict[str, dict[str, str]]:
    content: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("phrases.json").read_text("utf-8"))
    return content
