import torch
from torch import nn

from playground.backbones.quantize import Int8Linear


def test_logits_stay_close_to_those_of_the_full_weights():
    torch.manual_seed(0)
    linear = nn.Linear(64, 500, bias=False)
    states = torch.randn(3, 7, 64)
    exact, rounded = linear(states), Int8Linear(linear)(states)
    assert rounded.shape == (3, 7, 500)
    assert rounded.dtype == torch.float32
    assert (exact - rounded).abs().max() < 0.03 * exact.abs().max()
    assert (exact.argmax(-1) == rounded.argmax(-1)).float().mean() > 0.9


def test_a_bias_is_kept():
    torch.manual_seed(0)
    linear = nn.Linear(32, 100)
    linear.bias.data += 50
    states = torch.randn(5, 32)
    assert torch.allclose(Int8Linear(linear)(states), linear(states), atol=0.1)


def test_no_row_of_a_batch_depends_on_another():
    torch.manual_seed(0)
    layer = Int8Linear(nn.Linear(32, 100, bias=False))
    states = torch.randn(4, 1, 32)
    together = layer(states)
    assert all(torch.equal(layer(states[i : i + 1])[0], together[i]) for i in range(4))


def test_a_row_of_zeros_gives_zeros():
    linear = nn.Linear(32, 100, bias=False)
    with torch.no_grad():
        linear.weight[3] = 0
    assert Int8Linear(linear)(torch.randn(1, 32))[0, 3] == 0
