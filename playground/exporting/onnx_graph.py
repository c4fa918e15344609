"""Backbone and adapter as one ONNX graph: ``input_ids`` and ``attention_mask`` in, ``logits`` out, in one pass.

Shapes: B rows, T tokens, padded on the right, H hidden size, L outputs of the head, V vocabulary.
"""

import json
import logging
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from playground.adapters.record import AdapterRecord
from playground.backbones.loading import family_of
from playground.engine.encode import both_ways
from playground.exporting.merged import merged_model, tokenizer_of
from playground.exporting.plain import HEADS
from playground.types import Attention, Family, Shape

GRAPH_FILE = "model.onnx"
LABELS_FILE = "labels.json"
OPSET = 18
# It warns on every machine without torchvision that its operators are left out.
logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)


class Graph(nn.Module):
    """The merged model as a function of ids and mask."""

    def __init__(self, model: PreTrainedModel, shape: Shape, attention: Attention, family: Family) -> None:
        super().__init__()
        self.blocks = model.base_model
        self.head = model.get_output_embeddings() if shape == "generate" else getattr(model, HEADS[family])
        self.config = model.config
        self.shape = shape
        self.attention = attention
        self.is_encoder = family == "encoder"

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Maps ids and mask (B, T) to (B, L), (B, T, L) for tags and spans, or (B, V) of the next token."""
        mask = attention_mask if self.is_encoder else self._masks(attention_mask)
        states = self.blocks(input_ids=input_ids, attention_mask=mask).last_hidden_state
        if self.shape in ("classify", "generate"):
            last = torch.zeros_like(attention_mask[:, 0]) if self.is_encoder else attention_mask.sum(1) - 1
            # (B, 1, H) of the one state that stands for the row
            states = states.gather(1, last[:, None, None].expand(-1, 1, states.shape[-1]))[:, 0]
        logits: Tensor = self.head(states)
        return logits

    def _masks(self, kept: Tensor) -> Tensor | dict[str, Tensor]:
        """Which tokens see which, (B, 1, T, T); made here, because not every way of transformers can be traced."""
        kinds = getattr(self.config, "layer_types", None)
        window = getattr(self.config, "sliding_window", None)
        if self.attention == "bidirectional" and getattr(self.config, "use_bidirectional_attention", False):
            return both_ways(kept, self.config.sliding_window)
        place = torch.arange(kept.shape[1], device=kept.device)
        behind = place[:, None] - place[None, :]
        full = kept.bool()[:, None, None, :] & (behind >= 0)
        if kinds is None:
            return full
        near = full & (behind < window) if window else full
        return {kind: near if kind == "sliding_attention" else full for kind in set(kinds)}


def write_onnx(record: AdapterRecord, folder: Path) -> None:
    """Writes graph, weights beside it, tokenizer and the names of the labels.

    Raises:
        AdapterError: the adapter is not sound.
    """
    folder.mkdir()
    model = merged_model(record)
    model.config.use_cache = False
    graph = Graph(model, record.shape, record.attention, family_of(model.config)).eval()
    ids = torch.tensor([[2, 5, 6, 7, 8], [2, 9, 10, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    rows, tokens = torch.export.Dim("rows"), torch.export.Dim("tokens")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about names of axes and versions of Python
        torch.onnx.export(
            graph,
            (ids, mask),
            folder / GRAPH_FILE,
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes={"input_ids": {0: rows, 1: tokens}, "attention_mask": {0: rows, 1: tokens}},
            opset_version=OPSET,
            dynamo=True,
            external_data=True,
            verbose=False,
        )
    tokenizer_of(record).save_pretrained(folder)
    (folder / LABELS_FILE).write_text(json.dumps(list(record.labels), ensure_ascii=False), encoding="utf-8")
