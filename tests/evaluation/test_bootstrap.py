import numpy as np
import pytest

from playground.evaluation import bootstrap


def test_interval_of_a_mean_agrees_with_the_normal_approximation():
    values = np.random.default_rng(1).normal(50, 10, size=2000)
    low, high = bootstrap.interval(bootstrap.mean_of(values), len(values))
    half_width = 1.96 * values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half_width, abs=0.1)
    assert high == pytest.approx(values.mean() + half_width, abs=0.1)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    statistic = bootstrap.mean_of(np.arange(30.0))
    assert bootstrap.interval(statistic, 30, seed=3) == bootstrap.interval(statistic, 30, seed=3)
    assert bootstrap.interval(statistic, 30, seed=3) != bootstrap.interval(statistic, 30, seed=4)


def test_every_resample_draws_as_many_rows_as_there_are_in_bounded_pieces(monkeypatch):
    monkeypatch.setattr(bootstrap, "MAX_CELLS", 70)
    seen = []

    def statistic(weights):
        seen.append(weights)
        return weights[:, 0]

    bootstrap.interval(statistic, 7, num_resamples=25)
    assert [len(piece) for piece in seen] == [10, 10, 5]
    assert all((piece.sum(axis=1) == 7).all() for piece in seen)


def test_one_row_has_an_interval_of_no_width():
    assert bootstrap.estimate(bootstrap.mean_of(np.array([40.0])), 1) == (40.0, (40.0, 40.0))


def test_counts_by_row_keep_resamples_apart():
    weights = np.array([[1.0, 0, 2], [0, 5, 1]])
    assert bootstrap.count_by_row(np.array([2, 0, 2]), weights, 3).tolist() == [[0, 0, 3], [5, 0, 1]]
