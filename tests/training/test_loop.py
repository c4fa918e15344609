import math
import re
from itertools import pairwise

import pytest
import torch
from torch import nn

from playground.errors import PlaygroundError
from playground.training import memory, passes
from playground.training.checkpoint import Checkpoint
from playground.training.config import RunConfig
from playground.training.early_stopping import (
    CHECKS,
    COST_OF_TRAINING,
    FEWEST_ROWS,
    MOST_ROWS,
    SHARE_OF_WORK,
    EarlyStopping,
    affordable,
)
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

    def row_losses(self, input_ids, kept, labels):
        return ((self.weight - labels.float()) ** 2)[:, 0] * self.factor


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
    steps, notes = [], []
    settings = config(epochs=1e6, time_limit_s=0.3)
    train(Line(), FEATURES, settings, 0, steps.append, lambda: False, on_note=notes.append)
    assert 0 < len(steps) < steps[0].steps
    assert steps[-1].elapsed_s < 60
    (note,) = notes
    assert f"was over after {len(steps):,} of {steps[0].steps:,} steps" in note


def test_a_run_that_goes_on_gets_the_time_that_was_left_and_ends_its_schedule_with_it(tmp_path, monkeypatch):
    clock, settings = [0.0], config(epochs=1e6, time_limit_s=20.0)
    monkeypatch.setattr("playground.training.loop.time.monotonic", lambda: clock[0])
    state, steps = Checkpoint(tmp_path, {}), []

    def on_step(step):
        steps.append(step)

    def a_second_later(stops):
        clock[0] += 1.0
        return stops()

    train(Line(), FEATURES, settings, 0, on_step, lambda: a_second_later(lambda: len(steps) == 8), state)
    rate, clock[0] = steps[-1].learning_rate, 5000.0
    train(Line(), FEATURES, settings, 0, on_step, lambda: a_second_later(lambda: False), state)
    assert len(steps) == 20
    assert steps[8].elapsed_s == 9.0 + steps[7].elapsed_s - 8.0
    assert rate > steps[8].learning_rate > steps[-1].learning_rate
    assert steps[-1].learning_rate == pytest.approx(0.0, abs=rate / 10)
    train(Line(), FEATURES, settings, 0, on_step, lambda: False, state)
    assert len(steps) == 20


def test_nothing_is_said_of_a_time_limit_that_was_not_needed():
    notes = []
    train(Line(), FEATURES, config(time_limit_s=600.0), 0, lambda _: None, lambda: False, on_note=notes.append)
    assert notes == []


def test_a_loss_that_is_no_number_says_what_to_change():
    with pytest.raises(PlaygroundError, match=r"The loss became nan at step 1; try a learning rate below 0.5"):
        run(Line(factor=math.nan))


class Moody(Line):
    """A line whose loss is as `moods` say: a factor for each pass."""

    def __init__(self, moods):
        super().__init__()
        self.moods = moods

    def forward(self, input_ids, kept, labels):
        return super().forward(input_ids, kept, labels) * self.moods(len(self.batches))


@pytest.mark.parametrize(
    ("moods", "says"),
    [
        (lambda step: math.nan if step == 35 else 1.0, "The loss became nan at step 35"),
        (lambda step: math.inf if step == 35 else 1.0, "The loss became inf at step 35"),
        (lambda step: 1.0 if step < 30 else 1e5 * step, r"The loss grew from about .* by step 3\d"),
    ],
    ids=["nan", "infinite", "diverging"],
)
def test_a_loss_out_of_hand_ends_the_run_with_the_last_good_weights(moods, says):
    model, notes, seen = Moody(moods), [], {}
    keep = lambda step: seen.__setitem__(step.step, model.weight.item())  # noqa: E731
    settings = config(epochs=1e6, time_limit_s=60.0, learning_rate=0.01)
    done = train(model, FEATURES, settings, 0, keep, lambda: False, on_note=notes.append)
    (note,) = notes
    assert 30 <= done.steps < 40
    assert re.match(says + ", so the training ended there with the weights of step 30; try a ", note)
    assert model.weight.item() == seen[30]


def test_a_loss_that_was_out_of_hand_from_the_start_is_told():
    """As with a learning rate that is far too high: no weights were ever good."""
    model = Moody(lambda step: 1.0 if step < 3 else 1e3)
    with pytest.raises(
        PlaygroundError, match=r"The loss grew from about .* by step 11; try a learning rate below 0.01"
    ):
        train(
            model, FEATURES, config(time_limit_s=9.0, epochs=1e6, learning_rate=0.01), 0, lambda _: None, lambda: False
        )


def test_gradients_that_are_no_numbers_never_reach_the_weights():
    class Broken(Line):
        def forward(self, input_ids, kept, labels):
            loss = super().forward(input_ids, kept, labels)
            return loss if len(self.batches) < 15 else loss + (self.weight - self.weight.detach()).abs().sqrt()

    model, notes = Broken(), []
    train(model, FEATURES, config(epochs=10.0), 0, lambda step: None, lambda: False, on_note=notes.append)
    assert "The gradients became" in notes[0]
    assert model.weight.isfinite()


class Crowded(Line):
    """Has no memory for more than `room` rows at once."""

    def __init__(self, room, error=MemoryError):
        super().__init__()
        self.room = room
        self.error = error

    def forward(self, input_ids, kept, labels):
        if len(input_ids) > self.room:
            raise self.error("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return super().forward(input_ids, kept, labels)


@pytest.mark.parametrize("error", [MemoryError, RuntimeError, torch.cuda.OutOfMemoryError])
def test_a_step_that_does_not_fit_is_taken_again_in_halves_with_the_same_result(error):
    usual, crowded, notes, steps = Line(), Crowded(3, error), [], []
    features = [Feature([4] * 9, [number % 5]) for number in range(40)]
    expected = run(usual, features=features)
    train(crowded, features, config(), 0, steps.append, lambda: False, on_note=notes.append)
    assert notes == [
        "Memory ran out, so 4 rows instead of 8 go through the backbone at once.",
        "Memory ran out, so 2 rows instead of 4 go through the backbone at once.",
    ]
    assert torch.allclose(crowded.weight, usual.weight, atol=1e-6)
    assert [step.loss for step in steps] == pytest.approx([step.loss for step in expected], rel=1e-5)


def test_a_row_too_long_for_the_memory_is_said():
    with pytest.raises(PlaygroundError, match=r"Memory ran out over a single row of \d tokens; choose shorter texts"):
        run(Crowded(0))


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    class Wrong(Line):
        def forward(self, input_ids, kept, labels):
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        run(Wrong())


def test_rows_in_a_pass_accumulate_to_the_batch():
    whole, cut = Line(), Line()
    run(whole)
    run(cut, rows_a_pass=3)
    assert max(len(batch) for batch in cut.batches) == 3
    assert torch.allclose(cut.weight, whole.weight, atol=1e-6)


def overfitted(early_stopping, checkpoint=None, stop=lambda steps: False):
    """Learns towards 3, is watched on rows that say 1: best when the weight is 1."""
    model, steps, notes = Line(), [], []
    held_back = [Feature([4] * 3, [1]) for _ in range(16)]
    settings = config(epochs=20.0, learning_rate=0.05, early_stopping=early_stopping)
    train(
        model, FEATURES, settings, 0, steps.append, lambda: stop(steps), checkpoint,
        held_back=held_back, on_note=notes.append,
    )  # fmt: skip
    return model, steps, notes


def test_early_stopping_ends_after_checks_in_vain_with_the_best_weights():
    model, steps, notes = overfitted(2)
    checks = [(step.step, step.validation_loss) for step in steps if step.validation_loss is not None]
    best = min(checks, key=lambda check: check[1])
    assert len(checks) == checks.index(best) + 3
    assert len(steps) == checks[-1][0] < steps[0].steps
    assert (model.weight.item() - 1) ** 2 == pytest.approx(best[1], abs=1e-6)
    assert notes[0].startswith(f"Stopped early after step {len(steps)}; the adapter has the weights of step {best[0]}")


LUCKY = [0.7] * 20
SURER = [0.95] * 15 + [0.02] * 5
"""Right as often, but surer of itself: its loss is twice that of `LUCKY`, the chance of the right answer is as good."""
WORSE = [0.95] * 4 + [0.02] * 16


def checked(early_stopping, *checks):
    """`EarlyStopping` after `checks`, each the chance that the right answer has in each of 20 rows held back."""
    rows = [Feature([4] * 3, [1])] * 20
    stopping = EarlyStopping(Line(), rows, FEATURES * 9, config(early_stopping=early_stopping))
    for number, chances in enumerate(checks, start=1):
        losses = -torch.log(torch.tensor(chances, dtype=torch.float64))
        stopping.check(number / 10, number, lambda _, losses=losses: losses)
    return stopping


def test_being_surer_of_the_same_answers_is_no_reason_to_go_back():
    stopping = checked(1, LUCKY, SURER, SURER)
    assert (stopping.kept_steps, stopping.is_over) == (3, False)


def test_clearly_worse_answers_are():
    assert [checked(2, *checks).is_over for checks in ((SURER, WORSE), (SURER, WORSE, WORSE))] == [False, True]
    assert checked(2, SURER, WORSE, WORSE).kept_steps == 1


def test_a_chain_of_little_losses_leads_no_further_than_one_of_them():
    falling = [[0.9 - 0.01 * check + 0.04 * (-1) ** (row + check) for row in range(20)] for check in range(6)]
    assert checked(9, *falling).kept_steps == 2


def test_what_is_no_number_is_never_kept():
    assert checked(3, [math.nan] * 20).kept_steps == 0


def test_without_early_stopping_nothing_is_watched():
    _, steps, notes = overfitted(0)
    assert len(steps) == steps[0].steps
    assert not notes
    assert all(step.validation_loss is None for step in steps)


def test_a_break_forgets_neither_the_best_weights_nor_the_checks_in_vain(tmp_path):
    whole, steps, notes = overfitted(2)
    state = Checkpoint(tmp_path, {})
    taken = []
    for last in (25, 10, 20):
        cut, part, told = overfitted(2, state, lambda seen, last=last: len(seen) >= last)
        taken += part
    cut, part, told = overfitted(2, state)
    assert len(taken + part) == len(steps)
    assert torch.equal(cut.weight, whole.weight)
    assert told == notes
    assert [s.validation_loss for s in taken + part] == [s.validation_loss for s in steps]
    again, part, told = overfitted(2, state)
    assert (part, told) == ([], notes)
    assert torch.equal(again.weight, whole.weight)


def test_checks_cost_little_of_a_run():
    rows = [Feature([4] * 100, [1]) for _ in range(400)]
    settings = config(epochs=3.0, early_stopping=2)
    kept = affordable(rows, rows, settings)
    assert FEWEST_ROWS < len(kept) <= MOST_ROWS
    assert len(kept) * 100 * CHECKS / COST_OF_TRAINING <= SHARE_OF_WORK * 3 * 400 * 100
    assert affordable(rows[:FEWEST_ROWS], rows[:40], settings) == rows[:FEWEST_ROWS]
    assert affordable(rows[: FEWEST_ROWS - 1], rows, settings) == []


def test_steps_tell_the_memory(monkeypatch):
    monkeypatch.setattr(memory, "used_bytes", lambda: 300 * memory.MB)
    assert {step.memory_mb for step in run(Line())} == {300.0}


@pytest.mark.parametrize("shape", ["cosine", "constant"])
def test_other_schedules_warm_up_too(shape):
    factors = [schedule(share / 1000, shape) for share in range(1001)]
    assert factors[0] < 0.1
    assert max(factors) == pytest.approx(1, abs=1e-2)
    assert factors[-1] == {"cosine": 0, "constant": 1}[shape]
    assert all(after <= before for before, after in pairwise(factors[80:]))


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
    monkeypatch.setattr(passes, "TOKENS_A_PASS", 20)
    after = run(cut, features=features)
    assert len(cut.batches) > len(whole.batches)
    assert all(len(batch) * len(batch[0]) <= 20 or len(batch) == 1 for batch in padded_to_longest(cut.batches))
    assert torch.allclose(cut.weight, whole.weight, atol=1e-6)
    assert [step.loss for step in after] == pytest.approx([step.loss for step in before], rel=1e-5)


def padded_to_longest(batches):
    """Without the padding to round widths."""
    return [[ids[: max(sum(token == 4 for token in row) for row in batch)] for ids in batch] for batch in batches]
