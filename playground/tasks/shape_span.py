"""Shape *span*: question and context in one pass, start and end logits a token, "no answer" on the first token."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.errors import InputError
from playground.tasks.windows import Tokens, Window, make_windows, special_ids, tokenize
from playground.types import Row

LABELS = ("start", "end")
MAX_ANSWER_TOKENS = 40
MAX_QUESTION_TOKENS = 128


def windows(tokenizer: Any, row: Row, max_length: int) -> tuple[Tokens, list[Window]]:
    """Raises InputError for a question that is too long to leave room for the text."""
    before, after = special_ids(tokenizer)
    question = tokenize(tokenizer, row["question"]).ids
    if len(question) > MAX_QUESTION_TOKENS:
        raise InputError(
            f"The question has {len(question)} tokens; ask in at most {MAX_QUESTION_TOKENS} (about 80 words)."
        )
    separator = tokenize(tokenizer, "\n\n").ids or after
    context = tokenize(tokenizer, row["context"])
    return context, make_windows(context.ids, [*before, *question, *separator], after, max_length)


def target(tokens: Tokens, window: Window, answers: Sequence[Row]) -> tuple[int, int]:
    """Positions of the first and last answer token in `window`; (0, 0) when the window holds no whole answer."""
    for answer in answers:
        start, end = answer["start"], answer["start"] + len(answer["text"])
        inside = [i for i, (a, b) in enumerate(tokens.offsets) if a < b and a < end and b > start]
        if inside and window.start <= inside[0] and inside[-1] < window.end:
            shift = window.position - window.start
            return inside[0] + shift, inside[-1] + shift
    return 0, 0


def decode(
    row: Row,
    tokens: Tokens,
    parts: Sequence[Window],
    logits: Sequence[NDArray[np.float32]],
    no_answer_threshold: float = 0.0,
    temperature: float = 1.0,
    score_bias: float = 0.0,
) -> Row:
    """Best span over the (T, 2) logits of all windows, or ``None`` when "no answer" beats it.

    The margin is the span's start + end logit less that of "no answer" in the window with the best span;
    ``score`` is the logistic of how far it exceeds the threshold, divided by the temperature, plus the bias.
    """
    margin, start, end = max((_best_span(part, states) for part, states in zip(parts, logits, strict=True)))
    if margin < no_answer_threshold or not tokens.ids:
        return {"answer": None, "margin": float(margin)}
    first, last = tokens.offsets[start][0], tokens.offsets[end][1]
    score = float(logistic((margin - no_answer_threshold) / temperature + score_bias))
    answer = {"text": row["context"][first:last], "start": first, "end": last, "score": score}
    return {"answer": answer, "margin": float(margin)}


def logistic(value: float | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.asarray(value, dtype=np.float64))))


def _best_span(part: Window, states: NDArray[np.float32]) -> tuple[float, int, int]:
    inside = states[part.position : part.position + part.end - part.start].astype(np.float64)
    if not len(inside):
        return -np.inf, 0, 0
    sums = inside[:, 0][:, None] + inside[:, 1][None, :]
    index = np.arange(len(inside))
    length = index[None, :] - index[:, None]
    sums[(length < 0) | (length >= MAX_ANSWER_TOKENS)] = -np.inf
    start, end = np.unravel_index(int(sums.argmax()), sums.shape)
    margin = float(sums[start, end] - states[0].astype(np.float64).sum())
    return margin, int(start) + part.start, int(end) + part.start
