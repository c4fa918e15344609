"""Results as HTML. Pure functions; every text that is not ours passes through ``html.escape``."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from playground.engine.predict import Prediction
from playground.tasks import Task
from playground.types import Row

FIXED_COLOURS = {"PER": 0, "ORG": 1, "LOC": 2}
NUM_COLOURS = 6
NOTHING_YET = '<p class="pg-progress">…</p>'
LONGEST_CELL = 160
"""Characters of a text shown in one table cell."""

_LEFTWARDS = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U0001e900-\U0001e95f"
_LEFTWARDS_RUN = re.compile(rf"[{_LEFTWARDS}](?:[{_LEFTWARDS}\d\s.-]*[{_LEFTWARDS}])?")
"""Words of Arabic, Hebrew and other scripts from right to left."""


def said(sentence: str) -> str:
    """A sentence of ours, in which what it quotes from right to left changes the order of nothing around it."""
    return _LEFTWARDS_RUN.sub(r"<bdi>\g<0></bdi>", escape(sentence))


def problem(sentence: str) -> str:
    return f'<p class="pg-notice pg-problem" role="alert">{said(sentence)}</p>'


def info(sentence: str) -> str:
    return f'<p class="pg-notice pg-info" role="status">{said(sentence)}</p>'


def hint(sentence: str) -> str:
    return f'<p class="pg-notice pg-hint">{said(sentence)}</p>'


def working(sentence: str) -> str:
    """A line for work whose length is not known."""
    return f'<div class="pg-progress" role="status">{said(sentence)}<div class="pg-busy"></div></div>'


def progress(fraction: float, sentence: str) -> str:
    """A line for work of which `fraction` (0 to 1) is done."""
    percent = round(100 * min(max(fraction, 0.0), 1.0))
    bar = f'<progress max="100" value="{percent}" aria-label="{percent} percent done"></progress>'
    return f'<div class="pg-progress" role="status">{said(sentence)}{bar}</div>'


def empty(sentence: str) -> str:
    return f'<div class="pg-empty">{escape(sentence)}</div>'


def answer(task: Task, prediction: Prediction, heading: str = "") -> str:
    """One prediction, finished or still growing."""
    title = f"<h3>{escape(heading)}</h3>" if heading else ""
    if prediction.error:
        return f'<section class="pg-result">{title}{problem(prediction.error)}</section>'
    body = body_of(task, prediction.row, done=prediction.done)
    stats = answered_by(prediction) if prediction.done else ""
    return f'<section class="pg-result">{title}{_note(task, prediction)}{body}{stats}</section>'


def _note(task: Task, prediction: Prediction) -> str:
    if task.shape == "span" and prediction.adapter and not prediction.row.get(task.output):
        return ""  # the view of the answer itself says that there is none
    if prediction.is_guess and not prediction.note:
        return hint("This is a guess of the backbone from a prompt; it has no adapter for this task.")
    return hint(prediction.note) if prediction.note else ""


def comparison(task: Task, adapted: Prediction, base: Prediction | None) -> str:
    """The adapter's answer beside the one without it; `base` is None until its work has begun."""
    left = answer(task, adapted, f"With {adapted.adapter}")
    right = answer(task, base, "No adapter") if base is not None else waiting("No adapter")
    return sides([left, right])


def sides(sections: Iterable[str]) -> str:
    """Answers beside each other, or below each other where there is no room."""
    return f'<div class="pg-sides">{"".join(sections)}</div>'


def waiting(heading: str) -> str:
    """An answer whose work has not begun."""
    return f'<section class="pg-result"><h3>{escape(heading)}</h3>{NOTHING_YET}</section>'


def refused(heading: str, sentence: str) -> str:
    """An answer that could not be given."""
    return f'<section class="pg-result"><h3>{escape(heading)}</h3>{problem(sentence)}</section>'


def answered_by(prediction: Prediction) -> str:
    """The line that says who answered and how fast."""
    adapter = f"adapter <b>{escape(prediction.adapter)}</b>" if prediction.adapter else "no adapter"
    precision = "full precision" if prediction.quantization == "none" else escape(prediction.quantization)
    return (
        f'<p class="pg-stats">Answered by <b>{escape(prediction.backbone)}</b> · {adapter} · {precision} · '
        f"{prediction.latency_ms:,.0f} ms</p>"
    )


def body_of(task: Task, row: Row, *, done: bool) -> str:
    """The part of the view that depends on the task's shape."""
    if task.output not in row:
        return NOTHING_YET
    if task.shape == "classify":
        return label_bars(str(row[task.output]), row.get("scores") or {})
    if task.shape == "tag":
        return entities(str(row.get("text", "")), row[task.output] or [])
    if task.shape == "span":
        return span(str(row.get("context", "")), row[task.output])
    return generated(str(row[task.output] or ""), done=done)


def label_bars(label: str, scores: Mapping[str, float]) -> str:
    """The label in large type and a bar for each label's probability (0 to 1), the best first."""
    ranked = sorted(scores.items(), key=lambda item: -item[1])
    sure = f" <small>{_percent(scores[label])}</small>" if label in scores else ""
    head = f'<p class="pg-big"><bdi>{escape(label)}</bdi>{sure}</p>'
    bars = "".join(_bar(name, share, is_top=name == label) for name, share in ranked)
    return f'{head}<dl class="pg-bars">{bars}</dl>' if bars else head


def _bar(name: str, share: float, *, is_top: bool) -> str:
    width = 100 * min(max(share, 0.0), 1.0)
    track = "pg-track pg-top" if is_top else "pg-track"
    return (
        f"<dt><bdi>{escape(name)}</bdi></dt>"
        f'<dd><div class="{track}" aria-hidden="true"><span style="width:{width:.1f}%"></span></div></dd>'
        f'<dd class="pg-number">{_percent(share)}</dd>'
    )


def entities(text: str, found: Sequence[Mapping[str, Any]]) -> str:
    """The text with its entities marked, a legend, and the entities as a table."""
    kept = sorted(found, key=lambda entity: (entity["start"], -entity["end"]))
    marked = f'<div class="pg-text" dir="auto">{_marked(text, kept)}</div>'
    if not kept:
        return f"{hint('No entity was found in this text.')}{marked}"
    labels = sorted({str(entity["label"]) for entity in kept})
    legend = "".join(f'<li><span class="{colour_class(label)}">{escape(label)}</span></li>' for label in labels)
    rows: list[tuple[str, ...]] = [
        (text[e["start"] : e["end"]], str(e["label"]), f"{e['start']} to {e['end']}") for e in kept
    ]
    columns: tuple[str, ...] = ("Entity", "Type", "Characters")
    if any("score" in entity for entity in kept):
        columns = (*columns, "Certainty")
        rows = [(*row, _optional_percent(e.get("score"))) for row, e in zip(rows, kept, strict=True)]
    listing = table(columns, rows)
    return f'<ul class="pg-legend" aria-label="Entity types">{legend}</ul>{marked}{listing}'


def _marked(text: str, kept: Iterable[Mapping[str, Any]]) -> str:
    parts: list[str] = []
    cursor = 0
    for entity in kept:
        if entity["start"] < cursor:
            continue
        label = str(entity["label"])
        inside = f"{escape(text[entity['start'] : entity['end']])}<small>{escape(label)}</small>"
        parts.append(escape(text[cursor : entity["start"]]))
        parts.append(f'<mark class="pg-entity {colour_class(label)}">{inside}</mark>')
        cursor = entity["end"]
    parts.append(escape(text[cursor:]))
    return "".join(parts)


def colour_class(label: str) -> str:
    """CSS class of an entity type: the same type has the same colour in every result."""
    index = FIXED_COLOURS.get(label, 3 + sum(label.encode()) % (NUM_COLOURS - 3))
    return f"pg-c{index}"


def span(context: str, found: Mapping[str, Any] | None) -> str:
    """The answer, and the context with the answer marked in it."""
    if not found:
        unanswered = hint("The text does not answer this question.")
        return f'{unanswered}<div class="pg-text" dir="auto">{escape(context)}</div>'
    start, end = found["start"], found["end"]
    sure = f" <small><bdi>{_percent(found['score'])}</bdi></small>" if found.get("score") is not None else ""
    before, inside, after = escape(context[:start]), escape(context[start:end]), escape(context[end:])
    return (
        f'<p class="pg-answer" dir="auto">{escape(str(found["text"]))}{sure}</p>'
        f'<div class="pg-text" dir="auto">{before}<mark>{inside}</mark>{after}</div>'
    )


def generated(text: str, *, done: bool) -> str:
    """Streamed text; it can be copied once it is finished."""
    copy = '<button type="button" class="pg-copy">Copy</button>' if done and text else ""
    if done and not text.strip():
        return hint("The backbone wrote nothing for this text.")
    return f'<div class="pg-copyable">{copy}<div class="pg-text" dir="auto">{escape(text)}</div></div>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A small table; long cells are shortened, since the whole is in the file or in the text above."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    lines = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return (
        f'<div class="pg-scroll" tabindex="0" role="region" aria-label="Table"><table class="pg-table">'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _cell(value: str) -> str:
    shown = value if len(value) <= LONGEST_CELL else f"{value[: LONGEST_CELL - 1]}…"
    return f'<td dir="auto">{escape(shown)}</td>'


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _optional_percent(share: float | None) -> str:
    return "" if share is None else _percent(share)
