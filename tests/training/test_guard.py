"""When a loss counts as out of hand."""

import torch

from playground.training.guard import LossGuard


def trouble(losses, rows_a_step):
    """What is said first over `losses`, while the guard is cut and restored at each step."""
    guard = LossGuard(torch.nn.Linear(1, 1), rows_a_step)
    for step, loss in enumerate(losses):
        state = {name: tensor.clone() for name, tensor in guard.state().items()}
        guard = LossGuard(torch.nn.Linear(1, 1), rows_a_step)
        guard.restore(state)
        if said := guard.see(loss, 1.0, step):
            return said
    return ""


def test_hard_and_easy_rows_one_by_one_are_no_divergence():
    losses = [0.05] * 6 + [3.0, 0.05] * 100
    assert "grew from about 0.05" in trouble(losses, 16)
    assert trouble(losses, 1) == ""


def test_a_loss_that_grows_ends_a_training_of_any_batch():
    for rows in (1, 3, 8, 64):
        assert "grew from about 1 to" in trouble([1.0] * 160 + [1e3] * 160, rows)
        assert trouble([1.0, float("nan")], rows) == "The loss became nan at step 2"
