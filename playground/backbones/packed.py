"""Linear layers on a CPU with 8-bit weights: one scale an output, and all else as exact as fp32.

The products are oneDNN's where the processor multiplies 8-bit numbers by itself, else compiled here.
Shapes: N rows, I inputs, O outputs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from playground.backbones import compiled_products, onednn
from playground.backbones.checkpoint_tensors import TensorRows

ROWS_AT_ONCE = 16_384
"""Rows of a weight that are read and rounded at the same time, so that the largest one is never there in fp32."""

Product = Callable[[Tensor], Tensor]
"""Maps (N, I) to (N, O), both fp32."""


@dataclass(frozen=True)
class Kernel:
    """One way to multiply with 8-bit weights."""

    pack: Callable[[Tensor, Tensor], Product]
    """Makes the product with an (O, I) int8 weight, whose outputs have the (O,) scales."""
    cheap_rows: int
    """So many rows are multiplied in little more time than one, in which the weights are read just as well."""


ONEDNN = Kernel(onednn.pack, 16)
COMPILED = Kernel(compiled_products.pack, 8)


def best_kernel() -> Kernel:
    """The faster one on this processor."""
    is_wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    has_vnni = is_wide and torch.cpu._is_vnni_supported()  # noqa: SLF001 - torch has no public name for it
    return ONEDNN if has_vnni and hasattr(torch.ops.onednn, "qlinear_pointwise") else COMPILED


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
        self._product = best_kernel().pack(values, scale)

    def __call__(self, states: Tensor) -> Tensor:
        """Maps (N, I) to (N, O), both fp32."""
        return self._product(states if self.levels is None else states * self.levels)


def _rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    scale = weight.abs().amax(1).clamp(min=1e-30) / 127
    return torch.round(weight / scale[:, None]).to(torch.int8), scale


def _largest_by_input(weight: Tensor | TensorRows) -> Tensor:
    return torch.stack([part.abs().amax(0) for part in _parts(weight)]).amax(0).clamp(min=1e-30)


def _parts(weight: Tensor | TensorRows) -> Iterator[Tensor]:
    return (part.float() for part in weight.split(ROWS_AT_ONCE))
