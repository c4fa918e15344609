"""Single passes: hidden states of a batch through each row's head, without the output projection.

Shapes: B rows, T tokens of the longest row, H hidden size, L outputs of a head.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from playground.backbones.lean import Decoder, Piece
from playground.backbones.loading import Backbone
from playground.engine.lora import Routes
from playground.engine.requests import EncodeRow
from playground.engine.runs import Runs
from playground.types import Attention


def encode(backbone: Backbone, routes: Routes, rows: Sequence[EncodeRow]) -> list[NDArray[np.float32]]:
    """Logits of each row: (L,) when pooled, else (T, L) without padding.

    All rows must share one attention mode; their adapters may differ.
    """
    if backbone.lean:
        return _encode_lean(backbone.lean, rows)
    width = max(len(row.input_ids) for row in rows)
    pad = backbone.tokenizer.pad_token_id
    ids = torch.full((len(rows), width), pad, dtype=torch.long)
    kept = torch.zeros((len(rows), width), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row.input_ids)] = torch.tensor(row.input_ids)
        kept[index, : len(row.input_ids)] = 1
    device = backbone.device
    with torch.inference_mode(), routes.use([row.adapter for row in rows], device):
        states = run_blocks(backbone.model, ids.to(device), kept.to(device), rows[0].attention)
        return [
            _through_head(row, states[index], encoder=backbone.family == "encoder") for index, row in enumerate(rows)
        ]


def _encode_lean(decoder: Decoder, rows: Sequence[EncodeRow]) -> list[NDArray[np.float32]]:
    order = sorted(range(len(rows)), key=lambda index: id(rows[index].adapter))
    pieces = [Piece(rows[index].input_ids, attention=rows[index].attention) for index in order]
    runs = Runs([rows[index].adapter for index in order], [len(piece.ids) for piece in pieces])
    states = decoder.states(pieces, runs)
    with torch.inference_mode():
        found = {
            index: _through_head(rows[index], states[piece.span], encoder=False)
            for index, piece in zip(order, pieces, strict=True)
        }
    return [found[index] for index in range(len(rows))]


def _through_head(row: EncodeRow, states: Tensor, *, encoder: bool) -> NDArray[np.float32]:
    last = len(row.input_ids)
    # A decoder has seen the whole text only at its last token; an encoder's first token is made for pooling.
    picked = (states[0] if encoder else states[last - 1]) if row.pooled else states[:last]
    return row.adapter.through_head(picked.float()).cpu().numpy()


def run_blocks(model: PreTrainedModel, ids: Tensor, kept: Tensor, attention: Attention) -> Tensor:
    """Last hidden states (B, T, H) for ids and mask (B, T)."""
    mask: Tensor | dict[str, Tensor] = kept
    if attention == "bidirectional" and hasattr(model.config, "use_bidirectional_attention"):
        mask = both_ways(kept, model.config.sliding_window)
    states: Tensor = model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
    return states


def both_ways(kept: Tensor, sliding_window: int) -> dict[str, Tensor]:
    """Masks (B, 1, T, T) as ``from_pretrained(..., use_bidirectional_attention=True)`` gives them in Gemma 3.

    The window of the configuration, which reaches back over `sliding_window` tokens, then reaches as far to both sides:
    it would be halved if the configuration were made so, but it is read first and switched afterwards.
    https://github.com/huggingface/transformers/blob/main/src/transformers/models/gemma3/configuration_gemma3.py
    """
    full = kept.bool()[:, None, None, :].expand(-1, 1, kept.shape[1], -1)
    place = torch.arange(kept.shape[1], device=kept.device)
    near = (place[:, None] - place[None, :]).abs() < sliding_window
    # A padded query must see something, else its softmax is undefined; its output is never read.
    itself = torch.eye(kept.shape[1], dtype=torch.bool, device=kept.device)
    return {"full_attention": full | itself, "sliding_attention": (full & near) | itself}
