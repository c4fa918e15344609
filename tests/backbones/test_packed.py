"""The 8-bit kernels against the products that they stand for."""

import pytest
import torch

from playground.backbones import packed
from playground.backbones.packed import COMPILED, ONEDNN, PackedLinear, best_kernel


@pytest.fixture(params=[COMPILED, ONEDNN], ids=["compiled", "onednn"], autouse=True)
def kernel(request, monkeypatch):
    """Both in turn, where the processor has what they need."""
    if request.param is ONEDNN and best_kernel() is COMPILED:
        pytest.skip("no VNNI")
    monkeypatch.setattr("playground.backbones.packed.best_kernel", lambda: request.param)
    return request.param


def rounded(weight):
    """The weights as they are in 8 bits."""
    scale = weight.abs().amax(1, keepdim=True) / 127
    return torch.round(weight / scale) * scale


def test_only_the_rounding_of_the_weights_is_left():
    torch.manual_seed(0)
    weight, states = torch.randn(100, 64), torch.randn(7, 64)
    expected = states @ rounded(weight).T
    assert torch.allclose(PackedLinear(weight)(states), expected, atol=1e-3 * expected.abs().max())


def test_a_state_a_thousand_times_larger_than_the_others_does_not_drown_them():
    torch.manual_seed(0)
    weight, states = torch.randn(100, 64), torch.randn(5, 64)
    states[:, 3] = 1000
    weight[:, 3] = 0
    expected = states @ rounded(weight).T
    error = (PackedLinear(weight)(states) - expected).norm() / expected.norm()
    # With 7 bits alone every other state is rounded to nothing, and the error is 1.
    assert error < 0.05


def test_rows_of_a_batch_do_not_depend_on_each_other(kernel):
    torch.manual_seed(0)
    layer, states = PackedLinear(torch.randn(50, 32)), torch.randn(9, 32) * torch.logspace(-3, 3, 9)[:, None]
    together = layer(states)
    alone = torch.cat([layer(states[i : i + 1]) for i in range(9)])
    # Compiled sums of four rows at a time are added in another order than those of one.
    largest = alone.abs().amax(1, keepdim=True)
    assert ((together - alone).abs() <= (1e-6 if kernel is COMPILED else 0) * largest).all()


def test_level_inputs_keep_what_one_large_column_would_round_away():
    torch.manual_seed(0)
    weight, states = torch.randn(200, 64), torch.randn(6, 64)
    weight[:, 5] *= 300
    states[:, 5] = 0
    exact = states @ weight.T
    plain, level = PackedLinear(weight)(states), PackedLinear(weight, level_inputs=True)(states)
    assert (level - exact).norm() < 0.1 * (plain - exact).norm()
    assert (level - exact).norm() < 0.02 * exact.norm()


@pytest.mark.parametrize("num_rows", [*range(1, 10), 63, 64, 67, 127, 128, 300])
@pytest.mark.parametrize("num_outputs", [2, 7, 64, 1030])
def test_any_number_of_rows_and_outputs(num_rows, num_outputs):
    torch.manual_seed(0)
    weight, states = torch.randn(num_outputs, 30), torch.randn(num_rows, 30)
    expected = states @ rounded(weight).T
    assert torch.allclose(PackedLinear(weight)(states), expected, atol=1e-3 * expected.abs().max())


def test_rows_that_do_not_lie_in_one_piece():
    torch.manual_seed(0)
    weight, states = torch.randn(8, 30), torch.randn(60, 5).T[:, ::2]
    expected = states @ rounded(weight).T
    assert torch.allclose(PackedLinear(weight)(states), expected, atol=1e-3 * expected.abs().max())


def test_a_row_of_zeros_gives_zeros():
    layer = PackedLinear(torch.randn(10, 8))
    assert torch.equal(layer(torch.zeros(2, 8)), torch.zeros(2, 10))


def test_the_largest_numbers_are_added_without_overflow(kernel):
    weight, states = torch.full((32, 640), 127.0), torch.ones(3, 640)
    assert torch.allclose(PackedLinear(weight)(states), states @ weight.T, rtol=1e-6)


@pytest.mark.parametrize(("capability", "has_vnni"), [("AVX2", True), ("AVX512", False)])
def test_without_products_of_8_bit_numbers_in_the_processor_they_are_compiled(capability, has_vnni, monkeypatch):
    monkeypatch.undo()  # of the fixture
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: capability)
    monkeypatch.setattr("torch.cpu._is_vnni_supported", lambda: has_vnni)
    assert packed.best_kernel() is COMPILED
