"""Slash commands: a word that names the task, and what follows it."""

import re
from difflib import get_close_matches

from playground.chat.folding import fold
from playground.chat.instruction import Instruction, num_words, reply_language
from playground.chat.intent import Action, Intent, intent_of, unsupported
from playground.chat.languages import SUPPORTED, find_language, find_mentions, rank_languages
from playground.chat.lexicon import unlabelled

COMMANDS: dict[str, Action] = {
    "sentiment": "sentiment", "entities": "ner", "ask": "qa", "summarize": "summarize", "translate": "translate",
    "help": "help",
}  # fmt: skip
_ALIASES: dict[str, Action] = {
    "ner": "ner", "names": "ner", "qa": "qa", "question": "qa", "summary": "summarize", "summarise": "summarize",
    "sum": "summarize", "tldr": "summarize", "classify": "sentiment", "commands": "help", "start": "help",
}  # fmt: skip

_COMMAND = re.compile(r"/(\w+)(?=\s|:|$)[:\s]*")


def read_command(message: str) -> Intent | None:
    """The intent of a message that begins with a command; None for any other, also for "/traduire", which is read as
    plain language.
    """
    match = _COMMAND.match(message)
    if not match:
        return None
    name, rest = match.group(1).lower(), message[match.end() :].strip()
    lang = reply_language(rest)
    task = COMMANDS.get(name) or _ALIASES.get(name)
    if task == "translate":
        return _translate_command(rest, lang)
    if task == "qa":
        return _ask_command(rest, lang)
    if task is not None:
        return Intent(task, lang, text=rest or None)
    if Instruction(name).task:
        return None
    near = get_close_matches(name, COMMANDS, n=1)
    hint = f" Did you mean /{near[0]}?" if near else ""
    return Intent("help", "en", problem=f"There is no command /{match.group(1)}.{hint}")


def _translate_command(rest: str, lang: str) -> Intent:
    if not rest:
        return Intent("translate", lang)
    said = Instruction(f"translate {rest}")
    if said.target and said.leftover == 0 and len(rest.split()) > 1:
        return intent_of(said, None, task="translate")
    head, _, tail = rest.partition("\n")
    known, text = _leading_language(head)
    text = f"{text}\n{tail}".strip()
    if known in SUPPORTED or (known and known.split("-")[0] in SUPPORTED):
        return Intent("translate", reply_language(text), text=text or None, target_lang=known)
    if known:
        return Intent("translate", "en", problem=unsupported(known))
    word = head.split()[0].strip(":,.")
    if num_words(head) <= 1 or len(word) <= 3:
        problem = f"'{word}' is no language that I know; write for example /translate fr or /translate French."
        return Intent("translate", "en", problem=problem)
    return Intent("translate", lang, text=rest)


def _leading_language(line: str) -> tuple[str | None, str]:
    """The language that `line` begins with, after words such as "to", and what follows it."""
    line = re.sub(r"^(?:(?:in)?to|in)\s+", "", line, flags=re.IGNORECASE)
    tokens = line.split()
    for num in (3, 2, 1):
        if num > len(tokens):
            continue
        words = " ".join(tokens[:num]).rstrip(":,.")
        mentions = find_mentions(fold(words), rank_languages(words), everywhere=True)
        if mentions and (mentions[0].start, mentions[0].end) == (0, len(fold(words))):
            return find_language(words), " ".join(line.split(maxsplit=num)[num:])
    first = tokens[0].rstrip(":,.")
    return find_language(first), " ".join(line.split(maxsplit=1)[1:])


def _ask_command(rest: str, lang: str) -> Intent:
    if not rest:
        return Intent("qa", "en", problem="Write the question behind /ask, for example: /ask Who founded it?")
    head, _, tail = rest.partition("\n")
    front, _, last = rest.rpartition("\n")
    if front and Instruction(last).question_mark and not Instruction(head).question_mark:
        head, tail = last, front
    return Intent("qa", lang, text=tail.strip() or None, question=unlabelled(head))
