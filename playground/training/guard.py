"""Ends a training whose loss gets out of hand, and keeps the weights from before."""

import math
from collections.abc import Mapping
from statistics import median

import torch
from torch import Tensor, nn

from playground.training.weights import copy_weights, put_weights

ROWS_A_LOOK = 8
"""The losses of smaller batches say more about their rows than about the training: so many rows give one together."""
WINDOW = 10
"""Losses whose median counts, so that a hard batch or two are no reason to stop."""
LOOKS_BETWEEN_COPIES = 10
OUT_OF_HAND = 2.0
"""Diverged: the median loss is that many times what it was in the beginning, and higher by `MARGIN` at least."""
MARGIN = 0.5
UNTRAINED = 2
"""Losses from before anything was learnt: the first step is a tiny one."""
FROM_THE_START = 4.0
"""Diverged as well: the median loss is that many times what it was untrained. With steps far too large, all of the
beginning is out of hand."""
STILL_GOOD = 1.2
"""Weights are worth a copy while the median loss is at most that many times the lowest."""


class LossGuard:
    """Watches the losses of one training and copies the trained weights of `model` now and then.

    Args:
        rows_a_step: rows whose mean loss each step gives.
    """

    def __init__(self, model: nn.Module, rows_a_step: int) -> None:
        self._model = model
        self._steps_a_look = math.ceil(ROWS_A_LOOK / rows_a_step)
        self._unseen: list[float] = []
        """Losses since the last look."""
        self._first: list[float] = []
        self._recent: list[float] = []
        self._lowest = math.inf
        self._good: dict[str, Tensor] = {}
        self.good_steps = 0
        """Steps that the copied weights had learnt from."""

    def see(self, loss: float, gradient_norm: float, steps: int) -> str:
        """What is wrong with a step that is about to be taken after `steps` others, or nothing."""
        if not math.isfinite(loss):
            return f"The loss became {loss} at step {steps + 1}"
        if not math.isfinite(gradient_norm):
            return f"The gradients became {gradient_norm} at step {steps + 1}"
        self._unseen.append(loss)
        if len(self._unseen) < self._steps_a_look:
            return ""
        mean, looks = sum(self._unseen) / len(self._unseen), steps // self._steps_a_look
        self._unseen = []
        self._recent = [*self._recent, mean][-WINDOW:]
        if len(self._first) < WINDOW:
            self._first.append(mean)
        usual, level = median(self._first), median(self._recent)
        untrained = max(self._first[:UNTRAINED])
        for begun, times, at_least in ((usual, OUT_OF_HAND, 2 * WINDOW), (untrained, FROM_THE_START, WINDOW)):
            if looks >= at_least and level > times * begun and level > begun + MARGIN:
                return f"The loss grew from about {begun:.3g} to {level:.3g} by step {steps + 1}"
        self._lowest = min(self._lowest, level)
        if looks % LOOKS_BETWEEN_COPIES == 0 and level <= STILL_GOOD * self._lowest:
            self._good, self.good_steps = copy_weights(self._model), steps
        return ""

    def go_back(self) -> None:
        """Puts the copied weights back in place."""
        put_weights(self._model, self._good)

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint: what `restore` takes."""
        numbers = {"first": self._first, "recent": self._recent, "unseen": self._unseen, "lowest": [self._lowest]}
        tensors = {name: torch.tensor(values, dtype=torch.float64) for name, values in numbers.items() if values}
        good = {f"good/{name}": weight for name, weight in self._good.items()}
        return tensors | good | {"good_steps": torch.tensor(self.good_steps)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        if not state:
            return
        self._first, self._recent, self._unseen = (
            state[name].tolist() if name in state else [] for name in ("first", "recent", "unseen")
        )
        self._lowest = float(state["lowest"])
        self.good_steps = int(state["good_steps"])
        self._good = {name.removeprefix("good/"): weight for name, weight in state.items() if name.startswith("good/")}
