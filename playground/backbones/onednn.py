"""Products in 8 bits on processors that multiply 8-bit numbers by themselves (AVX-512 VNNI, AMX), by oneDNN.

Eight bits are too few for the activations of this backbone, whose states have entries a thousand times larger than the
others: so each row is rounded to 8 bits, and what rounding lost goes through the same product as a further row, in 8
bits of its own. What is left is the rounding of the weights. Every row has its own scale and sums are exact, so that no
row of a batch depends on another.
Shapes: N rows, I inputs, O outputs.
"""

from collections.abc import Callable

import torch
from torch import Tensor

LEVELS = 127
"""Activations go from -LEVELS to LEVELS."""
FINER = 2 * LEVELS
"""What rounding lost is half a step at most, and is counted in steps so much finer."""

# Tensors, because torch would make one of a number each time.
SMALLEST = torch.tensor(1e-30)
"""Step of a row of zeros."""
COARSER = torch.tensor(1 / FINER)


def pack(values: Tensor, scale: Tensor) -> Callable[[Tensor], Tensor]:
    """Makes the product of (N, I) states with an (O, I) int8 weight, whose outputs have the (O,) scales."""
    packed = torch.ops.onednn.qlinear_prepack(values, None)
    zeros = torch.zeros(len(scale), dtype=torch.long)
    as_they_are = (1.0, 0)  # scale and zero point

    def product(states: Tensor) -> Tensor:
        largest = states.abs().amax(1, keepdim=True)
        unit = torch.add(SMALLEST, largest, alpha=1 / (LEVELS * FINER))
        both = states.new_empty(2, *states.shape)
        coarse, fine = both.unbind()
        torch.div(states, unit, out=fine)
        torch.mul(fine, COARSER, out=coarse).round_()
        fine.sub_(coarse, alpha=FINER)
        rows = both.flatten(0, 1).round_().to(torch.int8)
        found: Tensor = torch.ops.onednn.qlinear_pointwise(
            *(rows, *as_they_are, packed, scale, zeros, None, *as_they_are, torch.float32, "none", [], "")
        )
        coarse, fine = found.view(2, len(states), -1).unbind()
        return fine.add_(coarse, alpha=FINER).mul_(unit)

    return product
