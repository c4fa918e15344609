"""Decoding with a key/value cache, one token a step for a group of rows that started together.

Shapes: B live rows, T tokens so far, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event

import torch
from torch import Tensor
from transformers import DynamicCache, LogitsProcessorList, NoRepeatNGramLogitsProcessor
from transformers.generation import RepetitionPenaltyLogitsProcessor

from playground.backbones.loading import Backbone
from playground.engine.lora import LoadedAdapter, Routes
from playground.engine.requests import Decoding


@dataclass
class DecodeRow:
    """One prompt and what has come of it so far."""

    prompt_ids: Sequence[int]
    adapter: LoadedAdapter | None
    decoding: Decoding
    cancelled: Event
    choices: tuple[int, ...] = ()
    """When given, nothing is decoded: `chances` gets the probabilities of these next tokens among themselves."""
    chances: list[float] = field(default_factory=list)
    output_ids: list[int] = field(default_factory=list)
    text: str = ""
    done: bool = False


class DecodeGroup:
    """Rows that share one cache; finished and cancelled rows leave it at the next step."""

    def __init__(self, backbone: Backbone, routes: Routes, rows: Sequence[DecodeRow]) -> None:
        self.backbone = backbone
        self.routes = routes
        self.rows = list(rows)
        self.stop_ids = _stop_ids(backbone)
        width = max(len(row.prompt_ids) for row in rows)
        pad = backbone.tokenizer.pad_token_id
        self.mask = torch.tensor([[0] * (width - len(r.prompt_ids)) + [1] * len(r.prompt_ids) for r in rows])
        self.next_ids = torch.tensor([[pad] * (width - len(r.prompt_ids)) + [*r.prompt_ids] for r in rows])
        self.mask, self.next_ids = self.mask.to(backbone.device), self.next_ids.to(backbone.device)
        self.cache = DynamicCache(config=backbone.model.config)

    @property
    def finished(self) -> bool:
        return not self.rows

    @torch.inference_mode()
    def step(self) -> None:
        """Adds one token to every live row."""
        self._drop([row for row in self.rows if row.cancelled.is_set()])
        if self.finished:
            return
        logits = self._forward()
        for row, row_logits in zip(self.rows, logits, strict=True):
            self._advance(row, row_logits)
        picked = [row.output_ids[-1] if row.output_ids else 0 for row in self.rows]
        self.next_ids = torch.tensor(picked, device=logits.device)[:, None]
        self.mask = torch.cat([self.mask, torch.ones_like(self.next_ids)], dim=1)
        self._drop([row for row in self.rows if row.done])

    def _forward(self) -> Tensor:
        """Logits (B, V) of the next token."""
        model = self.backbone.model
        positions = (self.mask.cumsum(1) - 1).clamp(min=0)[:, -self.next_ids.shape[1] :]
        with self.routes.use([row.adapter for row in self.rows], self.mask.device):
            states = model.base_model(
                input_ids=self.next_ids,
                attention_mask=self.mask,
                position_ids=positions,
                past_key_values=self.cache,
                use_cache=True,
            ).last_hidden_state
        logits: Tensor = model.get_output_embeddings()(states[:, -1]).float()
        return logits

    def _advance(self, row: DecodeRow, logits: Tensor) -> None:
        if row.choices:
            row.chances = torch.softmax(logits[list(row.choices)], -1).tolist()
            row.done = True
            return
        chosen = choose(row, logits)
        if chosen not in self.stop_ids:
            row.output_ids.append(chosen)
            text = self.backbone.tokenizer.decode(row.output_ids, skip_special_tokens=True)
            row.text = text.rstrip("\ufffd")  # the first bytes of a character whose others are still to come
        cut = min((row.text.find(stop) for stop in row.decoding.stop if stop in row.text), default=-1)
        if cut >= 0:
            row.text = row.text[:cut]
        full = len(row.output_ids) >= row.decoding.max_new_tokens
        row.done = chosen in self.stop_ids or cut >= 0 or full

    def _drop(self, leaving: Sequence[DecodeRow]) -> None:
        if not leaving:
            return
        for row in leaving:
            row.done = True
        kept = [index for index, row in enumerate(self.rows) if not row.done]
        self.rows = [self.rows[index] for index in kept]
        if not kept:
            return
        if self.cache.get_seq_length():
            self.cache.batch_select_indices(torch.tensor(kept, device=self.mask.device))
        self.mask, self.next_ids = self.mask[kept], self.next_ids[kept]


def choose(row: DecodeRow, logits: Tensor) -> int:
    """Next token for (V,) logits under the row's decoding settings."""
    settings = row.decoding
    rules = LogitsProcessorList()
    if settings.repetition_penalty != 1.0:
        rules.append(RepetitionPenaltyLogitsProcessor(settings.repetition_penalty))
    if settings.no_repeat_ngram_size:
        rules.append(NoRepeatNGramLogitsProcessor(settings.no_repeat_ngram_size))
    scores = logits[None]
    if rules and row.output_ids:
        scores = rules(torch.tensor([row.output_ids], device=logits.device), scores.clone())
    if settings.temperature <= 0:
        return int(scores.argmax())
    return _sample(scores[0] / settings.temperature, settings, len(row.output_ids))


def _sample(scores: Tensor, settings: Decoding, step: int) -> int:
    """Nucleus sampling, https://arxiv.org/abs/1904.09751; the seed and the step decide the draw."""
    chances, order = torch.softmax(scores, -1).sort(descending=True)
    chances[chances.cumsum(0) - chances > settings.top_p] = 0
    generator = torch.Generator(device=scores.device).manual_seed(settings.seed + step)
    return int(order[torch.multinomial(chances, 1, generator=generator)])


def _stop_ids(backbone: Backbone) -> set[int]:
    declared = backbone.model.generation_config.eos_token_id
    ids = declared if isinstance(declared, list) else [declared]
    return {int(i) for i in [*ids, backbone.tokenizer.eos_token_id] if i is not None}
