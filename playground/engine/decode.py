"""Rows of text being written: what is chosen as next token, when a text ends, and what is shown of it so far.

Shapes: N lines of one row (one, or one for each live beam), V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event

import torch
from torch import Tensor
from transformers import LogitsProcessorList, NoRepeatNGramLogitsProcessor
from transformers.generation import RepetitionPenaltyLogitsProcessor

from playground.backbones.loading import Backbone
from playground.engine.beams import Beams
from playground.engine.lora import LoadedAdapter
from playground.engine.requests import Decoding

LIKELIEST = 1024
"""Tokens among which a nucleus is looked for first: sorting a whole vocabulary takes longer than the backbone."""


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
    beams: Beams | None = None
    """When it is searched by beams: the text and its tokens are the best hypothesis so far."""

    @property
    def num_lines(self) -> int:
        """Lines of the cache that it takes: one, or one for each live beam."""
        return len(self.beams.live) if self.beams else 1


class Writer:
    """Writes what logits say into rows."""

    def __init__(self, backbone: Backbone) -> None:
        self.tokenizer = backbone.tokenizer
        self.stop_ids = _stop_ids(backbone)

    def begin(self, row: DecodeRow) -> None:
        """Gets `row` ready for its first token."""
        if row.decoding.num_beams > 1:
            row.beams = Beams(row.decoding, self.stop_ids, partial(self._has_stop, row.decoding.stop))

    def advance(self, row: DecodeRow, logits: Tensor) -> list[tuple[int, int]]:
        """Writes down what (N, V) logits say; the lines that go on, numbered within the row, and their next tokens."""
        if row.choices:
            row.chances = torch.softmax(logits[0, list(row.choices)], -1).tolist()
            row.done = True
            return []
        if row.beams is not None:
            written = [hypothesis.ids for hypothesis in row.beams.live]
            grown = row.beams.advance(apply_rules(row.decoding, written, torch.log_softmax(logits, -1)))
            self._write(row, row.beams.best.ids)
            row.done = not grown
            return grown
        chosen = choose(row, logits[0])
        ids = row.output_ids if chosen in self.stop_ids else [*row.output_ids, chosen]
        was_cut = self._write(row, ids)
        row.done = chosen in self.stop_ids or was_cut or len(ids) >= row.decoding.max_new_tokens
        return [] if row.done else [(0, chosen)]

    def _write(self, row: DecodeRow, ids: Sequence[int]) -> bool:
        """Makes `ids` the row's text, up to the first of its stops; whether there is one."""
        row.output_ids = list(ids)
        text = self._text(ids)
        cut = _find_stop(text, row.decoding.stop)
        row.text = text if cut < 0 else text[:cut]
        return cut >= 0

    def _text(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text.rstrip("\ufffd")  # the first bytes of a character whose others are still to come

    def _has_stop(self, stops: Sequence[str], ids: Sequence[int]) -> bool:
        return bool(stops) and _find_stop(self._text(ids), stops) >= 0


def choose(row: DecodeRow, logits: Tensor) -> int:
    """Next token for (V,) logits under the row's decoding settings."""
    settings = row.decoding
    scores = apply_rules(settings, [row.output_ids], logits[None])[0]
    if settings.temperature <= 0:
        return int(scores.argmax())
    return _sample(scores / settings.temperature, settings, len(row.output_ids))


def apply_rules(settings: Decoding, written: Sequence[Sequence[int]], scores: Tensor) -> Tensor:
    """(N, V) scores of next tokens, changed by what was written before, which is of one length."""
    rules = LogitsProcessorList()
    if settings.repetition_penalty != 1.0:
        rules.append(RepetitionPenaltyLogitsProcessor(settings.repetition_penalty))
    if settings.no_repeat_ngram_size:
        rules.append(NoRepeatNGramLogitsProcessor(settings.no_repeat_ngram_size))
    if not rules or not written[0]:
        return scores
    changed: Tensor = rules(torch.tensor(written, device=scores.device), scores)  # which stay as they are
    return changed


def _sample(scores: Tensor, settings: Decoding, step: int) -> int:
    """Nucleus sampling, https://arxiv.org/abs/1904.09751; the seed and the step decide the draw."""
    generator = torch.Generator(device=scores.device).manual_seed(settings.seed + step)
    all_chances = torch.softmax(scores, -1)
    if settings.top_p >= 1:
        return int(torch.multinomial(all_chances, 1, generator=generator))
    chances, order = all_chances.topk(min(LIKELIEST, len(scores)))
    if float(chances.sum()) < settings.top_p:
        chances, order = all_chances.sort(descending=True)
    chances[chances.cumsum(0) - chances > settings.top_p] = 0
    return int(order[torch.multinomial(chances, 1, generator=generator)])


def _find_stop(text: str, stops: Sequence[str]) -> int:
    """Where the first of `stops` begins in `text`; -1 when it holds none."""
    return min((text.find(stop) for stop in stops if stop in text), default=-1)


def _stop_ids(backbone: Backbone) -> set[int]:
    declared = backbone.model.generation_config.eos_token_id
    ids = declared if isinstance(declared, list) else [declared]
    return {int(i) for i in [*ids, backbone.tokenizer.eos_token_id] if i is not None}
