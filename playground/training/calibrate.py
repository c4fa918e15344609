"""The decision of an adapter that was just trained: its temperature and its threshold for "no answer"."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from playground.adapters.record import AdapterRecord
from playground.engine.engine import Engine
from playground.engine.requests import EncodeRow
from playground.errors import Cancelled, InputError
from playground.evaluation.calibration import (
    fit_logistic,
    fit_no_answer_threshold,
    fit_score_temperature,
    fit_temperature,
)
from playground.evaluation.entities import entities_of
from playground.evaluation.squad import exact_match, token_f1
from playground.tasks import shape_classify, shape_span, shape_tag
from playground.tasks.windows import Window
from playground.types import Row

MIN_ROWS = 25
"""With fewer rows the fit would say more about them than about the adapter."""


def fit_decision(
    engine: Engine, record: AdapterRecord, rows: Sequence[Row], is_unwanted: Callable[[], bool]
) -> dict[str, float]:
    """What goes into ``decision`` of `record`; nothing for shapes that decide nothing, or with too few rows.

    Raises:
        Cancelled: the person no longer wants it.
    """
    fit = {"classify": _of_labels, "tag": _of_entities, "span": _of_answers}.get(record.shape)
    if fit is None or len(rows) < MIN_ROWS:
        return {}
    return fit(engine, record, rows, is_unwanted)


def _of_labels(
    engine: Engine, record: AdapterRecord, rows: Sequence[Row], is_unwanted: Callable[[], bool]
) -> dict[str, float]:
    known = [row for row in rows if row["label"] in record.labels]
    logits = []
    for row in known:
        parts = shape_classify.windows(engine.backbone.tokenizer, row, record.max_length)[:1]
        logits.append(_logits(engine, record, parts, is_unwanted)[0])
    gold = [record.labels.index(row["label"]) for row in known]
    return {"temperature": round(fit_temperature(np.stack(logits).astype(np.float64), gold), 4)} if known else {}


def _of_entities(
    engine: Engine, record: AdapterRecord, rows: Sequence[Row], is_unwanted: Callable[[], bool]
) -> dict[str, float]:
    """The temperature of the entities' scores; which entities are found does not depend on it."""
    passed = []
    for row in rows:
        tokens, parts = shape_tag.windows(engine.backbone.tokenizer, row, record.max_length)
        passed.append((row, tokens, parts, _logits(engine, record, parts, is_unwanted)))

    def scored(temperature: float) -> tuple[list[float], list[bool]]:
        found = [
            (entity["score"], entities_of([entity]) <= entities_of(row["entities"]))
            for row, tokens, parts, logits in passed
            for entity in shape_tag.decode(row, tokens, parts, logits, record.labels, temperature)["entities"]
        ]
        return [score for score, _ in found], [is_right for _, is_right in found]

    is_fit = len(scored(1.0)[0]) >= MIN_ROWS
    return {"temperature": round(fit_score_temperature(scored), 4)} if is_fit else {}


def _of_answers(
    engine: Engine, record: AdapterRecord, rows: Sequence[Row], is_unwanted: Callable[[], bool]
) -> dict[str, float]:
    """The margin from which something is answered, and what makes scores of how far an answer is above it."""
    margins, answered, silent, exact = [], [], [], []
    for row in rows:
        try:
            context, parts = shape_span.windows(engine.backbone.tokenizer, row, record.max_length)
        except InputError:  # a question that leaves no room for the text
            continue
        found = shape_span.decode(row, context, parts, _logits(engine, record, parts, is_unwanted), -np.inf)
        gold, text = [answer["text"] for answer in row["answers"]], (found["answer"] or {"text": ""})["text"]
        margins.append(found["margin"])
        answered.append(token_f1(gold, text, row.get("lang")))
        silent.append(token_f1(gold, "", row.get("lang")))
        exact.append(exact_match(gold, text, row.get("lang")) > 0)
    if not margins:
        return {}
    threshold = round(fit_no_answer_threshold(margins, answered, silent), 4)
    above = np.asarray(margins) - threshold
    is_given = above >= 0
    decision = {"no_answer_threshold": threshold}
    if is_given.sum() >= MIN_ROWS:
        is_right = np.asarray(exact)[is_given].tolist()
        temperature, bias = fit_logistic(above[is_given].tolist(), is_right)
        decision |= {"temperature": round(temperature, 4), "score_bias": round(bias, 4)}
    return decision


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
