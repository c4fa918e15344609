"""Answers of extractive question answering, found again in their context."""

from typing import Any

from playground.data.literals import as_literal, as_offset
from playground.data.offsets import other_places
from playground.data.quotes import mentions_of
from playground.data.text import clean_text, describe_type, excerpt, is_visible, moved_offset, scrub
from playground.errors import DataError
from playground.types import Row

_START_KEYS = ("start", "answer_start", "offset", "start_char")
_IMPOSSIBLE = {"true", "1", "yes"}


def qa_row(row: Row) -> tuple[Row, list[str]]:
    """`row` as {"context", "question", "answers": [{"text", "start"}]} with other fields kept, and notes.

    Answers may be such a list, SQuAD's ``answer_start``, ``{"text": [...], "answer_start": [...]}``, a plain text,
    or any of these as JSON text; no text means that the context has no answer.

    Raises:
        DataError: nothing of these fits, or no answer is in the context; the message is the reason.
    """
    row = dict(row)
    start_column = row.pop("answer_start", None)
    original = row.get("context")
    context, question = clean_text(original, "context"), clean_text(row.get("question"), "question")
    if "answers" not in row and "answer" in row:
        row["answers"] = row.pop("answer")
    is_impossible = str(row.get("is_impossible", "")).lower() in _IMPOSSIBLE
    if "answers" not in row and not is_impossible:
        raise DataError("answers are missing; an empty list means that the context has no answer")
    answers, notes = [], []
    for text, start in [] if is_impossible else _pairs(row["answers"], start_column):
        found = _located(context, str(original), text, start)
        if isinstance(found, str):
            notes.append(found)
            continue
        (place, end), note = found
        notes += [note] if note else []
        answers.append({"text": context[place:end], "start": place})
    if notes and not answers:
        raise DataError(notes[0])
    unique = list({(answer["text"], answer["start"]): answer for answer in answers}.values())
    return {**row, "context": context, "question": question, "answers": unique}, notes


def _pairs(value: Any, start: Any) -> list[tuple[str, int | None]]:
    """Text and claimed offset of each answer in `value`."""
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        parsed = as_literal(value.strip())
        value = value if parsed is None else parsed
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if value is None or value in ("", [], {}):
        return []
    if isinstance(value, str):
        return [(value, _start(start))] if is_visible(value) else []
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        starts: list[Any] = next((value[key] for key in _START_KEYS if isinstance(value.get(key), list)), [])
        padded = [*starts, *[None] * (len(value["text"]) - len(starts))]
        return [pair for text, place in zip(value["text"], padded, strict=False) for pair in _pairs(text, place)]
    if isinstance(value, dict):
        place = next((value[key] for key in _START_KEYS if value.get(key) is not None), None)
        return _pairs(value["text"], place) if isinstance(value.get("text"), str) else _no_text(value)
    if isinstance(value, list):
        return [pair for answer in value for pair in _pairs(answer, None)]
    raise DataError(f"answers must be a list, not {describe_type(value)}")


def _no_text(answer: Row) -> list[tuple[str, int | None]]:
    raise DataError(f"an answer has no text: {excerpt(answer, 60)}")


def _start(value: Any) -> int | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return None if value is None or value == "" else as_offset(value, "the answer", "start")


def _located(context: str, original: str, answer: str, start: int | None) -> tuple[tuple[int, int], str] | str:
    """Where `answer` lies in `context` with a note when that is not as claimed, or why it can't be said."""
    scrubbed = scrub(answer)
    wanted = scrubbed.strip()
    shown = excerpt(wanted, 60)
    if start is not None and start >= 0:
        for place in (start, *other_places(original, start)):
            claimed = moved_offset(original, place) + len(scrubbed) - len(scrubbed.lstrip())
            if context[claimed : claimed + len(wanted)].casefold() == wanted.casefold():
                return (claimed, claimed + len(wanted)), ""
    mentions = mentions_of(wanted, context)
    if not mentions:
        return f"the answer '{shown}' is not in the context"
    first = mentions[0]
    is_only = len(mentions) == 1
    if start is None:
        return (
            first,
            "" if is_only else "an answer without its place is in the context several times; the first is used",
        )
    if not is_only:
        return f"the answer '{shown}' is not at {start} of the context, but at several other places"
    return first, f"the answer '{shown}' is at {first[0]} of the context, not at {start}; corrected"
