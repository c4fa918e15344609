"""Whether the memory suffices for a training: reckoned from the shortest and the longest row before the first step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from playground.errors import PlaygroundError
from playground.training import memory
from playground.training.config import RunConfig
from playground.training.estimate import fits, no_room
from playground.training.features import Feature
from playground.training.passes import TOKENS_A_PASS, Passes, rows_a_pass
from playground.training.team import ALONE, Team
from playground.training.trainee import Trainee, padded_width

FEWEST_TOKENS = 32
"""No shorter windows are offered where memory is scarce."""
BYTES_SAVED_BY_4_BIT = 3.4
"""For each weight of a linear layer that had 4 bytes."""


@dataclass(frozen=True)
class Room:
    """How much memory the passes of a training need."""

    base_bytes: int
    """With the backbone, the adapter and what the optimizer keeps, before the first pass."""
    bytes_a_token: float
    longest: int
    """Tokens of the longest row."""
    rows: int
    """That go through the backbone at once, at most."""
    linear_weights: int

    def peak_bytes(self, rows: int, tokens: int, base_bytes: float | None = None) -> float:
        return (self.base_bytes if base_bytes is None else base_bytes) + self.bytes_a_token * rows * tokens

    @property
    def needed_bytes(self) -> float:
        return self.peak_bytes(self.rows, self.longest)

    def offer(self, config: RunConfig, free_bytes: float) -> dict[str, Any] | None:
        """The settings nearest to `config` that fit, or None."""
        if fits(self.needed_bytes, free_bytes):
            return None
        candidates: list[tuple[float, dict[str, Any]]] = []
        rows = self.rows // 2
        while rows:
            candidates.append((self.peak_bytes(rows, self.longest), {"rows_a_pass": rows}))
            rows //= 2
        if config.quantization == "none" and config.init == "default":
            lighter = self.base_bytes - BYTES_SAVED_BY_4_BIT * self.linear_weights
            offer = {"rows_a_pass": 1, "quantization": "4-bit"}
            candidates.append((self.peak_bytes(1, self.longest, lighter), offer))
        tokens = min(self.longest, config.max_length) // 2
        while tokens >= FEWEST_TOKENS:
            candidates.append((self.peak_bytes(1, tokens), {"rows_a_pass": 1, "max_length": tokens}))
            tokens //= 2
        return next((offer for needed, offer in candidates if fits(needed, free_bytes)), None)


def must_fit(trainee: Trainee, features: Sequence[Feature], config: RunConfig, pad_id: int, team: Team = ALONE) -> None:
    """Raises PlaygroundError, naming settings that fit, when the memory does not suffice for the largest pass."""
    share = replace(config, batch_size=team.largest_share(config.batch_size))
    room = measure_room(trainee, features, share, pad_id)
    free = memory.free_bytes() + memory.used_bytes()
    if not fits(room.needed_bytes, free):
        raise PlaygroundError(no_room(room.needed_bytes, free, room.offer(config, free)))


def measure_room(trainee: Trainee, features: Sequence[Feature], config: RunConfig, pad_id: int) -> Room:
    """Takes the shortest and the longest row through `trainee`, which learns nothing from it."""
    passes = Passes(trainee.train(), config, pad_id)
    order = sorted(features, key=lambda feature: len(feature.input_ids))
    longest = order[-config.batch_size :]
    rows = rows_a_pass(longest, TOKENS_A_PASS, config.rows_a_pass)
    passes.learn(order[:1])
    before = memory.used_bytes()
    with memory.peak_memory() as peak:
        passes.learn(order[-1:])
    trainee.zero_grad(set_to_none=True)
    tokens = padded_width(len(order[-1].input_ids))
    trained = sum(weight.nbytes for weight in trainee.parameters() if weight.requires_grad)
    # Gradients are there by now; the two moments of AdamW and two copies of the weights are still to come.
    slope = max(peak.size_bytes - before, 0) / tokens
    states = trainee.lower.bytes_for(features) if trainee.lower else 0
    return Room(before + 4 * trained + states, slope, tokens, rows, _linear_weights(trainee))


def _linear_weights(trainee: nn.Module) -> int:
    layers = (module for module in trainee.modules() if type(module) is nn.Linear)
    return sum(layer.weight.numel() for layer in layers if not layer.weight.requires_grad)
