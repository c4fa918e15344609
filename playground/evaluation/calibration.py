"""Numbers that turn scores into honest answers, fitted on rows that were neither trained nor measured on."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

TEMPERATURES = np.geomspace(0.25, 8.0, 141)
BIASES = np.linspace(-5.0, 5.0, 201)
NUM_BINS = 15
NUM_CURVE_BINS = 10
"""Fewer, since a point of few answers says nothing that an eye could take in."""


def fit_temperature(logits: NDArray[np.float64], gold: Sequence[int]) -> float:
    """The temperature with the lowest negative log-likelihood (Guo et al. 2017, https://arxiv.org/abs/1706.04599).

    Args:
        logits: (N, L).
        gold: index of the true label of each row.
    """
    rows = np.arange(len(gold))
    losses = []
    for temperature in TEMPERATURES:
        scaled = logits / temperature
        top = scaled.max(axis=1)
        losses.append(float(np.mean(np.log(np.exp(scaled - top[:, None]).sum(axis=1)) + top - scaled[rows, gold])))
    return float(TEMPERATURES[int(np.argmin(losses))])


def fit_score_temperature(scored: Callable[[float], tuple[Sequence[float], Sequence[bool]]]) -> float:
    """The temperature at which the scores of answers say best how often these are right (lowest log-loss).

    Args:
        scored: the score of each answer at a temperature, and whether it is right; the same answers at each.
    """
    tried = TEMPERATURES[::5]  # each costs a decoding of all answers
    losses = []
    for temperature in tried:
        scores, is_right = scored(float(temperature))
        sure = np.clip(np.asarray(scores, dtype=np.float64), 1e-6, 1 - 1e-6)
        losses.append(-float(np.mean(np.log(np.where(is_right, sure, 1 - sure)))))
    return float(tried[int(np.argmin(losses))])


def fit_logistic(values: Sequence[float], is_right: Sequence[bool]) -> tuple[float, float]:
    """Temperature and bias with which ``logistic(value / temperature + bias)`` says best how often answers are right.

    Platt 1999, "Probabilistic outputs for support vector machines": lowest log-loss, with targets that leave a little
    doubt about a few rows.
    """
    right = np.asarray(is_right, dtype=bool)
    goal = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))
    scaled = np.asarray(values, dtype=np.float64)[None, :] / TEMPERATURES[:, None]
    losses = []
    for bias in BIASES:
        logits = scaled + bias
        losses.append((np.logaddexp(0, logits) - goal * logits).mean(axis=1))
    bias_place, place = np.unravel_index(int(np.argmin(losses)), (len(BIASES), len(TEMPERATURES)))
    return float(TEMPERATURES[place]), float(BIASES[bias_place])


def fit_no_answer_threshold(margins: Sequence[float], answered: Sequence[float], silent: Sequence[float]) -> float:
    """The margin below which "no answer" is the better answer on the whole.

    Args:
        margins: of the best span over "no answer", one a row.
        answered: metric of each row when that span is given.
        silent: metric of each row when nothing is answered.
    """
    order = np.argsort(margins)
    ordered = np.asarray(margins, dtype=np.float64)[order]
    gain = (np.asarray(answered, dtype=np.float64) - np.asarray(silent, dtype=np.float64))[order]
    # Place k: the k rows with the smallest margins stay without an answer.
    totals = np.concatenate([[gain.sum()], gain.sum() - np.cumsum(gain)])
    places = np.concatenate([[ordered[0] - 1], (ordered[1:] + ordered[:-1]) / 2, [ordered[-1] + 1]])
    best = places[totals >= totals.max() - 1e-9]
    return float(best[np.abs(best).argmin()])


def reliability(confidences: Sequence[float], is_right: Sequence[bool]) -> list[dict[str, float]]:
    """Points of the reliability diagram: of the answers whose confidence falls into a bin, mean confidence and share
    of right ones (both 0 to 1) and how many they are; empty bins are left out.
    """
    confident = np.asarray(confidences, dtype=np.float64)
    right = np.asarray(is_right, dtype=np.float64)
    bins = np.minimum((confident * NUM_CURVE_BINS).astype(int), NUM_CURVE_BINS - 1)
    return [
        {
            "confidence": float(confident[bins == place].mean()),
            "accuracy": float(right[bins == place].mean()),
            "n": int((bins == place).sum()),
        }
        for place in np.unique(bins)
    ]


def expected_calibration_error(confidences: Sequence[float], is_right: Sequence[bool]) -> float:
    """How far confidence and accuracy lie apart on average, 0 to 100, in bins of equal width."""
    confident = np.asarray(confidences, dtype=np.float64)
    right = np.asarray(is_right, dtype=np.float64)
    bins = np.minimum((confident * NUM_BINS).astype(int), NUM_BINS - 1)
    sums = np.bincount(bins, confident - right, minlength=NUM_BINS)
    return 100 * float(np.abs(sums).sum()) / len(confident)
