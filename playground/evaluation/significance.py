"""Whether two sets of answers to the same rows differ by more than chance.

The p value is that of approximate randomization: Noreen (1989), for F-measures Yeh (2000),
https://aclanthology.org/C00-2137/, for translations Riezler and Maxwell (2005), https://aclanthology.org/W05-0908/. If
both were equally good, it would not matter which of the two gave which answer; so the two answers of each row are
swapped by the toss of a coin, many times, and p is how often the scores then lie as far apart as they really do. The
interval of the difference is the paired bootstrap of Koehn (2004), https://aclanthology.org/W04-3250/.

Shapes: B draws, N rows. Both sets are scored by one statistic over 2 N answers, the first set's before the second's.
"""

from dataclasses import dataclass

import numpy as np

from playground.evaluation.bootstrap import MAX_CELLS, Statistic, interval

NUM_SHUFFLES = 5000
TEST = "approximate randomization"
SIGNIFICANT = 0.05
_ROUNDING = 1e-9
"""Scores that are equal on paper may differ by so much."""


@dataclass(frozen=True)
class Difference:
    """What the second set of answers scores more than the first."""

    value: float
    """In points of the metric."""
    interval: tuple[float, float]
    """95 % paired bootstrap interval."""
    p_value: float
    """Two-sided; the smallest possible is 1 / (`NUM_SHUFFLES` + 1)."""

    @property
    def is_significant(self) -> bool:
        return self.p_value < SIGNIFICANT


def difference(statistic: Statistic, num_rows: int, *, num_shuffles: int = NUM_SHUFFLES, seed: int = 0) -> Difference:
    """How the two sets differ; the same seed gives the same figures.

    Args:
        statistic: from weights of the 2 N answers (B, 2 N) to scores (B,).
        num_rows: N.
    """

    def gain(weights: np.ndarray) -> np.ndarray:
        """The second set's score less the first's, both on the same drawn rows (B, N)."""
        none = np.zeros_like(weights)
        return statistic(np.hstack([none, weights])) - statistic(np.hstack([weights, none]))

    value = float(gain(np.ones((1, num_rows)))[0])
    generator = np.random.default_rng(seed)
    size = max(1, MAX_CELLS // (2 * num_rows))
    num_as_far = 0
    for done in range(0, num_shuffles, size):
        keeps = generator.integers(2, size=(min(size, num_shuffles - done), num_rows)).astype(float)
        num_as_far += int((np.abs(_swapped_gain(statistic, keeps)) >= abs(value) - _ROUNDING).sum())
    return Difference(
        value=value,
        interval=interval(gain, num_rows, seed=seed),
        p_value=(num_as_far + 1) / (num_shuffles + 1),
    )


def _swapped_gain(statistic: Statistic, keeps: np.ndarray) -> np.ndarray:
    """The gain where each set keeps its answers to rows with 1 in `keeps` (B, N), and takes the other's elsewhere."""
    swaps = 1 - keeps
    return statistic(np.hstack([swaps, keeps])) - statistic(np.hstack([keeps, swaps]))
