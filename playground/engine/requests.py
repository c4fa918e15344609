"""What can be asked of the engine, without the heavy libraries that carry it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playground.types import Attention

if TYPE_CHECKING:
    from playground.engine.lora import LoadedAdapter


@dataclass(frozen=True)
class EncodeRow:
    """One window: its tokens, its adapter, and whether one state or every state goes through the head."""

    input_ids: Sequence[int]
    adapter: "LoadedAdapter"
    attention: Attention
    pooled: bool


@dataclass(frozen=True)
class Decoding:
    """How text is made. Greedy unless `temperature` is above 0."""

    max_new_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    stop: tuple[str, ...] = ()
    seed: int = 0
