"""The processes that train together, as ``accelerate launch`` or ``torchrun`` starts them.

All of them hold the same weights, and each learns from its share of every batch.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast, reduce
from torch import Tensor, nn

MOST_WAIT = timedelta(hours=12)
"""For each other: one that has died is noticed by the program that started them."""

T = TypeVar("T")


@dataclass(frozen=True)
class Team:
    """This process among `size`. What they do together returns the same in all, and all have to call it."""

    index: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes files, tells how far it is and measures."""
        return self.index == 0

    def share(self, rows: Sequence[T]) -> Sequence[T]:
        """What this process takes of `rows`: of sorted ones each gets short and long ones."""
        return rows[self.index :: self.size]

    def largest_share(self, num_rows: int) -> int:
        """How many of so many rows a process takes at most."""
        return math.ceil(num_rows / self.size)

    def sum(self, values: Tensor) -> Tensor:
        """The sum over the processes, of each of the `values` by itself."""
        if self.size == 1:
            return values
        summed: Tensor = reduce(values.to(PartialState().device), "sum")
        return summed.to(values.device)

    def total(self, value: float) -> float:
        """The sum over the processes."""
        return float(self.sum(_as_tensor(value)).item()) if self.size > 1 else value

    def any(self, claim: bool) -> bool:
        """Whether it is true in one of them."""
        return self.total(claim) > 0

    def as_main(self, value: float) -> float:
        """The main process's `value`."""
        return value if self.size == 1 else float(broadcast(_as_tensor(value)).item())

    def add_up(self, weights: Iterable[nn.Parameter]) -> None:
        """Replaces the gradient of each of `weights`, which have one number format, by the sum over the processes."""
        if self.size == 1:
            return
        trained = list(weights)
        own = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in trained]
        summed = reduce(torch.cat([gradient.flatten() for gradient in own]), "sum")
        for weight, gradient in zip(trained, summed.split([weight.numel() for weight in trained]), strict=True):
            weight.grad = gradient.view_as(weight)


ALONE = Team()


def assemble() -> Team:
    """Waits for the other processes that were started with this one, if any, and takes its GPU."""
    state = PartialState(cpu=not torch.cuda.is_available(), timeout=MOST_WAIT)
    return Team(state.process_index, state.num_processes)


def disband(team: Team) -> None:
    """From here on each process goes on by itself; all have to call it."""
    if team.size > 1:
        PartialState().destroy_process_group()


def _as_tensor(value: float) -> Tensor:
    return torch.tensor(float(value), dtype=torch.float64, device=PartialState().device)
