"""LoRA chosen per row: every linear layer of the backbone adds each row's own low-rank update.

y = W x + scale * B A x (https://arxiv.org/abs/2106.09685), with A, B and scale of the row's adapter; with DoRA
(https://arxiv.org/abs/2402.09353) each output times a gain, the learnt length of its row of weights over the real one.
Shapes: B rows, T tokens, H in, O out, r rank.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from playground.errors import AdapterError


@dataclass(frozen=True)
class Delta:
    """One layer's update: `down` is A, (r, H); `up` is scale * B, (O, r), and with DoRA gain * scale * B."""

    down: Tensor
    up: Tensor
    more_gain: Tensor | None = None
    """(O,) DoRA's gain - 1; None without DoRA."""
    shift: Tensor | None = None
    """(O,) (1 - gain) * bias, because DoRA leaves the layer's bias as it is; None where there is none."""

    @property
    def is_gained(self) -> bool:
        """Whether it also scales or shifts the layer's own output."""
        return self.more_gain is not None or self.shift is not None

    def to(self, dtype: torch.dtype) -> "Delta":
        gain, shift = (None if part is None else part.to(dtype) for part in (self.more_gain, self.shift))
        return Delta(self.down.to(dtype), self.up.to(dtype), gain, shift)

    def change(self, states: Tensor, output: Tensor) -> Tensor:
        """What is added to the frozen layer's `output` (B, T, O) for `states` (B, T, H)."""
        change = (states.to(self.down.dtype) @ self.down.T) @ self.up.T
        if self.more_gain is not None:
            change = change + output.to(change.dtype) * self.more_gain
        return change if self.shift is None else change + self.shift

    def add_to(self, output: Tensor, states: Tensor) -> None:
        """Changes the frozen layer's `output` (N, O) for `states` (N, H) in place."""
        if self.more_gain is not None:
            output += output * self.more_gain
        output.addmm_(states @ self.down.T, self.up.T)
        if self.shift is not None:
            output += self.shift


def fuse(deltas: Mapping[str, Delta], layers: Sequence[str], sizes: Mapping[str, tuple[int, int]]) -> Delta | None:
    """The update of `layers` with the same inputs that are computed at once, one's outputs after the other's."""
    if not any(layer in deltas for layer in layers):
        return None
    nothing = {layer: torch.zeros(0, sizes[layer][1]) for layer in layers}
    ups = [deltas[layer].up.T if layer in deltas else nothing[layer] for layer in layers]
    down = torch.cat([deltas[layer].down for layer in layers if layer in deltas])

    def joined(parts: Sequence[Tensor | None]) -> Tensor | None:
        if all(part is None for part in parts):
            return None
        filled = zip(layers, parts, strict=True)
        return torch.cat([torch.zeros(sizes[layer][1]) if part is None else part for layer, part in filled])

    gains = joined([deltas[layer].more_gain if layer in deltas else None for layer in layers])
    shifts = joined([deltas[layer].shift if layer in deltas else None for layer in layers])
    # Its transpose, which is multiplied with, lies in one piece.
    up: Tensor = torch.block_diag(*ups)  # type: ignore[no-untyped-call]
    return Delta(down, up.T, gains, shifts)


def dora_delta(a: Tensor, b: Tensor, magnitude: Tensor, weight: Tensor, bias: Tensor | None) -> Delta:
    """The update of a layer with `weight` (O, H) and `bias` (O,) by `a` (r, H), scaled `b` (O, r), `magnitude` (O,)."""
    gain = magnitude / torch.linalg.norm(weight + b @ a, dim=1)
    return Delta(a, gain[:, None] * b, gain - 1, None if bias is None else (1 - gain) * bias)


@dataclass(frozen=True)
class LoadedAdapter:
    """An adapter's tensors on the engine's device."""

    name: str
    deltas: Mapping[str, Delta]
    """By layer, or by product of the lean layers."""
    head: Tensor | None
    """(L, H) weights of the head, or None for generate adapters."""
    head_bias: Tensor | None = None

    def through_head(self, states: Tensor) -> Tensor:
        """Maps (..., H) to (..., L).

        Raises:
            AdapterError: the adapter has no head, because it was made for a generate task.
        """
        if self.head is None:
            raise AdapterError(f"Adapter '{self.name}' has no head; it writes text and can't classify or tag.")
        return nn.functional.linear(states, self.head, self.head_bias)


class Routes:
    """Which rows of the present pass use which adapter. Only the engine's own thread runs passes."""

    def __init__(self) -> None:
        self._groups: list[tuple[Tensor | None, LoadedAdapter]] = []

    @contextmanager
    def use(self, adapters: Sequence[LoadedAdapter | None], device: torch.device) -> Iterator[None]:
        """Routes row i of the passes inside to ``adapters[i]``; None leaves the row to the bare backbone."""
        self._groups = _group(adapters, device)
        try:
            yield
        finally:
            self._groups = []

    def add(self, layer: str, states: Tensor, output: Tensor) -> Tensor:
        """`output` (B, T, O) plus the updates of this pass for `states` (B, T, H)."""
        for rows, adapter in self._groups:
            delta = adapter.deltas.get(layer)
            if delta is None:
                continue
            if rows is None:
                output = output + delta.change(states, output).to(output.dtype)
            else:
                output = output.index_add(0, rows, delta.change(states[rows], output[rows]).to(output.dtype))
        return output


def _group(adapters: Sequence[LoadedAdapter | None], device: torch.device) -> list[tuple[Tensor | None, LoadedAdapter]]:
    distinct = {id(adapter): adapter for adapter in adapters if adapter is not None}
    if len(distinct) == 1 and None not in adapters:
        return [(None, next(iter(distinct.values())))]
    return [
        (torch.tensor([row for row, used in enumerate(adapters) if used is adapter], device=device), adapter)
        for adapter in distinct.values()
    ]


class RoutedLinear(nn.Module):
    """A frozen layer of the backbone that asks `routes` for the updates of its rows."""

    def __init__(self, layer: str, frozen: nn.Module, routes: Routes) -> None:
        super().__init__()
        self.layer = layer
        self.frozen = frozen
        self.routes = routes

    def forward(self, states: Tensor) -> Tensor:
        return self.routes.add(self.layer, states, self.frozen(states))


def install(model: PreTrainedModel) -> Routes:
    """Wraps every linear layer below the output projection of `model`, in place."""
    routes = Routes()
    for layer in linear_layers(model):
        model.set_submodule(layer, RoutedLinear(layer, model.get_submodule(layer), routes))
    return routes


def layer_sizes(model: PreTrainedModel) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of every layer that an adapter may change."""
    layers = {layer: model.get_submodule(layer) for layer in linear_layers(model)}
    return {
        # Conv1D keeps its weight the other way round, (I, O).
        layer: tuple(found.weight.shape) if isinstance(found, Conv1D) else (found.in_features, found.out_features)
        for layer, found in layers.items()
    }


def linear_layers(model: PreTrainedModel) -> list[str]:
    """Paths of the linear layers inside the backbone's blocks, the same that PEFT calls ``all-linear``."""
    blocks = model.base_model
    prefix = f"{model.base_model_prefix}." if blocks is not model else ""
    return [
        prefix + name
        for name, module in blocks.named_modules()
        if isinstance(module, (nn.Linear, Conv1D)) and "embed" not in name
    ]
