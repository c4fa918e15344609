"""8-bit linear layers on x86 processors: int8 weights, activations in 14 bits, sums in int32.

torch's FBGEMM kernels multiply 7-bit activations with 8-bit weights, fast even without AVX-512. Seven bits are too few
for this backbone, whose states have entries a thousand times larger than the others: so each row is rounded to 7 bits,
and what rounding lost goes through the same product as a further row, in 7 bits of its own. What is left is the
rounding of the weights. Every row has its own scale, so that no row of a batch depends on another.
Shapes: N rows, I inputs, O outputs.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from playground.backbones.checkpoint_tensors import TensorRows

LEVELS = 63
"""Activations go from -63 to 63: with weights up to 127, two products fit into the 16 bits that AVX2 adds in."""
FINER = 126
"""What rounding lost, at most half a step, is that much finer."""
ROWS_AT_ONCE = 16_384
"""Rows of a weight that are read and rounded at the same time, so that the largest one is never there in fp32."""


def is_supported() -> bool:
    """Whether this build of torch has the kernels: on x86 processors, as long as torch keeps them."""
    kernel = "linear_with_input_q_dq_qweight_dq_output_fp32"
    return "fbgemm" in torch.backends.quantized.supported_engines and hasattr(torch.ops.quantized, kernel)


class PackedLinear:
    """``states @ weight.T`` with the (O, I) weight in int8, one scale an output."""

    def __init__(self, weight: Tensor | TensorRows, *, level_inputs: bool = False) -> None:
        """With `level_inputs` each input's weights are first brought to the same largest one, and the states to match:
        the embeddings have a few large columns, which would make every row's scale coarse.
        """
        self.levels = _largest_by_input(weight) if level_inputs else None
        values, scale = torch.empty(weight.shape, dtype=torch.int8), torch.empty(weight.shape[0])
        first = 0
        for part in _parts(weight):
            rows = slice(first, first := first + len(part))
            values[rows], scale[rows] = _rounded(part if self.levels is None else part / self.levels)
        self._packed = _pack(values, scale)

    def __call__(self, states: Tensor) -> Tensor:
        """Maps (N, I) to (N, O), both fp32."""
        if self.levels is not None:
            states = states * self.levels
        num = len(states)
        unit = states.abs().amax(1, keepdim=True).clamp_(min=1e-30).div_(LEVELS)
        scaled = states / unit
        coarse = torch.round(scaled)
        both = torch.cat([coarse, scaled.sub_(coarse).mul_(FINER)])
        product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(both, 1.0, LEVELS + 1, self._packed)
        return torch.add(product[:num], product[num:], alpha=1 / FINER).mul_(unit)


def _rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    scale = weight.abs().amax(1).clamp(min=1e-30) / 127
    return torch.round(weight / scale[:, None]).to(torch.int8), scale


def _largest_by_input(weight: Tensor | TensorRows) -> Tensor:
    return torch.stack([part.abs().amax(0) for part in _parts(weight)]).amax(0).clamp(min=1e-30)


def _parts(weight: Tensor | TensorRows) -> Iterator[Tensor]:
    return (part.float() for part in weight.split(ROWS_AT_ONCE))


def _pack(values: Tensor, scale: Tensor) -> Any:
    with warnings.catch_warnings():
        # The kernels want a kind of tensor that torch calls deprecated; it has no other for them.
        warnings.simplefilter("ignore", UserWarning)
        zeros = torch.zeros(len(scale), dtype=torch.long)
        tensor = torch._make_per_channel_quantized_tensor(values, scale.double(), zeros, 0)
        engine = torch.backends.quantized.engine
        torch.backends.quantized.engine = "fbgemm"
        try:
            return torch.ops.quantized.linear_prepack(tensor, None)
        finally:
            torch.backends.quantized.engine = engine
