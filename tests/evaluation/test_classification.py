import random

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from playground.evaluation.bootstrap import estimate
from playground.evaluation.classification import MAX_CONFUSION_LABELS, score_labels


@pytest.mark.parametrize("seed", range(5))
def test_numbers_equal_scikit_learn(seed):
    draw = random.Random(seed)
    gold = draw.choices("abcd", weights=(8, 4, 2, 1), k=60)
    predicted = [label if draw.random() < 0.6 else draw.choice("abcde") for label in gold]
    scores = score_labels(gold, predicted)

    assert scores.metrics["macro_f1"] == pytest.approx(100 * f1_score(gold, predicted, average="macro"))
    assert scores.metrics["accuracy"] == pytest.approx(100 * accuracy_score(gold, predicted))
    labels = sorted(scores.per_class)
    columns = precision_recall_fscore_support(gold, predicted, labels=labels, zero_division=0)
    for label, precision, recall, f1, support in zip(labels, *columns, strict=True):
        expected = {"precision": 100 * precision, "recall": 100 * recall, "f1": 100 * f1, "support": support}
        assert scores.per_class[label] == pytest.approx(expected)
    assert scores.confusion["labels"] == labels
    assert scores.confusion["matrix"] == confusion_matrix(gold, predicted, labels=labels).tolist()


def test_a_resample_scores_like_its_repeated_rows(monkeypatch):
    gold, predicted, drawn = list("aabbc"), list("abbbc"), [2, 0, 1, 1, 0]
    captured = {}

    def keep(statistic, num_rows):
        captured["statistic"] = statistic
        return estimate(statistic, num_rows)

    monkeypatch.setattr("playground.evaluation.classification.estimate", keep)
    score_labels(gold, predicted)
    repeated = [i for i, times in enumerate(drawn) for _ in range(times)]
    expected = f1_score([gold[i] for i in repeated], [predicted[i] for i in repeated], average="macro")
    assert captured["statistic"](np.array([drawn], dtype=float))[0] == pytest.approx(100 * expected)


def test_a_row_without_answer_is_wrong_but_adds_no_label():
    scores = score_labels(["yes", "no"], ["yes", None])
    assert scores.metrics == {"macro_f1": 50.0, "accuracy": 50.0}
    assert scores.per_class["no"] == {"precision": 0, "recall": 0, "f1": 0, "support": 1}
    assert scores.confusion == {"labels": ["no", "yes"], "matrix": [[0, 0], [0, 1]], "unanswered": [1, 0]}


def test_interval_holds_the_score_and_narrows_with_more_rows():
    few = score_labels(list("aabb") * 5, list("abbb") * 5)
    many = score_labels(list("aabb") * 500, list("abbb") * 500)
    assert few.interval[0] < few.metrics["macro_f1"] < few.interval[1]
    assert many.interval[1] - many.interval[0] < (few.interval[1] - few.interval[0]) / 5


def test_hundreds_of_labels_give_no_confusion_matrix():
    labels = [f"intent {i}" for i in range(MAX_CONFUSION_LABELS + 1)]
    scores = score_labels(labels, labels)
    assert scores.confusion is None
    assert scores.metrics["macro_f1"] == 100
