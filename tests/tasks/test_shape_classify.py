import numpy as np
import pytest

from playground.tasks import shape_classify
from playground.tasks.windows import Window


def window(num_tokens):
    return Window([0] * num_tokens, 0, num_tokens, 0)


def test_one_window_gives_the_softmax_of_its_logits_best_first():
    row = shape_classify.decode([window(3)], [np.log(np.array([0.2, 0.7, 0.1]))], ["a", "b", "c"])
    assert row["label"] == "b"
    assert list(row["scores"]) == ["b", "a", "c"]
    assert row["scores"]["b"] == pytest.approx(0.7)


def test_windows_weigh_as_much_as_they_hold_tokens():
    logits = [np.log(np.array([0.9, 0.1])), np.log(np.array([0.2, 0.8]))]
    row = shape_classify.decode([window(10), window(30)], logits, ["a", "b"])
    assert row["scores"]["a"] == pytest.approx((0.9 * 10 + 0.2 * 30) / 40)


def test_a_window_without_tokens_still_counts():
    assert shape_classify.decode([window(0)], [np.array([0.0, 1.0])], ["a", "b"])["label"] == "b"


def test_large_logits_do_not_overflow():
    scores = shape_classify.decode([window(1)], [np.array([1e4, -1e4], dtype=np.float32)], ["a", "b"])["scores"]
    assert scores == {"a": 1.0, "b": 0.0}


def test_the_target_is_the_place_of_the_label():
    assert shape_classify.target({"label": "b"}, ["a", "b"]) == 1
