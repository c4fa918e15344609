from dataclasses import replace

import numpy as np
import pytest

from playground.engine.predict import predict_many
from playground.errors import Cancelled
from playground.tasks import get_task
from playground.training import calibrate
from playground.training.calibrate import fit_decision

TEXTS = [{"text": f"row number {number}", "label": ("negative", "positive")[number % 2]} for number in range(60)]
QUESTIONS = [
    {"context": f"The lamp number {number} is red.", "question": "Which colour?", "answers": []} for number in range(60)
]


def answers_of(engine, record):
    found = predict_many(engine, get_task("qa"), QUESTIONS[:8], record)
    return [prediction.row["answer"] for _, prediction in found if prediction.done]


def never():
    return False


def test_the_temperature_makes_the_gold_labels_most_likely(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter("sentiment")
    decision = fit_decision(tiny_engine, record, TEXTS, never)
    assert set(decision) == {"temperature"}
    assert 0.25 <= decision["temperature"] <= 8.0


def test_where_nothing_is_ever_answered_the_threshold_lets_nothing_through(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter("qa")
    decision = fit_decision(tiny_engine, record, QUESTIONS, never)
    silent = replace(record, decision=decision)
    assert answers_of(tiny_engine, silent) == [None] * 8


def test_where_all_is_answered_the_threshold_lets_everything_through(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter("qa")
    rows = [row | {"answers": [{"text": row["context"], "start": 0}]} for row in QUESTIONS]
    talkative = replace(record, decision=fit_decision(tiny_engine, record, rows, never))
    answers = [
        p.row["answer"] for _, p in predict_many(tiny_engine, get_task("qa"), QUESTIONS[:8], talkative) if p.done
    ]
    assert None not in answers


def test_the_temperature_of_entities_changes_their_scores_and_not_the_entities(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter("ner")
    rows = [{"text": row["text"], "entities": []} for row in TEXTS]

    def found_with(decision):
        found = predict_many(tiny_engine, get_task("ner"), rows, replace(record, decision=decision))
        return [entity for _, prediction in found if prediction.done for entity in prediction.row["entities"]]

    decision = fit_decision(tiny_engine, record, rows, never)
    assert set(decision) == {"temperature"}
    before, after = found_with({}), found_with(decision)
    assert [(e["start"], e["end"], e["label"]) for e in after] == [(e["start"], e["end"], e["label"]) for e in before]
    # None of them is right, so that the fit must make them less sure.
    assert sum(entity["score"] for entity in after) < sum(entity["score"] for entity in before)


@pytest.mark.parametrize(("task", "rows"), [("sentiment", TEXTS[:24]), ("summarize", TEXTS), ("sentiment", [])])
def test_few_rows_and_other_shapes_decide_nothing(tiny_engine, save_tiny_adapter, task, rows):
    assert fit_decision(tiny_engine, save_tiny_adapter(task), rows, never) == {}


def test_labels_that_the_adapter_does_not_know_are_left_out(tiny_engine, save_tiny_adapter, monkeypatch):
    seen = []
    monkeypatch.setattr(calibrate, "fit_temperature", lambda logits, gold: seen.append((logits.shape, gold)) or 1.0)
    rows = [*TEXTS, {"text": "odd", "label": "mixed"}]
    record = save_tiny_adapter("sentiment")
    fit_decision(tiny_engine, record, rows, never)
    ((shape, gold),) = seen
    assert shape == (60, len(record.labels))
    assert np.max(gold) < len(record.labels)


def test_the_wish_to_throw_away_is_granted(tiny_engine, save_tiny_adapter):
    with pytest.raises(Cancelled):
        fit_decision(tiny_engine, save_tiny_adapter("sentiment"), TEXTS, lambda: True)
