"""Confidence intervals by drawing the rows again, with replacement.

The percentile bootstrap of Efron and Tibshirani (1993), for corpus metrics as in Koehn (2004),
https://aclanthology.org/W04-3250/. A resample is kept as how often each row was drawn, so that a metric which adds up
counts needs one matrix product for many resamples. Shapes: B resamples, N rows.
"""

from collections.abc import Callable

import numpy as np

Statistic = Callable[[np.ndarray], np.ndarray]
"""From row weights (B, N) to one value for each resample (B,)."""

NUM_RESAMPLES = 1000
CONFIDENCE_PERCENT = 95
MAX_CELLS = 1_000_000
"""Largest B x N held at once."""


def estimate(statistic: Statistic, num_rows: int) -> tuple[float, tuple[float, float]]:
    """The statistic over all rows as they are, and its interval."""
    return float(statistic(np.ones((1, num_rows)))[0]), interval(statistic, num_rows)


def interval(
    statistic: Statistic, num_rows: int, *, num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """The 95 % percentile interval of `statistic`; the same seed gives the same interval."""
    generator = np.random.default_rng(seed)
    step = max(1, MAX_CELLS // num_rows)
    sizes = [min(step, num_resamples - done) for done in range(0, num_resamples, step)]
    values = np.concatenate([statistic(draw(generator, size, num_rows)) for size in sizes])
    tail = (100 - CONFIDENCE_PERCENT) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def mean_of(values: np.ndarray) -> Statistic:
    """The mean over rows of `values` (N,)."""
    return lambda weights: weights @ values / weights.sum(axis=1)


def draw(generator: np.random.Generator, size: int, num_rows: int) -> np.ndarray:
    """How often each row is in each of `size` resamples (B, N)."""
    picks = generator.integers(num_rows, size=(size, num_rows))
    return count_by_row(picks, np.ones_like(picks, dtype=float), num_rows)


def count_by_row(indices: np.ndarray, weights: np.ndarray, num_bins: int) -> np.ndarray:
    """For each resample the weight that falls on each index: (B, N) or (N,), (B, N) -> (B, num_bins)."""
    size = len(weights)
    flat = indices + num_bins * np.arange(size)[:, None]
    return np.bincount(flat.ravel(), weights.ravel(), minlength=size * num_bins).reshape(size, num_bins)
