"""Products with 8-bit weights: the weights stay int8 in memory, the states are fp32.

Each weight is read once for four rows, two outputs at a time, whose sums stay in the processor's registers. For a row
by itself it is one output at a time: memory is read fastest from front to back.
Shapes: N rows, I inputs, O outputs.
"""

from collections.abc import Callable

import numpy as np
import torch
from numba import prange
from torch import Tensor

from playground.backbones.compiled import Bytes, Floats, part, shared

ROWS_AT_ONCE = 64
"""Rows that go over the weights together; more of them do not fit into a core's cache."""
MANY_ROWS = 128
"""From so many rows on it pays to bring the weights to fp32, for the library's products of fp32."""
OUTPUTS_AT_ONCE = 512
"""Outputs whose weights are in fp32 at the same time."""


def pack(values: Tensor, scale: Tensor) -> Callable[[Tensor], Tensor]:
    """Makes the product of (N, I) states with an (O, I) int8 weight, whose outputs have the (O,) scales."""
    weight, scales, parts = values.numpy(), scale.numpy(), torch.split(values, OUTPUTS_AT_ONCE)

    def product(states: Tensor) -> Tensor:
        found = states.new_empty(len(states), len(weight))
        if len(states) < MANY_ROWS:
            _multiply(states.contiguous().numpy(), weight, scales, found.numpy())
            return found
        for some, outputs in zip(parts, torch.split(found, OUTPUTS_AT_ONCE, 1), strict=True):
            torch.mm(states, some.float().T, out=outputs)
        return found.mul_(scale)

    return product


@part
def _one_row(states: Floats, row: int, weight: Bytes, scale: Floats, at: int, found: Floats) -> None:
    total = np.float32(0)
    for i in range(weight.shape[1]):
        total += np.float32(weight[at, i]) * states[row, i]
    found[row, at] = total * scale[at]


@part
def _four_rows(states: Floats, row: int, weight: Bytes, scale: Floats, at: int, found: Floats) -> None:
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = np.float32(0)
    for i in range(weight.shape[1]):
        a, b = np.float32(weight[at, i]), np.float32(weight[at + 1, i])
        x0, x1, x2, x3 = states[row, i], states[row + 1, i], states[row + 2, i], states[row + 3, i]
        a0 += a * x0
        a1 += a * x1
        a2 += a * x2
        a3 += a * x3
        b0 += b * x0
        b1 += b * x1
        b2 += b * x2
        b3 += b * x3
    found[row, at], found[row, at + 1] = a0 * scale[at], b0 * scale[at + 1]
    found[row + 1, at], found[row + 1, at + 1] = a1 * scale[at], b1 * scale[at + 1]
    found[row + 2, at], found[row + 2, at + 1] = a2 * scale[at], b2 * scale[at + 1]
    found[row + 3, at], found[row + 3, at + 1] = a3 * scale[at], b3 * scale[at + 1]


@shared("(f4[:, ::1], i1[:, ::1], f4[::1], f4[:, ::1])")
def _multiply(states: Floats, weight: Bytes, scale: Floats, found: Floats) -> None:
    """Writes the (N, O) products of (N, I) and (O, I), times the (O,) scales, into `found`."""
    for first in range(0, len(states), ROWS_AT_ONCE):
        last = min(first + ROWS_AT_ONCE, len(states))
        fours = last - (last - first) % 4
        for pair in prange((len(weight) + 1) // 2):
            at = min(2 * pair, len(weight) - 2)
            for row in range(first, fours, 4):
                _four_rows(states, row, weight, scale, at, found)
            for row in range(fours, last):
                _one_row(states, row, weight, scale, at, found)
                _one_row(states, row, weight, scale, at + 1, found)
