"""Backbone and adapter in one model: W + scale * B @ A, always in the unquantized fp32 weights.

DoRA's magnitudes then stretch the rows (https://arxiv.org/abs/2402.09353).

Shapes: r rank, I inputs of a layer, O its outputs.
"""

from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.pytorch_utils import Conv1D

from playground.adapters.record import AdapterRecord
from playground.adapters.weights import AdapterWeights, load_weights
from playground.backbones.loading import EXACT, family_of, load_tokenizer, locate, read_config, refuse_quantized
from playground.errors import AdapterError
from playground.exporting.plain import HEADS, bare_model


def merged_model(record: AdapterRecord) -> PreTrainedModel:
    """The backbone in fp32 on the CPU with the adapter's LoRA weights added to its own, and with its head.

    Raises:
        AdapterError: the adapter is not sound or does not fit the backbone.
        BackboneError: the backbone is not there, or its own files are quantized.
    """
    source = locate(record.backbone["id"], lambda *_: None)
    config = read_config(source)
    refuse_quantized(record.backbone["id"], config)
    model = bare_model(source, config, record.shape, len(record.labels), record.attention, EXACT).eval()
    model.requires_grad_(requires_grad=False)
    weights = load_weights(record)
    merge(model, weights, record.title)
    if record.shape != "generate":
        _set_head(model, weights, HEADS[family_of(config)], record.title)
        model.config.id2label = dict(enumerate(record.labels))
        model.config.label2id = {label: place for place, label in enumerate(record.labels)}
    return model


def merge(model: PreTrainedModel, weights: AdapterWeights, title: str) -> None:
    """Adds the LoRA weights to the layers of `model`, in place.

    Raises:
        AdapterError: a layer is not there, of another size, or not in fp32, for example quantized.
    """
    for layer, pair in weights.lora.items():
        try:
            weight = model.get_submodule(layer).weight
        except AttributeError as err:
            raise AdapterError(f"{title} has weights for '{layer}', which the backbone does not have.") from err
        # Conv1D keeps its weight the other way round, (I, O).
        rows = weight.data.T if isinstance(model.get_submodule(layer), Conv1D) else weight.data
        if weight.dtype != torch.float32 or rows.shape != (len(pair.b), pair.a.shape[1]):
            raise AdapterError(
                f"{title} can't be merged into '{layer}', which is {tuple(rows.shape)} {weight.dtype} and should be "
                f"{(len(pair.b), pair.a.shape[1])} in fp32."
            )
        rows += pair.scale * (pair.b @ pair.a)  # (O, I)
        if pair.magnitude is not None:
            rows *= (pair.magnitude / torch.linalg.norm(rows, dim=1))[:, None]


def _set_head(model: PreTrainedModel, weights: AdapterWeights, name: str, title: str) -> None:
    head = getattr(model, name)
    if weights.head is None or (weights.head_bias is None) != (head.bias is None):
        raise AdapterError(f"{title} has a head that transformers has no place for; export the adapter as a zip.")
    head.weight.data.copy_(weights.head)
    if weights.head_bias is not None:
        head.bias.data.copy_(weights.head_bias)


def write_merged(record: AdapterRecord, folder: Path, number_format: str) -> None:
    """Weights in safetensors, configuration and tokenizer, as ``from_pretrained`` takes them."""
    model = merged_model(record)
    model.to(getattr(torch, number_format)).save_pretrained(folder)
    tokenizer_of(record).save_pretrained(folder)


def tokenizer_of(record: AdapterRecord) -> PreTrainedTokenizerBase:
    return load_tokenizer(locate(record.backbone["id"], lambda *_: None))
