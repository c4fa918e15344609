import numpy as np
import pytest

from playground.evaluation.calibration import (
    expected_calibration_error,
    fit_logistic,
    fit_no_answer_threshold,
    fit_score_temperature,
    fit_temperature,
)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(temperature):
    chance = np.random.default_rng(0)
    logits = chance.normal(size=(20_000, 3)) * 2
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gold = [int(chance.choice(3, p=share)) for share in shares]
    assert fit_temperature(logits * temperature, gold) == pytest.approx(temperature, rel=0.07)


def test_logits_of_any_size_give_a_finite_temperature():
    assert np.isfinite(fit_temperature(np.array([[1e4, -1e4], [-1e4, 1e4]]), [0, 1]))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_scores_are_scaled_until_they_say_how_often_answers_are_right(temperature):
    chance = np.random.default_rng(0)
    margins = chance.normal(size=20_000) * 3
    is_right = chance.random(20_000) < 1 / (1 + np.exp(-margins))
    found = fit_score_temperature(lambda tried: (1 / (1 + np.exp(-margins * temperature / tried)), is_right))
    assert found == pytest.approx(temperature, rel=0.1)


def test_scores_of_zero_and_one_give_a_finite_temperature():
    assert np.isfinite(fit_score_temperature(lambda _: ([0.0, 1.0], [True, False])))


def test_the_threshold_lies_between_what_to_answer_and_what_not():
    threshold = fit_no_answer_threshold([-3.0, -1.0, 0.5, 4.0], [0, 0, 100, 80], [100, 100, 0, 0])
    assert -1.0 < threshold < 0.5


def test_an_adapter_that_is_silent_too_often_gets_a_threshold_below_zero():
    assert -3.0 < fit_no_answer_threshold([-3.0, -2.0, -1.0, 2.0], [0, 90, 90, 90], [100, 0, 0, 0]) < -2.0


@pytest.mark.parametrize(("answered", "silent", "sign"), [([100, 100], [0, 0], -1), ([0, 0], [100, 100], 1)])
def test_always_or_never_answering_is_possible(answered, silent, sign):
    margins = [-2.0, 2.0]
    threshold = fit_no_answer_threshold(margins, answered, silent)
    assert all((margin < threshold) == (sign > 0) for margin in margins)


def test_of_equally_good_thresholds_the_one_nearest_to_none_is_taken():
    assert abs(fit_no_answer_threshold([-5.0, -1.0, 1.0, 5.0], [50] * 4, [50] * 4)) == 0


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy():
    assert expected_calibration_error([0.8] * 10, [True] * 8 + [False] * 2) == pytest.approx(0, abs=1e-9)
    assert expected_calibration_error([0.9] * 10, [True] * 5 + [False] * 5) == pytest.approx(40)
    assert expected_calibration_error([1.0, 0.5], [True, False]) == pytest.approx(25)


@pytest.mark.parametrize(("temperature", "bias"), [(2.0, -1.0), (0.5, 0.0), (4.0, 1.5)])
def test_temperature_and_bias_are_found_again(temperature, bias):
    chance = np.random.default_rng(0)
    values = chance.uniform(0, 12, 5_000)
    is_right = chance.random(5_000) < 1 / (1 + np.exp(-(values / temperature + bias)))
    found = fit_logistic(values.tolist(), is_right.tolist())
    assert found == (pytest.approx(temperature, rel=0.2), pytest.approx(bias, abs=0.25))


def test_answers_that_are_half_wrong_however_sure_get_scores_around_one_half():
    values, is_right = [0.5, 1.0, 6.0, 9.0] * 25, [True, False] * 50
    temperature, bias = fit_logistic(values, is_right)
    scores = 1 / (1 + np.exp(-(np.asarray(values) / temperature + bias)))
    assert scores.mean() == pytest.approx(0.5, abs=0.02)
