"""Early stopping: the loss on rows that are held back decides when to end, and which weights are kept."""

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from playground.training.config import RunConfig
from playground.training.features import Feature
from playground.training.weights import copy_weights, put_weights

CHECKS = 10
"""In a whole run, evenly spread."""
MOST_ROWS = 100
FEWEST_ROWS = 16
SHARE_OF_WORK = 0.1
"""All checks together cost at most about this much of the training, where `FEWEST_ROWS` allow it."""
COST_OF_TRAINING = 3
"""A step costs about three times what the same rows cost in a forward pass alone."""


class EarlyStopping:
    """Checks on `rows` now and then; does nothing when there are none."""

    def __init__(
        self, model: nn.Module, rows: Sequence[Feature], training: Sequence[Feature], config: RunConfig
    ) -> None:
        self._model = model
        self._config = config
        self.rows = affordable(rows, training, config) if config.early_stopping else []
        self._done = 0
        self._checked_steps = -1
        self._in_vain = 0
        self._spent_s = 0.0
        self._best: dict[str, Tensor] = {}
        self.best_loss = math.inf
        self.best_steps = 0

    @property
    def is_over(self) -> bool:
        return bool(self.rows) and self._in_vain >= self._config.early_stopping

    def is_due(self, share: float, elapsed_s: float | None) -> bool:
        """Whether to check when `share` of the run is done.

        Args:
            elapsed_s: after how many seconds, in a run that ends by the clock; None in one that ends by its steps,
                which has to come out the same each time.
        """
        if not self.rows or math.floor(share * CHECKS + 1e-9) <= self._done:
            return False
        next_s = self._spent_s / max(self._done, 1)
        is_too_much = elapsed_s is not None and self._spent_s + next_s > 2 * SHARE_OF_WORK * elapsed_s
        return self._done == 0 or share >= 1.0 or not is_too_much

    def check(self, share: float, steps: int, loss_of: Callable[[Sequence[Feature]], float]) -> float:
        """The loss on the held-back rows after `steps`; their best weights so far are copied."""
        began = time.monotonic()
        loss = loss_of(self.rows)
        self._spent_s += time.monotonic() - began
        self._done, self._checked_steps = math.floor(share * CHECKS + 1e-9), steps
        if loss < self.best_loss:
            self.best_loss, self.best_steps, self._in_vain = loss, steps, 0
            self._best = copy_weights(self._model)
        else:
            self._in_vain += 1
        return loss

    def take_best(self, share: float, steps: int, loss_of: Callable[[Sequence[Feature]], float]) -> str:
        """Leaves the best weights in the model at the end of a run, and says so where they are older ones."""
        if not self.rows or not steps:
            return ""
        if self._checked_steps != steps:
            self.check(share, steps, loss_of)
        if self.best_steps == steps or not self._best:
            return ""
        put_weights(self._model, self._best)
        why = f"the loss on {len(self.rows)} rows held back was lowest there"
        if not self.is_over:
            return f"The adapter has the weights of step {self.best_steps} of {steps}: {why}."
        return f"Stopped early after step {steps}; the adapter has the weights of step {self.best_steps}: {why}."

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint: what `restore` takes."""
        counts = torch.tensor([self._done, self._checked_steps, self._in_vain, self.best_steps])
        seconds = torch.tensor([self.best_loss, self._spent_s], dtype=torch.float64)
        return {"counts": counts, "numbers": seconds} | {f"best/{name}": weight for name, weight in self._best.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        if not state:
            return
        self._done, self._checked_steps, self._in_vain, self.best_steps = map(int, state["counts"].tolist())
        self.best_loss, self._spent_s = state["numbers"].tolist()
        self._best = {name.removeprefix("best/"): weight for name, weight in state.items() if name.startswith("best/")}


def affordable(rows: Sequence[Feature], training: Sequence[Feature], config: RunConfig) -> list[Feature]:
    """As many of `rows` as the checks can be spared for."""
    order = list(rows)
    random.Random(config.seed).shuffle(order)
    work = config.epochs * sum(len(feature.input_ids) for feature in training)
    budget = SHARE_OF_WORK * COST_OF_TRAINING * work / CHECKS
    kept: list[Feature] = []
    for feature in order[:MOST_ROWS]:
        budget -= len(feature.input_ids)
        if budget < 0 and len(kept) >= FEWEST_ROWS:
            break
        kept.append(feature)
    return kept if len(kept) >= FEWEST_ROWS else []
