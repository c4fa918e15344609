"""Adapters from the disk to the engine's device, refused when they do not fit the backbone."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from playground.adapters.record import AdapterRecord
from playground.adapters.weights import AdapterWeights, LoraPair, load_weights
from playground.backbones.loading import Backbone
from playground.engine.lora import Delta, LoadedAdapter, RoutedLinear, dora_delta, fuse
from playground.errors import AdapterError


def load_adapter(record: AdapterRecord, backbone: Backbone, sizes: Mapping[str, tuple[int, int]]) -> LoadedAdapter:
    """The tensors of `record` for `backbone`, whose adaptable layers have the inputs and outputs in `sizes`.

    Raises:
        AdapterError: made for another backbone, broken, tampered with, or without the head its task needs.
    """
    check_backbone(record, backbone)
    weights = load_weights(record)
    _check_sizes(record, weights, sizes, backbone)
    device = backbone.device
    deltas = {layer: _delta(pair, backbone, layer) for layer, pair in weights.lora.items()}
    if backbone.lean:
        fused = {product: fuse(deltas, layers, sizes) for product, layers in backbone.lean.products.items()}
        deltas = {product: delta for product, delta in fused.items() if delta}
    head = None if weights.head is None else weights.head.to(device, torch.float32)
    bias = None if weights.head_bias is None else weights.head_bias.to(device, torch.float32)
    return LoadedAdapter(record.name, deltas, head, bias)


def _delta(pair: LoraPair, backbone: Backbone, layer: str) -> Delta:
    device = backbone.device
    a, b = pair.a.to(device), (pair.b * pair.scale).to(device)
    if pair.magnitude is None:
        delta = Delta(a, b)
    else:
        delta = dora_delta(a, b, pair.magnitude.to(device), *_frozen(backbone, layer))
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    return delta.to(dtype)


def _frozen(backbone: Backbone, layer: str) -> tuple[Tensor, Tensor | None]:
    """Weight (O, H) and bias (O,) of a layer of the backbone."""
    if backbone.lean:
        return backbone.lean.weight(f"{layer}.weight").float(), None
    # Importing PEFT brings bitsandbytes, a second that few adapters need.
    from peft.utils.integrations import dequantize_module_weight

    module = backbone.model.get_submodule(layer)
    frozen: Any = module.frozen if isinstance(module, RoutedLinear) else module
    weight = dequantize_module_weight(frozen).detach().float()
    # Conv1D keeps its weight the other way round, (I, O).
    weight = weight.T if isinstance(frozen, Conv1D) else weight
    return weight, None if frozen.bias is None else frozen.bias.detach().float()


def check_backbone(record: AdapterRecord, backbone: Backbone) -> None:
    """Raises AdapterError when `record` was made for another backbone."""
    made_for = record.backbone
    if not record.is_for(backbone.id, backbone.checksum):
        raise AdapterError(
            f"Adapter '{record.name}' was made for the backbone '{made_for['id']}' "
            f"({made_for['checksum'][:8]}), but '{backbone.id}' ({backbone.checksum[:8]}) is loaded."
        )


def _check_sizes(
    record: AdapterRecord, weights: AdapterWeights, sizes: Mapping[str, tuple[int, int]], backbone: Backbone
) -> None:
    """Raises AdapterError when the tensors do not fit the layers, whose inputs and outputs are in `sizes`."""
    for layer, pair in weights.lora.items():
        if layer not in sizes:
            raise AdapterError(f"Adapter '{record.name}' has weights for '{layer}', which the engine can't adapt.")
        found = (pair.a.shape[1], pair.b.shape[0])
        if found != sizes[layer]:
            raise AdapterError(
                f"Adapter '{record.name}' has weights from {found[0]} to {found[1]} for '{layer}', "
                f"which goes from {sizes[layer][0]} to {sizes[layer][1]}."
            )
    width = backbone.model.config.get_text_config().hidden_size
    if weights.head is not None and weights.head.shape[1] != width:
        raise AdapterError(
            f"Adapter '{record.name}' has a head for {weights.head.shape[1]} states, but the backbone has {width}."
        )
