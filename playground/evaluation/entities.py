"""Scores of labelled spans: one counts only when both its ends and its label are right.

On spans that a tagging can express this is seqeval's strict micro average,
https://github.com/chakki-works/seqeval, but it needs no tokens: spans are character offsets.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from playground.evaluation.bootstrap import Statistic, estimate
from playground.evaluation.scores import Scores, class_scores, f1_percent
from playground.types import Row

Entity = tuple[int, int, str]
"""Start, end (exclusive), label."""


def entities_of(spans: Iterable[Row] | None) -> set[Entity]:
    """The entities that the `spans` of a row name."""
    return {(span["start"], span["end"], span["label"]) for span in spans or ()}


def score_entities(gold: Sequence[AbstractSet[Entity]], predicted: Sequence[AbstractSet[Entity]]) -> Scores:
    """Micro F1, precision and recall over all entities, and the same for each type.

    All are 0 when there is neither a gold nor a predicted entity, as in seqeval.
    """
    pairs = list(zip(gold, predicted, strict=True))
    value, interval = estimate(entity_f1_of(gold, predicted), len(pairs))
    overall = class_scores(*np.sum([_counts(truth, guess) for truth, guess in pairs], axis=0))
    labels = sorted({entity[2] for pair in pairs for entities in pair for entity in entities})
    return Scores(
        metrics={"entity_f1": value, "precision": overall["precision"], "recall": overall["recall"]},
        main="entity_f1",
        n=len(pairs),
        interval=interval,
        per_class={label: _type_scores(label, pairs) for label in labels},
    )


def entity_f1_of(gold: Sequence[AbstractSet[Entity]], predicted: Sequence[AbstractSet[Entity]]) -> Statistic:
    """Micro F1 of rows that are drawn again."""
    counts = np.array([_counts(*pair) for pair in zip(gold, predicted, strict=True)], dtype=float)  # (N, 3)
    return lambda weights: f1_percent(*(weights @ counts).T)


def _counts(gold: AbstractSet[Entity], predicted: AbstractSet[Entity]) -> tuple[int, int, int]:
    return len(gold & predicted), len(predicted), len(gold)


def _type_scores(label: str, pairs: list[tuple[AbstractSet[Entity], AbstractSet[Entity]]]) -> dict[str, float]:
    only = [[{entity for entity in entities if entity[2] == label} for entities in pair] for pair in pairs]
    return class_scores(*np.sum([_counts(truth, guess) for truth, guess in only], axis=0))
