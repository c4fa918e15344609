"""8-bit linear layers on x86 processors: int8 weights, activations in 14 to 16 bits, sums in int32.

Eight bits are too few for the activations of this backbone, whose states have entries a thousand times larger than the
others: so each row is rounded to 8 bits, and what rounding lost goes through the same product as a further row, in 8
bits of its own. What is left is the rounding of the weights. Every row has its own scale and sums are exact, so that no
row of a batch depends on another.
The products are oneDNN's where the processor multiplies 8-bit numbers by itself (AVX-512 VNNI, AMX), else FBGEMM's,
which are fast without AVX-512 too, with activations in 7 bits.
Shapes: N rows, I inputs, O outputs.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from playground.backbones.checkpoint_tensors import TensorRows

ROWS_AT_ONCE = 16_384
"""Rows of a weight that are read and rounded at the same time, so that the largest one is never there in fp32."""

SMALLEST = torch.tensor(1e-30)
"""Step of a row of zeros; a tensor, because torch would make one of a number each time."""

Product = Callable[[Tensor], Tensor]
"""Maps (N, I) whole numbers, in fp32, to (N, O): their products with the weights."""


@dataclass(frozen=True)
class Kernel:
    """A library's products of whole numbers with 8-bit weights."""

    levels: int
    """Activations go from -levels to levels."""
    pack: Callable[[Tensor, Tensor], Product]
    """Makes the product with an (O, I) int8 weight, whose outputs have the (O,) scales."""
    cheap_rows: int
    """So many rows are multiplied in little more time than one, in which the weights are read just as well."""


def is_supported() -> bool:
    """Whether this build of torch has the kernels: on x86 processors, as long as torch keeps them."""
    kernel = "linear_with_input_q_dq_qweight_dq_output_fp32"
    return "fbgemm" in torch.backends.quantized.supported_engines and hasattr(torch.ops.quantized, kernel)


def best_kernel() -> Kernel:
    """The faster one on this processor that is exact on it."""
    is_wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    has_vnni = is_wide and torch.cpu._is_vnni_supported()  # noqa: SLF001 - torch has no public name for it
    return ONEDNN if has_vnni and hasattr(torch.ops.onednn, "qlinear_pointwise") else FBGEMM


class PackedLinear:
    """``states @ weight.T`` with the (O, I) weight in int8, one scale an output."""

    def __init__(self, weight: Tensor | TensorRows, *, level_inputs: bool = False) -> None:
        """With `level_inputs` each input's weights are first brought to the same largest one, and the states to match:
        the embeddings have a few large columns, which would make every row's scale coarse.
        """
        self.kernel = best_kernel()
        self._coarser = torch.tensor(0.5 / self.kernel.levels)
        self.levels = _largest_by_input(weight) if level_inputs else None
        values, scale = torch.empty(weight.shape, dtype=torch.int8), torch.empty(weight.shape[0])
        first = 0
        for part in _parts(weight):
            rows = slice(first, first := first + len(part))
            values[rows], scale[rows] = _rounded(part if self.levels is None else part / self.levels)
        self._product = self.kernel.pack(values, scale)

    def __call__(self, states: Tensor) -> Tensor:
        """Maps (N, I) to (N, O), both fp32."""
        if self.levels is not None:
            states = states * self.levels
        finer = 2 * self.kernel.levels  # what rounding lost is half a step at most
        largest = states.abs().amax(1, keepdim=True)
        unit = torch.add(SMALLEST, largest, alpha=1 / (self.kernel.levels * finer))
        both = states.new_empty(2, *states.shape)
        coarse, fine = both.unbind()
        torch.div(states, unit, out=fine)
        torch.mul(fine, self._coarser, out=coarse).round_()
        fine.sub_(coarse, alpha=finer)
        coarse, fine = self._product(both.flatten(0, 1)).view(2, len(states), -1).unbind()
        return fine.add_(coarse, alpha=finer).mul_(unit)


def _rounded(weight: Tensor) -> tuple[Tensor, Tensor]:
    scale = weight.abs().amax(1).clamp(min=1e-30) / 127
    return torch.round(weight / scale[:, None]).to(torch.int8), scale


def _largest_by_input(weight: Tensor | TensorRows) -> Tensor:
    return torch.stack([part.abs().amax(0) for part in _parts(weight)]).amax(0).clamp(min=1e-30)


def _parts(weight: Tensor | TensorRows) -> Iterator[Tensor]:
    return (part.float() for part in weight.split(ROWS_AT_ONCE))


def _pack_for_onednn(values: Tensor, scale: Tensor) -> Product:
    packed = torch.ops.onednn.qlinear_prepack(values, None)
    zeros = torch.zeros(len(scale), dtype=torch.long)

    def product(rows: Tensor) -> Tensor:
        values, as_they_are = rows.round().to(torch.int8), (1.0, 0)  # scale and zero point
        found: Tensor = torch.ops.onednn.qlinear_pointwise(
            *(values, *as_they_are, packed, scale, zeros, None, *as_they_are, torch.float32, "none", [], "")
        )
        return found

    return product


def _pack_for_fbgemm(values: Tensor, scale: Tensor) -> Product:
    with warnings.catch_warnings():
        # The kernels want a kind of tensor that torch calls deprecated; it has no other for them.
        warnings.simplefilter("ignore", UserWarning)
        zeros = torch.zeros(len(scale), dtype=torch.long)
        tensor = torch._make_per_channel_quantized_tensor(values, scale.double(), zeros, 0)
        engine = torch.backends.quantized.engine
        torch.backends.quantized.engine = "fbgemm"
        try:
            packed = torch.ops.quantized.linear_prepack(tensor, None)
        finally:
            torch.backends.quantized.engine = engine

    def product(rows: Tensor) -> Tensor:
        found: Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            rows, 1.0, FBGEMM.levels + 1, packed
        )
        return found

    return product


ONEDNN = Kernel(127, _pack_for_onednn, 16)
FBGEMM = Kernel(63, _pack_for_fbgemm, 7)
"""With weights up to 127, two of its products fit into the 16 bits that AVX2 adds in."""
