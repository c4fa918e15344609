"""What a message asks for."""

from dataclasses import dataclass, replace
from typing import Literal

from playground.chat.instruction import Instruction, TaskName
from playground.chat.languages import SUPPORTED, find_unsupported, language_name
from playground.chat.lexicon import unlabelled

Action = Literal[TaskName, "qa", "help", "keep", "talk"]
"""A task, or what the chat does itself: help, keep a text for later, small talk."""


@dataclass(frozen=True)
class Context:
    """What earlier messages left behind."""

    text: str = ""
    last_task: str | None = None
    last_question: str = ""


@dataclass(frozen=True)
class Intent:
    task: Action
    lang: str
    """Language of the instruction, for sentences in the reply."""
    text: str | None = None
    """Text that came with the message; None for the one given before."""
    question: str = ""
    target_lang: str | None = None
    """For summarize: translate the summary into it."""
    source_lang: str | None = None
    of_summary: bool = False
    """Translate the last summary, not the text."""
    problem: str = ""
    """Sentence for the person instead of a result."""


def intent_of(said: Instruction, text: str | None, task: Action | None = None) -> Intent:
    named = task or said.task or "talk"
    intent = Intent(named, said.lang, text=unlabelled(text) or None if text else None)
    if named == "translate":
        other = None if said.mentions else find_unsupported(said.text, said.lang)
        if other:
            return replace(intent, problem=unsupported(other))
        source = said.source.code if said.source else None
        return replace(intent, target_lang=said.target.code if said.target else None, source_lang=source)
    if named == "summarize" and said.names_target and said.target:
        return replace(intent, target_lang=said.target.code)
    return intent


def unsupported(code: str) -> str:
    """Sentence for a language that no adapter and no data of ours knows."""
    names = ", ".join(sorted(map(language_name, SUPPORTED)))
    return f"I can't translate into {language_name(code)}; the languages are {names}."
