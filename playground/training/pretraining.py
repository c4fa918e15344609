"""Continued pretraining: the adapter first reads the bare texts of the rows, so that their words are no news to it.

Next tokens with causal attention, masked ones with bidirectional attention; see https://arxiv.org/abs/2004.10964.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from playground.tasks import Task
from playground.training.config import RunConfig
from playground.training.features import IGNORED, Feature
from playground.types import Row

MASKED_SHARE = 0.15
MASK = "<mask>"
FEWEST_TOKENS = 4
"""Shorter texts teach nothing about their language."""


def pretraining_of(config: RunConfig) -> RunConfig:
    """The settings of the stage on bare texts, which has a part of the time budget, as its rounds of all rounds."""
    rounds = config.pretrain_epochs
    budget_s = config.time_limit_s * rounds / (rounds + config.epochs)
    return replace(config, epochs=rounds, stages=[], time_limit_s=budget_s, early_stopping=0, start_share=0.0)


def text_features(task: Task, rows: Sequence[Row], tokenizer: Any, config: RunConfig) -> list[Feature]:
    """Each text of `rows` once, cut to the longest window."""
    fields = [field.name for field in task.inputs if field.kind != "language"]
    texts = dict.fromkeys(row[name] for row in rows for name in fields if isinstance(row.get(name), str))
    ids = (tokenizer(text, truncation=True, max_length=config.max_length)["input_ids"] for text in texts)
    chance, mask = random.Random(config.seed), _mask_id(tokenizer)
    return [
        _masked(one, mask, chance) if config.attention == "bidirectional" else Feature(one, [IGNORED, *one[1:]])
        for one in ids
        if len(one) >= FEWEST_TOKENS
    ]


def _masked(ids: list[int], mask: int, chance: random.Random) -> Feature:
    hidden = set(chance.sample(range(len(ids)), max(round(MASKED_SHARE * len(ids)), 1)))
    shown = [mask if place in hidden else token for place, token in enumerate(ids)]
    return Feature(shown, [token if place in hidden else IGNORED for place, token in enumerate(ids)])


def _mask_id(tokenizer: Any) -> int:
    """Of the token that stands for a hidden one."""
    if tokenizer.mask_token_id is not None:
        return int(tokenizer.mask_token_id)
    found = tokenizer.get_vocab().get(MASK, tokenizer.unk_token_id)
    return int(found if found is not None else tokenizer.pad_token_id)
