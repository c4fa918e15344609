import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from playground.errors import PlaygroundError
from playground.training import loop
from playground.training.config import RunConfig
from playground.training.features import Feature
from playground.training.loop import batches, schedule, train


class Line(nn.Module):
    """Learns the label of a row from nothing: a mean-squared error with one weight."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.frozen = nn.Parameter(torch.ones(()), requires_grad=False)
        self.factor = factor
        self.batches = []

    def forward(self, input_ids, kept, labels):
        self.batches.append(input_ids.tolist())
        return ((self.weight - labels.float()) ** 2).mean() * self.factor


FEATURES = [Feature([4] * (1 + number % 9), [3]) for number in range(40)]


def config(**changes):
    known = {"batch_size": 8, "epochs": 2.0, "learning_rate": 0.5}
    return RunConfig(task="classify", data="", name="x", backbone="b", **known | changes)


def run(model, stop=lambda: False, features=FEATURES, **changes):
    steps = []
    done = train(model, features, config(**changes), 0, steps.append, stop)
    assert len(steps) == done.steps
    return steps


def test_the_loss_falls_and_frozen_weights_stay():
    model = Line()
    steps = run(model, epochs=8.0)
    assert steps[-1].loss < steps[0].loss / 10
    assert model.frozen == 1
    assert all(step.steps == 40 and step.tokens_per_s > 0 and step.eta_s >= 0 for step in steps)
    assert [step.step for step in steps] == list(range(1, 41))


def test_the_learning_rate_rises_then_falls_to_nothing():
    factors = [schedule(share / 1000) for share in range(1001)]
    top = factors.index(max(factors))
    assert 40 < top < 80
    assert factors[0] > 0
    assert factors[-1] == 0
    assert all(before <= after for before, after in pairwise(factors[: top + 1]))
    assert all(before >= after for before, after in pairwise(factors[top:]))


def test_the_last_step_has_nearly_no_learning_rate():
    steps = run(Line(), epochs=10.0)
    assert steps[-1].learning_rate < steps[3].learning_rate / 10


def test_the_wish_to_stop_is_granted_before_the_next_step():
    steps = []
    done = train(Line(), FEATURES, config(), 0, steps.append, lambda: len(steps) == 3)
    assert done.steps == 3


def test_a_time_limit_ends_the_run_and_the_schedule():
    model = Line()
    steps = run(model, epochs=1e6, time_limit_s=0.3)
    assert 0 < len(steps) < steps[0].steps
    assert steps[-1].elapsed_s < 60


def test_a_loss_that_is_no_number_says_what_to_change():
    with pytest.raises(PlaygroundError, match=r"The loss became nan at step 1; try a learning rate below 0.5"):
        run(Line(factor=math.nan))


def test_the_seed_decides_the_order():
    orders = []
    for seed in (1, 1, 2):
        model = Line()
        run(model, seed=seed)
        orders.append(model.batches)
    assert orders[0] == orders[1] != orders[2]


def test_every_row_is_seen_once_an_epoch_in_batches_of_similar_length():
    features = [Feature([0] * (1 + number % 50), [number]) for number in range(200)]
    made = list(batches(features, config(batch_size=10), 20))
    assert sorted(feature.labels[0] for batch in made for feature in batch) == list(range(200))
    spread = [max(map(len, lengths)) - min(map(len, lengths)) for lengths in ([f.input_ids for f in b] for b in made)]
    assert max(spread) <= 5


def test_epochs_follow_each_other_and_a_small_last_batch_is_used():
    made = list(batches(FEATURES[:5], config(batch_size=2), 7))
    assert len(made) == 7
    assert sorted(len(batch) for batch in made[:3]) == [1, 2, 2]


def test_fewer_rows_than_a_batch_still_make_a_step():
    assert len(run(Line(), features=FEATURES[:2], epochs=1.0)) == 1


def test_long_rows_go_through_in_parts_with_the_same_result(monkeypatch):
    whole, cut = Line(), Line()
    features = [Feature([4] * (1 + number % 9), [number % 5]) for number in range(40)]
    before = run(whole, features=features)
    monkeypatch.setattr(loop, "TOKENS_A_PASS", 20)
    after = run(cut, features=features)
    assert len(cut.batches) > len(whole.batches)
    assert all(len(batch) * len(batch[0]) <= 20 or len(batch) == 1 for batch in padded_to_longest(cut.batches))
    assert torch.allclose(cut.weight, whole.weight, atol=1e-6)
    assert [step.loss for step in after] == pytest.approx([step.loss for step in before], rel=1e-5)


def padded_to_longest(batches):
    """Without the padding to round widths."""
    return [[ids[: max(sum(token == 4 for token in row) for row in batch)] for ids in batch] for batch in batches]
