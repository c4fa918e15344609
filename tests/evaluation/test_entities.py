import random

import pytest
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from playground.evaluation.entities import score_entities


def random_tags(draw, length):
    tags = []
    while len(tags) < length:
        label = draw.choice(["PER", "ORG", "LOC", None, None])
        tags += [f"B-{label}", *[f"I-{label}"] * draw.randint(0, 2)] if label else ["O"]
    return tags[:length]


def disturbed(draw, tags):
    """Valid IOB2 again: an entity is dropped, relabelled or cut short."""
    changed = list(tags)
    for i, tag in enumerate(tags):
        follows = i + 1 < len(tags) and tags[i + 1].startswith("I-")
        if tag.startswith("B-") and not follows and draw.random() < 0.4:
            changed[i] = draw.choice(["O", "B-PER"])
        if tag.startswith("I-") and not follows and draw.random() < 0.4:
            changed[i] = "O"
    return changed


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


@pytest.mark.parametrize("seed", range(5))
def test_numbers_equal_seqeval_strict(seed):
    draw = random.Random(seed)
    gold = [random_tags(draw, 12) for _ in range(30)]
    predicted = [disturbed(draw, tags) for tags in gold]
    scores = score_entities([spans(tags) for tags in gold], [spans(tags) for tags in predicted])

    strict = {"mode": "strict", "scheme": IOB2}
    assert scores.metrics["entity_f1"] == pytest.approx(100 * f1_score(gold, predicted, **strict))
    assert scores.metrics["precision"] == pytest.approx(100 * precision_score(gold, predicted, **strict))
    assert scores.metrics["recall"] == pytest.approx(100 * recall_score(gold, predicted, **strict))
    assert 0 < scores.interval[0] < scores.metrics["entity_f1"] < scores.interval[1] < 100
    report = classification_report(gold, predicted, output_dict=True, **strict)
    assert set(scores.per_class) == {"PER", "ORG", "LOC"}
    for label, measured in scores.per_class.items():
        theirs = report[label]
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
