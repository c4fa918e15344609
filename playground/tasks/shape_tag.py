"""Shape *tag*: the state of every token through the head, BIO labels, the best legal sequence (Viterbi)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.tasks.shape_classify import softmax
from playground.tasks.windows import Tokens, Window, make_windows, owners, special_ids, tokenize
from playground.types import Row

IGNORED = -100
"""Label of positions that carry no loss, as in ``torch.nn.CrossEntropyLoss``."""


def bio_labels(types: Sequence[str]) -> list[str]:
    """O, B-X, I-X for each entity type, in the order of the head's outputs."""
    return ["O", *(f"{mark}-{kind}" for kind in types for mark in "BI")]


def windows(tokenizer: Any, row: Row, max_length: int) -> tuple[Tokens, list[Window]]:
    tokens = tokenize(tokenizer, row["text"])
    before, after = special_ids(tokenizer)
    return tokens, make_windows(tokens.ids, before, after, max_length)


def target(tokens: Tokens, window: Window, entities: Sequence[Row], labels: Sequence[str]) -> list[int]:
    """Index into the BIO `labels` for each position of `window`; positions outside the text are `IGNORED`."""
    tags = [0] * len(tokens.ids)
    for entity in entities:
        mark = "B"
        for index, (start, end) in enumerate(tokens.offsets):
            # A token of white space has no width; inside a name it belongs to it.
            if start < entity["end"] and end > entity["start"]:
                tags[index] = labels.index(f"{mark}-{entity['label']}")
                mark = "I"
    filled = [IGNORED] * len(window.input_ids)
    filled[window.position : window.position + window.end - window.start] = tags[window.start : window.end]
    return filled


def decode(
    row: Row,
    tokens: Tokens,
    parts: Sequence[Window],
    logits: Sequence[NDArray[np.float32]],
    labels: Sequence[str],
    temperature: float = 1.0,
) -> Row:
    """Entities of a row from the (T, L) logits of its windows; `labels` are BIO.

    The temperature changes the scores only: it scales all paths alike.
    """
    if not tokens.ids:
        return {"entities": []}
    whole = np.concatenate(
        [
            states[part.position + owned.start - part.start : part.position + owned.stop - part.start]
            for part, owned, states in zip(parts, owners(parts), logits, strict=True)
        ]
    )
    chances = softmax(whole / temperature)
    best = viterbi(np.log(chances + 1e-12), labels)
    return {"entities": _entities(row["text"], tokens, best, chances, labels)}


def viterbi(scores: NDArray[np.float64], labels: Sequence[str]) -> list[int]:
    """Best label sequence for (T, L) log-probabilities in which I-X follows only B-X or I-X."""
    legal = np.array([[_follows(before, after) for after in labels] for before in labels])
    penalty = np.where(legal, 0.0, -np.inf)
    opening = np.array([-np.inf if label.startswith("I-") else 0.0 for label in labels])
    total = scores[0] + opening
    back = np.zeros(scores.shape, dtype=np.int64)
    for step in range(1, len(scores)):
        paths = total[:, None] + penalty
        back[step] = paths.argmax(0)
        total = paths.max(0) + scores[step]
    best = [int(total.argmax())]
    for step in range(len(scores) - 1, 0, -1):
        best.append(int(back[step][best[-1]]))
    return best[::-1]


def _follows(before: str, after: str) -> bool:
    return not after.startswith("I-") or before[1:] == after[1:]


def _entities(
    text: str, tokens: Tokens, best: Sequence[int], chances: NDArray[np.float64], labels: Sequence[str]
) -> list[Row]:
    found: list[Row] = []
    sure: list[list[float]] = []
    for index, choice in enumerate(best):
        label = labels[choice]
        start, end = tokens.offsets[index]
        if label == "O":
            continue
        # Tokens may be single bytes: one character begins no second entity.
        is_same_character = bool(found) and start < found[-1]["end"]
        if label.startswith("B-") and not is_same_character:
            found.append({"start": start, "end": end, "label": label[2:]})
            sure.append([])
        found[-1]["end"] = max(found[-1]["end"], end)
        sure[-1].append(float(chances[index, choice]))
    for entity, chance in zip(found, sure, strict=True):
        piece = text[entity["start"] : entity["end"]]
        entity["start"] += len(piece) - len(piece.lstrip())
        entity["text"] = piece.strip()
        entity["score"] = float(np.mean(chance))
    return [entity for entity in found if entity["start"] < entity["end"]]
