from types import SimpleNamespace

import pytest
import torch
from bitsandbytes.optim import PagedAdamW8bit
from torch import nn
from torch.optim import AdamW

from playground.training.config import RunConfig
from playground.training.optimizers import adamw_of, optim_of


def config(**changes):
    return RunConfig(task="classify", data="", name="x", backbone="b", **changes)


def on(device):
    """A trainee whose weights lie on `device`."""
    return SimpleNamespace(parameters=lambda: iter([SimpleNamespace(device=torch.device(device))]))


@pytest.mark.parametrize(
    ("device", "options", "optim"),
    [
        ("cuda", {"quantization": "4-bit"}, "paged_adamw_8bit"),
        ("cuda", {"quantization": "8-bit"}, "paged_adamw_8bit"),
        ("cuda", {}, "adamw_torch"),
        ("cpu", {"quantization": "4-bit"}, "adamw_torch"),
        ("cpu", {"optim": "paged_adamw_8bit"}, "paged_adamw_8bit"),
        ("cuda", {"quantization": "4-bit", "optim": "adamw_torch"}, "adamw_torch"),
    ],
)
def test_moments_have_8_bits_where_quantized_weights_learn_on_a_gpu_or_where_that_is_wished(device, options, optim):
    assert optim_of(on(device), config(**options)) == optim


@pytest.mark.parametrize(("optim", "kind"), [("auto", AdamW), ("paged_adamw_8bit", PagedAdamW8bit)])
@pytest.mark.parametrize("ratio", [1.0, 4.0])
def test_what_learns_is_what_is_trained_at_the_rate_that_was_set(optim, kind, ratio):
    trainee = nn.Module()
    trainee.model = nn.Sequential(nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 2))
    adamw = adamw_of(trainee, config(optim=optim, loraplus_lr_ratio=ratio, learning_rate=0.01))
    assert isinstance(adamw, kind)
    assert {id(weight) for group in adamw.param_groups for weight in group["params"]} == {
        id(weight) for weight in trainee.model[1].parameters()
    }
    assert {group["lr"] for group in adamw.param_groups if group["params"]} <= {0.01, 0.01 * ratio}
