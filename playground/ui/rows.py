"""From what a person gave to a row, and from a prediction to what a program gets."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from playground.adapters.record import AdapterRecord
from playground.data.text import clean_text
from playground.engine.predict import Prediction, predict_stream
from playground.engine.startup import EngineLoader
from playground.errors import InputError
from playground.tasks import Task
from playground.tasks.languages import base_code
from playground.types import Row, Stream

SECONDS_BETWEEN_YIELDS = 1.0
"""Until a program that has gone away is missed. Each yield costs the one thread that serves everybody a few ms."""


def row_of(task: Task, values: Sequence[object]) -> Row:
    """The task's row for `values`, which are in the order of its inputs.

    Raises:
        InputError: a text is missing, empty or too long, or a language is not known.
    """
    row: Row = {}
    for field, value in zip(task.inputs, values, strict=True):
        if field.kind == "language":
            if not isinstance(value, str) or not value:
                raise InputError(f"No language was chosen for '{field.label}'; choose one.")
            base_code(value)
            row[field.name] = value
        else:
            row[field.name] = clean_text(value, field.label.lower())
    return row


def answer_rows(loader: EngineLoader, task: Task, row: Row, adapter: AdapterRecord | None) -> Stream[Row]:
    """At last the row with the predicted fields and who answered, as plain JSON values; before it an empty row now and
    then, since closing this, which stops the work, takes effect at a yield.

    Raises:
        InputError: the row can't be used; NotReadyError and others pass from the engine.
    """
    with closing(predict_stream(loader.engine(), task, row, adapter, SECONDS_BETWEEN_YIELDS)) as stream:
        for final in stream:
            if not final.done:
                yield {}
    if final.error:
        raise InputError(final.error)
    yield final.row | provenance(final)


def provenance(prediction: Prediction) -> dict[str, Any]:
    return {
        "backbone": prediction.backbone,
        "adapter": prediction.adapter,
        "quantization": prediction.quantization,
        "latency_ms": round(prediction.latency_ms, 1),
        "is_guess": prediction.is_guess,
    }
