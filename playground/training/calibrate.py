"""The decision of an adapter that was just trained: its temperature or its threshold for "no answer"."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from playground.adapters.record import AdapterRecord
from playground.engine.engine import Engine
from playground.engine.requests import EncodeRow
from playground.errors import Cancelled, InputError
from playground.evaluation.calibration import fit_no_answer_threshold, fit_temperature
from playground.evaluation.squad import token_f1
from playground.tasks import shape_classify, shape_span
from playground.tasks.windows import Window
from playground.types import Row

MIN_ROWS = 50
"""With fewer rows the fit would say more about them than about the adapter."""


def fit_decision(
    engine: Engine, record: AdapterRecord, rows: Sequence[Row], is_unwanted: Callable[[], bool]
) -> dict[str, float]:
    """What goes into ``decision`` of `record`; nothing for shapes that decide nothing, or with too few rows.

    Raises:
        Cancelled: the person no longer wants it.
    """
    fit = {"classify": _temperature, "span": _threshold}.get(record.shape)
    if fit is None or len(rows) < MIN_ROWS:
        return {}
    return fit(engine, record, rows, is_unwanted)


def _temperature(
    engine: Engine, record: AdapterRecord, rows: Sequence[Row], is_unwanted: Callable[[], bool]
) -> dict[str, float]:
    known = [row for row in rows if row["label"] in record.labels]
    logits = []
    for row in known:
        parts = shape_classify.windows(engine.backbone.tokenizer, row, record.max_length)[:1]
        logits.append(_logits(engine, record, parts, is_unwanted)[0])
    gold = [record.labels.index(row["label"]) for row in known]
    return {"temperature": round(fit_temperature(np.stack(logits).astype(np.float64), gold), 4)} if known else {}


def _threshold(
    engine: Engine, record: AdapterRecord, rows: Sequence[Row], is_unwanted: Callable[[], bool]
) -> dict[str, float]:
    margins, answered, silent = [], [], []
    for row in rows:
        try:
            context, parts = shape_span.windows(engine.backbone.tokenizer, row, record.max_length)
        except InputError:  # a question that leaves no room for the text
            continue
        found = shape_span.decode(row, context, parts, _logits(engine, record, parts, is_unwanted), -np.inf)
        gold = [answer["text"] for answer in row["answers"]]
        margins.append(found["margin"])
        answered.append(token_f1(gold, (found["answer"] or {"text": ""})["text"], row.get("lang")))
        silent.append(token_f1(gold, "", row.get("lang")))
    return {"no_answer_threshold": round(fit_no_answer_threshold(margins, answered, silent), 4)} if margins else {}


def _logits(
    engine: Engine, record: AdapterRecord, parts: Sequence[Window], is_unwanted: Callable[[], bool]
) -> list[NDArray[np.float32]]:
    if is_unwanted():
        raise Cancelled("The run was stopped while it was measured; the adapter is saved without figures.")
    adapter = engine.adapter(record)
    pooled = record.shape == "classify"
    ticket = engine.encode([EncodeRow(part.input_ids, adapter, record.attention, pooled) for part in parts])
    ticket.wait()
    return [ticket.logits[index] for index in range(len(parts))]
