"""Shape *generate*: prompts in, text out; long inputs go through several steps and nothing is cut off."""

import re
from collections.abc import Callable, Generator, Sequence
from itertools import pairwise
from typing import Any

from playground.errors import InputError
from playground.tasks.languages import base_code, english_name
from playground.tasks.task import Task
from playground.tasks.windows import special_ids, tokenize
from playground.types import Row

Steps = Generator[list[Row], list[str], str]
"""Yields rows short enough for one prompt each, is sent their outputs, returns the whole output."""

SENTENCE = re.compile(
    r"""(?<!\b[A-Za-z]\.)(?<!\b[A-Z][a-z]\.)        # no initial, no short title such as Dr.
        (?<=[.!?…])["'”’»)\]]*\s+                # a stop and a blank,
        (?=[^\W_a-z]|["'“‘«(\[¿¡])               # then no small Latin letter
      | (?<=[。！？｡।؟۔])["'”’」』）]*\s*           # stops that need no blank behind them
    """,
    re.VERBOSE,
)
SENTENCE_TOKENS = 128
WITHOUT_BLANKS = ("zh", "ja")
"""Languages that put nothing between two sentences."""


def fill_prompt(template: str, row: Row) -> str:
    """The prompt of `row`; a translation row's language codes also stand as English names.

    Raises:
        InputError: the row lacks a field that the template names, or a language is not supported.
    """
    names = {
        f"{side}_language": english_name(row.get(f"{side}_lang", ""))
        for side in ("source", "target")
        if f"{{{side}_language}}" in template
    }
    try:
        return template.format_map({**row, **names})
    except KeyError as err:
        raise InputError(f"The adapter's prompt needs the field {err}, which the row lacks.") from err


def prompt_ids(tokenizer: Any, prompt: str) -> list[int]:
    before, _ = special_ids(tokenizer)
    return [*before, *tokenize(tokenizer, prompt).ids]


def target_ids(tokenizer: Any, text: str, max_tokens: int) -> list[int]:
    """Completion tokens with the end token, which is kept even when the text is shortened to `max_tokens`."""
    ids = tokenize(tokenizer, " " + text.strip()).ids
    return shortened([*ids, tokenizer.eos_token_id], max_tokens)


def shortened(target: list[int], max_tokens: int) -> list[int]:
    """The beginning of what `target_ids` gives, with its end token."""
    return [*target[:-1][: max_tokens - 1], target[-1]]


def steps(task: Task, row: Row, tokenizer: Any, max_length: int) -> Steps:
    """How `row` is worked off: summaries condense step by step, translations go sentence by sentence."""
    if task.name == "summarize":
        return condense(row, lambda text: len(tokenize(tokenizer, text).ids), max_length)
    if task.name == "translate":
        return by_sentence(row, lambda text: len(tokenize(tokenizer, text).ids))
    return _at_once(row)


def joiner(task: Task, rows: Sequence[Row]) -> Callable[[list[str]], str] | None:
    """How the texts of one step read while they grow; None for a step whose texts are not the output yet."""
    if task.name == "summarize" and len(rows) > 1:
        return None
    return lambda texts: " ".join(text for text in texts if text)


def _at_once(row: Row) -> Steps:
    (output,) = yield [row]
    return output


def condense(row: Row, count: Callable[[str], int], limit: int) -> Steps:
    """Summaries of parts of at most `limit` tokens, then a summary of those, until one prompt holds all."""
    text, size = row["document"], count(row["document"])
    while size > limit:
        summaries = yield [{**row, "document": part} for part in pack(text, count, limit)]
        text = "\n".join(summary for summary in summaries if summary)
        longer, size = size, count(text)
        # Summaries as long as their parts, or none at all, would go round for ever.
        if not text or size >= longer:
            return text
    (output,) = yield [{**row, "document": text}]
    return output


def by_sentence(row: Row, count: Callable[[str], int]) -> Steps:
    """Each sentence by itself; line breaks between them stay, and blanks are as the target language has them."""
    pieces = sentences(row["source_text"], count)
    outputs = yield [{**row, "source_text": text} for text, _ in pieces]
    blank = "" if base_code(row["target_lang"]) in WITHOUT_BLANKS else " "
    gaps = [gap if "\n" in gap else blank for _, gap in pieces]
    gaps[-1:] = [gap for _, gap in pieces[-1:]]
    return "".join(output + gap for output, gap in zip(outputs, gaps, strict=True))


def sentences(text: str, count: Callable[[str], int]) -> list[tuple[str, str]]:
    """Sentences with the blank space behind each; a longer one is divided at blanks, else anywhere."""
    found: list[tuple[str, str]] = []
    for line in re.findall(r"[^\n]+\n*|\n+", text):
        body = line.rstrip()
        breaks = line[len(body) :]
        ends = [match.end() for match in SENTENCE.finditer(body)]
        parts = [body[start:end].strip() for start, end in pairwise([0, *ends, len(body)])]
        pieces = [piece.strip() for part in parts for piece in divide(part, count) if piece.strip()]
        gap = "" if re.search(r"[。！？]", body) else " "
        found += [(piece, gap) for piece in pieces]
        if found:
            found[-1] = (found[-1][0], found[-1][1].rstrip(" ") + breaks if pieces else found[-1][1] + breaks)
    return found


def divide(text: str, count: Callable[[str], int], limit: int = SENTENCE_TOKENS) -> list[str]:
    """`text` in halves of halves until each has at most `limit` tokens, cut at a blank where there is one."""
    if count(text) <= limit or len(text) < 2:
        return [text]
    middle = len(text) // 2
    blanks = [match.start() for match in re.finditer(r"[\s,;:，、；]", text[:-1])]
    cut = min(blanks, key=lambda at: abs(at - middle), default=middle - 1) + 1
    return divide(text[:cut], count, limit) + divide(text[cut:], count, limit)


def pack(text: str, count: Callable[[str], int], limit: int) -> list[str]:
    """Runs of whole sentences with at most `limit` tokens each."""
    packed: list[str] = []
    size = 0
    for sentence, gap in sentences(text, count):
        tokens = count(sentence) + 1
        if packed and size + tokens <= limit:
            packed[-1] += sentence + gap
            size += tokens
        else:
            packed.append(sentence + gap)
            size = tokens
    return packed
