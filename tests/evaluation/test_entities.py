import json
from pathlib import Path

import pytest

from playground.evaluation.entities import score_entities

# Rows of IOB2 tags and what seqeval 1.2.2's `classification_report(gold, predicted, mode="strict", scheme=IOB2)` says.
SEQEVAL = json.loads((Path(__file__).parent / "seqeval.json").read_text(encoding="utf-8"))


def spans(tags):
    """Spans of IOB2 tags on tokens of three characters and a space."""
    found = set()
    for i, tag in enumerate(tags):
        if tag.startswith("B-"):
            end = i + 1
            while end < len(tags) and tags[end].startswith("I-"):
                end += 1
            found.add((4 * i, 4 * end - 1, tag[2:]))
    return found


@pytest.mark.parametrize("case", SEQEVAL)
def test_numbers_equal_seqeval_strict(case):
    gold, predicted = ([spans(tags.split()) for tags in case[side]] for side in ("gold", "predicted"))
    scores = score_entities(gold, predicted)
    total = case["report"]["micro avg"]
    assert scores.metrics["entity_f1"] == pytest.approx(100 * total["f1-score"])
    assert scores.metrics["precision"] == pytest.approx(100 * total["precision"])
    assert scores.metrics["recall"] == pytest.approx(100 * total["recall"])
    assert 0 < scores.interval[0] < scores.metrics["entity_f1"] < scores.interval[1] < 100
    assert set(scores.per_class) == {"PER", "ORG", "LOC"}
    for label, measured in scores.per_class.items():
        theirs = case["report"][label]
        assert measured["f1"] == pytest.approx(100 * theirs["f1-score"])
        assert measured["precision"] == pytest.approx(100 * theirs["precision"])
        assert measured["recall"] == pytest.approx(100 * theirs["recall"])
        assert measured["support"] == theirs["support"]


@pytest.mark.parametrize(
    "predicted", [{(0, 5, "LOC")}, {(0, 4, "PER")}, {(1, 5, "PER")}, set()], ids=["label", "end", "start", "nothing"]
)
def test_anything_but_the_exact_span_and_label_counts_nothing(predicted):
    scores = score_entities([{(0, 5, "PER")}], [predicted])
    assert scores.metrics == {"entity_f1": 0, "precision": 0, "recall": 0}


def test_the_same_span_in_another_row_counts_nothing():
    assert score_entities([{(0, 5, "PER")}, set()], [set(), {(0, 5, "PER")}]).metrics["entity_f1"] == 0


def test_no_entities_anywhere_scores_zero_without_a_warning():
    scores = score_entities([set(), set()], [set(), set()])
    assert (scores.metrics["entity_f1"], scores.interval, scores.per_class) == (0, (0, 0), {})
