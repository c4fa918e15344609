"""The tensors of an adapter.

Shapes: r rank, I inputs of a layer, O its outputs, L labels, H hidden size.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from safetensors.torch import load
from torch import Tensor

from playground.adapters.peft_format import read_layout, read_settings
from playground.adapters.record import WEIGHTS_FILE, AdapterRecord
from playground.adapters.store import read_verified, verify
from playground.errors import AdapterError


@dataclass(frozen=True, eq=False)
class LoraPair:
    """Adds ``scale * B @ A @ x`` to a layer's output (https://arxiv.org/abs/2106.09685, section 4.1)."""

    a: Tensor
    """(r, I) fp32"""
    b: Tensor
    """(O, r) fp32"""
    scale: float
    magnitude: Tensor | None = None
    """(O,) fp32: what DoRA makes the lengths of the rows of W + scale * B @ A; None: they stay as they are."""


@dataclass(frozen=True, eq=False)
class AdapterWeights:
    lora: Mapping[str, LoraPair]
    """By module path inside the Hugging Face model, for example ``model.layers.0.self_attn.q_proj``."""
    head: Tensor | None
    """(L, H) fp32"""
    head_bias: Tensor | None
    """(L,) fp32"""
    size_bytes: int
    """Memory of all tensors."""


def read_tensors(record: AdapterRecord) -> dict[str, Tensor]:
    """The verified tensors by their names in the file, as fp32 on the CPU.

    Raises:
        AdapterError: see `load_weights`.
    """
    verify(record)
    # Parsed from the very bytes that were verified, so that no other file can slip in between.
    tensors = {name: tensor.to(torch.float32) for name, tensor in load(read_verified(record, WEIGHTS_FILE)).items()}
    for name, tensor in tensors.items():
        if not math.isfinite(tensor.sum(dtype=torch.float64)):  # faster than to look at each value
            raise AdapterError(f"{record.title}: '{name}' holds infinite values or no numbers; train it again.")
    return tensors


def load_weights(record: AdapterRecord) -> AdapterWeights:
    """The verified tensors as fp32 on the CPU.

    Raises:
        AdapterError: see ``store.verify``; also when a value is infinite or not a number.
    """
    tensors = read_tensors(record)
    settings, layout = read_settings(record), read_layout(record)
    return AdapterWeights(
        lora={
            module: LoraPair(
                tensors[a], tensors[b], settings.scale(module), tensors.get(layout.magnitudes.get(module, ""))
            )
            for module, (a, b) in layout.pairs.items()
        },
        head=tensors[layout.head] if layout.head else None,
        head_bias=tensors[layout.head_bias] if layout.head_bias else None,
        size_bytes=sum(tensor.nbytes for tensor in tensors.values()),
    )
