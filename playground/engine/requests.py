"""What can be asked of the engine, without the heavy libraries that carry it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playground.adapters.record import MAX_BEAMS
from playground.errors import InputError
from playground.types import Attention

if TYPE_CHECKING:
    from playground.engine.lora import LoadedAdapter

"""Beams of one row; adapters that ask for more are refused when they are read."""


@dataclass(frozen=True)
class EncodeRow:
    """One window: its tokens, its adapter, and whether one state or every state goes through the head."""

    input_ids: Sequence[int]
    adapter: "LoadedAdapter"
    attention: Attention
    pooled: bool


@dataclass(frozen=True)
class Decoding:
    """How text is made. Greedy, unless `temperature` is above 0 or there is more than one beam.

    Raises:
        InputError: the number of beams is out of range, or there are beams and a temperature.
    """

    max_new_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    stop: tuple[str, ...] = ()
    seed: int = 0
    num_beams: int = 1
    """Beginnings that are tried side by side, up to `MAX_BEAMS`."""
    length_penalty: float = 1.0
    """Beams are ranked by log-probability / length ** `length_penalty`: above 0 favours long texts, below 0 short ones.
    """

    def __post_init__(self) -> None:
        if not 1 <= self.num_beams <= MAX_BEAMS:
            raise InputError(f"The number of beams must be from 1 to {MAX_BEAMS}, not {self.num_beams}.")
        if self.num_beams > 1 and self.temperature > 0:
            raise InputError(
                f"{self.num_beams} beams and the temperature {self.temperature:g} can't go together; "
                "choose 1 beam or the temperature 0."
            )
