"""Adapters from the disk to the engine's device, refused when they do not fit the backbone."""

from collections.abc import Mapping

import torch

from playground.adapters.record import AdapterRecord
from playground.adapters.weights import AdapterWeights, load_weights
from playground.backbones.loading import Backbone
from playground.engine.lora import Delta, LoadedAdapter
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
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    deltas = {
        layer: Delta(pair.a.to(device, dtype), (pair.b * pair.scale).to(device, dtype))
        for layer, pair in weights.lora.items()
    }
    head = None if weights.head is None else weights.head.to(device, torch.float32)
    bias = None if weights.head_bias is None else weights.head_bias.to(device, torch.float32)
    return LoadedAdapter(record.name, deltas, head, bias)


def check_backbone(record: AdapterRecord, backbone: Backbone) -> None:
    """Raises AdapterError when `record` was made for another backbone."""
    made_for = record.backbone
    if (made_for["id"], made_for["checksum"]) != (backbone.id, backbone.checksum):
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
