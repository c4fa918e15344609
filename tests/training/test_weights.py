"""Weights that are copied, put back and mixed."""

import pytest
import torch
from torch import nn

from playground.training.weights import copy_weights, mix_weights, put_weights


@pytest.fixture
def model():
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad = False
    nn.init.constant_(layer.weight, 4.0)
    return layer


def test_a_copy_is_out_of_reach_and_can_be_put_back(model):
    kept = copy_weights(model)
    assert list(kept) == ["weight"]
    nn.init.zeros_(model.weight)
    put_weights(model, kept)
    assert (model.weight == 4).all()


@pytest.mark.parametrize(("share", "value"), [(0.0, 0.0), (0.25, 1.0), (1.0, 4.0)])
def test_mixing_goes_back_by_a_share_of_the_way(model, share, value):
    earlier, bias = copy_weights(model), model.bias.clone()
    nn.init.zeros_(model.weight)
    mix_weights(model, earlier, share)
    torch.testing.assert_close(model.weight.data, torch.full((2, 2), value))
    assert model.bias.equal(bias)
