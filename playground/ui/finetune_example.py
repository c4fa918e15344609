"""Some rows of an upload on their way into the backbone: as in the file, as mapped, as tokens, with what is cut off."""

import json
from dataclasses import replace
from html import escape
from typing import Any

from playground.data.columns import required_fields
from playground.data.dialogue import as_instruction
from playground.data.masking import texts_of
from playground.data.rows import map_table
from playground.data.text import excerpt
from playground.engine.startup import EngineLoader
from playground.tasks import Task, get_task
from playground.training.features import IGNORED, Feature, build_features, head_labels, shortened_text
from playground.types import Row
from playground.ui.finetune_data import Inspection

TITLE = "Rows on their way into the backbone"
NUM_TOKENS_SHOWN = 160
NUM_CHARS_SHOWN = 600
"""Of each field of a row."""
NOT_READY = "Tokens are shown as soon as the backbone is ready; choose the file again then."
_WITHOUT_LIMIT = 1 << 30
_LEARNT = {
    "classify": "What is learnt is the label behind the last of them.",
    "tag": "What is learnt is which of them are parts of entities, the marked ones.",
    "span": "What is learnt is where the answer lies, the marked ones.",
    "generate": "What is learnt is to write the marked ones.",
}


def view(found: Inspection, loader: EngineLoader) -> str:
    """The first row and the longest one; nothing for rows that can't be learnt from."""
    if found.problem or not found.rows:
        return ""
    task = get_task(found.mapping.task)
    tokenizer = loader.engine().backbone.tokenizer if loader.status().state == "ready" else None
    longest = max(range(len(found.rows)), key=lambda i: sum(map(len, texts_of(task.name, found.rows[i]))))
    shown = "".join(_row(found, task, place, tokenizer) for place in dict.fromkeys((0, longest)))
    return f'<section class="pg-example"><h3>{TITLE}</h3>{shown}</section>'


def _row(found: Inspection, task: Task, place: int, tokenizer: Any) -> str:
    row, line = found.rows[place], found.lines[place]
    which = "the first" if place == 0 else "the longest"
    steps = [("As in the file", _fields(_raw(found, row, line))), ("As it is mapped", _fields(_mapped(task, row)))]
    steps.append(("As the backbone will see it", _tokens(found, task, row, tokenizer) if tokenizer else NOT_READY))
    body = "".join(f"<dt>{title}</dt><dd>{what}</dd>" for title, what in steps)
    return f"<details><summary>Line {line}, {which} row</summary><dl>{body}</dl></details>"


def _raw(found: Inspection, row: Row, line: int) -> Row:
    """What the file has for `row`: of several rows of one line, the one that becomes it."""
    table = found.table
    there = [raw for number, raw in zip(table.lines, table.rows, strict=True) if number == line]
    alone = (replace(table, rows=[raw], lines=[line], rejected=[], notes=[]) for raw in there)
    return next(one.rows[0] for one in alone if len(there) == 1 or map_table(one, found.mapping).rows == [row])


def _mapped(task: Task, row: Row) -> Row:
    names = ("messages",) if row.get("messages") else required_fields(task.name)
    return {name: row.get(name) for name in names}


def _fields(row: Row) -> str:
    """A line for each field, which runs as its value does."""
    texts = {name: value if isinstance(value, str) else _json(value) for name, value in row.items()}
    lines = (f"<bdi>{escape(name)}</bdi>: {escape(excerpt(text, NUM_CHARS_SHOWN))}" for name, text in texts.items())
    return "".join(f'<code dir="auto">{line}</code>' for line in lines)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _tokens(found: Inspection, task: Task, row: Row, tokenizer: Any) -> str:
    row = as_instruction(row)
    labels = head_labels(task, found.rows, found.known_labels)
    parts, whole = (
        build_features(task, [row], tokenizer, labels, limit, 0).features for limit in (task.max_length, _WITHOUT_LIMIT)
    )
    if not parts:
        return "The question leaves no room for the text; this row is not learnt from."
    # Of a long text its first part, of a conversation its last reply.
    place = -1 if task.shape == "generate" else 0
    first = parts[place]
    num_left = len(whole[place].input_ids) - len(first.input_ids)
    marked = _marked(task, first)
    num = len(first.input_ids)
    # Of what is written the end is shown too, where that which is learnt stands.
    num_last = NUM_TOKENS_SHOWN // 2 if task.shape == "generate" else 0
    more = num - NUM_TOKENS_SHOWN

    def pieces(places: range) -> str:
        shown = ((_piece(tokenizer, first.input_ids[i]), "mark" if i in marked else "span") for i in places)
        return "".join(f"<{tag}>{piece}</{tag}>" for piece, tag in shown)

    if more > 0:
        end = f" … {pieces(range(num - num_last, num))}" if num_last else ""
        shown = f"{pieces(range(NUM_TOKENS_SHOWN - num_last))} … and {more:,} more{end}"
    else:
        shown = pieces(range(num))
    words = f"{num:,} tokens. {_LEARNT[task.shape]}"
    if row.get("messages") and len(parts) > 1:
        words += f" Each of the {len(parts)} replies is learnt like this last one."
    return (
        f'<p class="pg-tokens" dir="auto">{shown}</p><p class="pg-lead">{words}</p>'
        f"{_cut(task, row, tokenizer, num_left)}"
    )


def _marked(task: Task, feature: Feature) -> set[int]:
    """Positions of what is learnt."""
    if task.shape == "span":
        first, last = feature.labels
        return set(range(first, last + 1)) if last else set()
    if task.shape == "classify":
        return set()
    return {i for i, label in enumerate(feature.labels) if label != IGNORED and (label or task.shape == "generate")}


def _piece(tokenizer: Any, token: int) -> str:
    text = str(tokenizer.decode([token])) or str(tokenizer.convert_ids_to_tokens(token))
    shown = escape(text.replace("\n", "↵"))
    # Left out of what decides the direction of the whole.
    return f"<bdi>{shown}</bdi>" if token in tokenizer.all_special_ids else shown


def _cut(task: Task, row: Row, tokenizer: Any, num_left: int) -> str:
    """What of a long row the training leaves out, or that it reads it in parts."""
    if num_left <= 0:
        return '<p class="pg-lead">Nothing of it is cut off.</p>'
    if task.shape in ("tag", "span"):
        return '<p class="pg-lead">It is longer than one example and read in overlapping parts; this is one.</p>'
    is_said = bool(row.get("messages"))
    _, left = shortened_text(tokenizer, row[task.inputs[0].name], num_left, keeps_end=is_said)
    words = f"The {'first' if is_said else 'last'} {num_left:,} tokens of the text are cut off:"
    return f'<p class="pg-lead">{words} <del dir="auto">{escape(excerpt(left.strip(), 200))}</del></p>'
