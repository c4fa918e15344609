"""The router: which task a message asks for, on which text, into which language. No model takes part in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from playground.chat.commands import read_command
from playground.chat.instruction import Instruction, num_words
from playground.chat.intent import Context, Intent, intent_of
from playground.chat.lexicon import unlabelled

MAX_INSTRUCTION_WORDS = 30
MIN_TEXT_WORDS = 5  # fewer words without an instruction are small talk
MIN_TEXT_CHARS = 200
MIN_READING_WORDS = 8  # a text to ask about has at least so many
MAX_QUOTING_CHARS = 2000
MAX_UNMARKED_WORDS = 12  # of a question without question mark

_COLON = re.compile(r"[:：]+(?!//)(?!\d)\s*|\s[–—-]+\s")
_QUOTED = re.compile(r"[\"“”„«「『《‹][\s]*(.+?)[\s]*[\"”“»」』》›]|(?<!\w)['‘](.+?)['’](?!\w)", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?؟।۔…])[\"'”’»)]*\s+|(?<=[。！？])[」』”’）]*\s*|(?<=\S)\s*\n\s*")


_Kind = Literal["colon", "lines", "quotes", "sentences"]
_CLARITY: tuple[_Kind, ...] = ("colon", "lines", "quotes", "sentences")


@dataclass(frozen=True)
class _Split:
    kind: _Kind
    instruction: str
    text: str


def route(message: str, context: Context) -> Intent:
    """What to do with `message` after the messages summed up in `context`."""
    message = message.strip()
    command = read_command(message)
    if command:
        return command
    if message.startswith("/") and Instruction(message[1:].split()[0] if message[1:].split() else "").task:
        message = message[1:]  # "/traduire en anglais"
    return _separated(message, context) or _alone(message, context)


def _separated(message: str, context: Context) -> Intent | None:
    """Of a message that holds both an instruction and a text; the barest instruction wins."""
    accepted: list[tuple[int, float, Intent]] = []
    for split in _splits(message):
        if num_words(split.instruction) > MAX_INSTRUCTION_WORDS or not num_words(split.text):
            continue
        said = Instruction(split.instruction)
        intent = _accept(split, said, context)
        if intent:
            accepted.append((_CLARITY.index(split.kind), said.leftover, intent))
    return min(accepted, key=lambda one: one[:2])[2] if accepted else None


def _splits(message: str) -> Iterator[_Split]:
    first_line, _, other_lines = message.partition("\n")
    for match in _COLON.finditer(first_line[:300]):
        yield _Split("colon", message[: match.start()], message[match.end() :].strip())
    if other_lines.strip():
        yield _Split("lines", unlabelled(first_line), unlabelled(other_lines))
        front, _, last_line = message.rpartition("\n")
        yield _Split("lines", unlabelled(last_line), unlabelled(front))
    quoted = max(_QUOTED.finditer(message[:MAX_QUOTING_CHARS]), key=lambda match: len(match.group()), default=None)
    if quoted:
        outside = message[: quoted.start()] + " " + message[quoted.end() :]
        yield _Split("quotes", outside, (quoted.group(1) or quoted.group(2)).strip())
    ends = [match.span() for match in _SENTENCE_END.finditer(message) if match.end() < len(message)]
    if ends:
        yield _Split("sentences", unlabelled(message[: ends[0][0]]), unlabelled(message[ends[0][1] :]))
        yield _Split("sentences", unlabelled(message[ends[-1][1] :]), unlabelled(message[: ends[-1][0]]))


def _accept(split: _Split, said: Instruction, context: Context) -> Intent | None:
    """The intent when the two parts of `split` really are an instruction and its text."""
    size = num_words(split.text)
    if split.kind == "sentences" and (_is_small_talk(size, context) or _instructs(split.text, size)):
        return None
    most = 2 if said.text.endswith(".") else 4  # a line with a full stop is more often a sentence of the text
    is_bare = split.kind == "lines" and said.leftover <= most
    if said.task and (split.kind in ("colon", "quotes") or is_bare or said.is_imperative):
        return intent_of(said, split.text)
    if split.kind != "sentences" and said.mentions and said.leftover == 0 and not said.question_word:
        return intent_of(said, split.text, task="translate")
    if split.kind == "colon" and said.continues and said.leftover == 0 and context.last_task in _REPEATABLE:
        return Intent(context.last_task, said.lang, text=split.text)  # type: ignore[arg-type]
    if split.kind != "quotes" and _is_question_about(split, said, size):
        return Intent("qa", said.lang, text=split.text, question=split.instruction.strip())
    return None


def _is_small_talk(size: float, context: Context) -> bool:
    """As in "Thanks! Now translate it."."""
    return bool(context.text) and size < 4


def _instructs(text: str, size: float) -> bool:
    """As in "What mood is it in? Positive or negative?"."""
    return size <= 12 and (said := Instruction(text)).task is not None and said.is_imperative


_REPEATABLE = frozenset({"sentiment", "ner", "summarize"})


def _is_question_about(split: _Split, said: Instruction, size: float) -> bool:
    if not said.asks or size < MIN_READING_WORDS or size <= num_words(split.instruction):
        return False
    if split.kind == "lines":
        return said.question_mark or said.is_unmarked_question
    if split.kind == "colon":
        return said.question_word
    return said.question_mark and said.question_word and not re.search(r"[?？؟]", split.text)


def _alone(message: str, context: Context) -> Intent:
    """Of a message that is only an instruction, only a text, or neither."""
    said = Instruction(message[:2000])
    size = num_words(message)
    if size <= MAX_INSTRUCTION_WORDS:
        intent = _instruction(said, context) or _about_text(said, context)
        if intent:
            return intent
        if said.asks_for_help:
            return Intent("help", said.lang)
    if _is_question(said, size, context):
        return Intent("qa", said.lang, question=_full_question(message, said, context))
    if size >= MIN_TEXT_WORDS or len(message) > MIN_TEXT_CHARS:
        return Intent("keep", said.lang, text=message)
    return Intent("talk", said.lang)


def _is_question(said: Instruction, size: float, context: Context) -> bool:
    """Question words alone are found in many a sentence; without a question mark only a short one is a question."""
    if said.question_mark:
        return size <= (2 if context.text else 1) * MAX_INSTRUCTION_WORDS
    return said.question_word and size <= (MAX_UNMARKED_WORDS if context.text else MIN_READING_WORDS - 1)


def _instruction(said: Instruction, context: Context) -> Intent | None:
    if said.task is None or (said.leftover >= 6 and not said.is_imperative):
        return None
    if said.task == "translate":
        if "summarize" in [one.task for one in said.found]:
            return replace(intent_of(said, None), of_summary=True)
        if context.text:
            carries_text = said.leftover >= 2 and not said.has_refs
        else:
            carries_text = said.leftover >= 3 or not said.has_refs
        return intent_of(said, said.object_text if carries_text else None)
    return intent_of(said, None)


def _about_text(said: Instruction, context: Context) -> Intent | None:
    """A follow-up that names only a language: "and in German?"."""
    if not (context.text and said.mentions):
        return None
    short = context.last_task == "translate" and num_words(said.piece) <= 6 and (said.continues or not said.asks)
    points = said.names_target and said.leftover <= 1  # "Can you say that in French?"
    return intent_of(said, None, task="translate") if said.leftover == 0 or short or points else None


def _full_question(message: str, said: Instruction, context: Context) -> str:
    """The question, with the one before it when it is only the rest of one: "and in 2019?"."""
    elliptic = said.continues and num_words(message) <= 6 and not said.question_word
    if elliptic and context.last_task == "qa" and context.last_question:
        return f"{context.last_question} {message}"
    return unlabelled(message)
