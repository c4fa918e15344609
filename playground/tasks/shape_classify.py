"""Shape *classify*: one pass a window, the state of one token through the head, softmax over the labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.tasks.windows import Window, make_windows, special_ids, tokenize
from playground.types import Row


def windows(tokenizer: Any, row: Row, max_length: int) -> list[Window]:
    before, after = special_ids(tokenizer)
    return make_windows(tokenize(tokenizer, row["text"]).ids, before, after, max_length)


def decode(
    parts: Sequence[Window], logits: Sequence[NDArray[np.float32]], labels: Sequence[str], temperature: float = 1.0
) -> Row:
    """Label and scores of a row from the (L,) logits of its windows, weighted by the tokens in each."""
    weights = np.array([max(part.end - part.start, 1) for part in parts], dtype=np.float64)
    chances = np.stack([softmax(part / temperature) for part in logits])
    mean = (chances * weights[:, None]).sum(0) / weights.sum()
    scores = {label: float(p) for label, p in sorted(zip(labels, mean, strict=True), key=lambda pair: -pair[1])}
    return {"label": next(iter(scores)), "scores": scores}


def softmax(logits: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the last axis."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    chances: NDArray[np.float64] = shifted / shifted.sum(-1, keepdims=True)
    return chances


def target(row: Row, labels: Sequence[str]) -> int:
    return labels.index(row["label"])
