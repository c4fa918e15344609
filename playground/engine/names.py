"""Names of persons, found by an adapter for entities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from playground.adapters import store
from playground.adapters.record import AdapterRecord
from playground.data.names import NameFinder, Span
from playground.engine.predict import predict_many
from playground.tasks import get_task

if TYPE_CHECKING:
    # The page imports this module; torch may come later, together with the engine.
    from playground.engine.engine import Engine

PERSON = "PER"
"""Label of the names of persons, as in the shipped adapter for entities."""

BATCH_ROWS = 16
"""Small batches of texts of like length are the fastest on a CPU."""


def name_finder(engine: Engine) -> NameFinder | None:
    """Who finds names of persons on the backbone of `engine`: the first adapter for entities that knows them.

    None where no adapter that the present person sees fits the backbone. What is found may raise PlaygroundError, as
    `predict_many` does.
    """
    backbone = engine.backbone
    fitting = (
        record
        for record in store.list_adapters("ner")
        if f"B-{PERSON}" in record.labels and record.is_for(backbone.id, backbone.checksum)
    )
    record = next(fitting, None)
    if record is None:
        return None
    chosen = record
    return NameFinder(f"ner/{record.name}", lambda texts: _names(engine, chosen, texts), _recall(record))


def _names(engine: Engine, adapter: AdapterRecord, texts: Sequence[str]) -> Iterator[list[Span]]:
    rows = [{"text": text} for text in texts]
    for _, prediction in predict_many(engine, get_task("ner"), rows, adapter, batch_rows=BATCH_ROWS):
        if prediction.done:
            # A text that can't be used, such as an empty one, has no entities.
            entities = prediction.row.get("entities", [])
            yield [(one["start"], one["end"]) for one in entities if one["label"] == PERSON]


def _recall(record: AdapterRecord) -> float | None:
    recall = record.metrics.get("adapter", {}).get("per_class", {}).get(PERSON, {}).get("recall")
    return float(recall) if isinstance(recall, int | float) else None
