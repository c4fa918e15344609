"""Rows whose personal details are replaced by tags such as [EMAIL]; offsets of entities and answers follow."""

from collections.abc import Callable, Sequence

from playground.data.columns import required_fields
from playground.data.dialogue import conversation
from playground.data.pii import Detail
from playground.types import Row

Find = Callable[[str], Sequence[Detail]]
"""The details of a text that are to be masked, in their order, without overlaps."""
_NOT_TEXTS = frozenset({"label", "entities", "answers", "source_lang", "target_lang"})


def texts_of(task: str, row: Row) -> list[str]:
    """Everything in `row` that is read or learnt as text."""
    if row.get("messages"):
        return [message["content"] for message in conversation(row["messages"])]
    return [row[field] for field in required_fields(task) if field not in _NOT_TEXTS]


def maskable_texts(task: str, row: Row) -> list[str]:
    """The texts of `row` that `mask_row` looks at."""
    texts: list[str] = []

    def note(text: str) -> Sequence[Detail]:
        texts.append(text)
        return ()

    mask_row(task, row, note)
    return texts


def mask_row(task: str, row: Row, find: Find) -> Row:
    """`row` without the personal details that `find` finds in its texts; the same object where it has none.

    An entity or answer that a detail cuts grows to the whole tag; of two entities in one tag, the first is kept.
    Columns that are not learnt from stay as they are.
    """
    fields = [field for field in required_fields(task) if field not in _NOT_TEXTS and isinstance(row.get(field), str)]
    found = {field: details for field in fields if (details := find(row[field]))}
    masked = {**row, **{field: mask(row[field], details) for field, details in found.items()}}
    if "text" in found and "entities" in row:
        masked["entities"] = _moved_entities(row["entities"], found["text"])
    if "context" in found and "answers" in row:
        masked["answers"] = _moved_answers(row["answers"], found["context"], masked["context"])
    if row.get("messages"):
        masked["messages"] = [
            {**message, "content": mask(message["content"], find(message["content"]))}
            for message in conversation(row["messages"])
        ]
    return masked if found or masked.get("messages") != row.get("messages") else row


def mask(text: str, details: Sequence[Detail]) -> str:
    """`text` with the tag of each of its `details`, which are in order, in its place."""
    parts: list[str] = []
    end = 0
    for detail in details:
        parts += [text[end : detail.start], detail.tag]
        end = detail.end
    return "".join(parts) + text[end:]


def _mover(details: Sequence[Detail]) -> Callable[[int, int], tuple[int, int]]:
    """Tells where a span of the text lies once it is masked."""

    def moved(place: int, *, is_end: bool) -> int:
        shift = 0
        for detail in details:
            if detail.end <= place:
                shift += len(detail.tag) - (detail.end - detail.start)
            elif detail.start < place:
                return detail.start + shift + (len(detail.tag) if is_end else 0)
        return place + shift

    return lambda start, end: (moved(start, is_end=False), moved(end, is_end=True))


def _moved_entities(entities: Sequence[Row], details: Sequence[Detail]) -> list[Row]:
    move = _mover(details)
    kept: list[Row] = []
    for entity in sorted(entities, key=lambda one: int(one["start"])):
        start, end = move(entity["start"], entity["end"])
        if not kept or start >= kept[-1]["end"]:
            kept.append({**entity, "start": start, "end": end})
    return kept


def _moved_answers(answers: Sequence[Row], details: Sequence[Detail], masked_context: str) -> list[Row]:
    move = _mover(details)
    places = [move(answer["start"], answer["start"] + len(answer["text"])) for answer in answers]
    return [
        {**answer, "text": masked_context[start:end], "start": start}
        for answer, (start, end) in zip(answers, places, strict=True)
    ]
