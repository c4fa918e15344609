"""Early stopping: what a model does on rows that are held back decides when to end, and which weights are kept.

Few rows can be held back of few, and their loss alone would end a training too early: a classifier that learns on is
right more often, but surer where it is wrong, and pays for that with its loss. So the chance counts that it gives to
the right answer, and later weights are the better ones unless they do worse by more than the standard error of the
difference, row by row (the one-standard-error rule, Breiman et al. 1984, Classification and Regression Trees).
"""

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from playground.training.config import RunConfig
from playground.training.features import Feature
from playground.training.passes import num_targets
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
        self._kept: dict[str, Tensor] = {}
        self._fewest_misses = torch.ones(len(self.rows), dtype=torch.float64)
        self.kept_steps = 0

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

    def check(self, share: float, steps: int, losses_of: Callable[[Sequence[Feature]], Tensor]) -> float:
        """The mean loss on the held-back rows after `steps`; the weights are copied where they are the best so far."""
        began = time.monotonic()
        losses = losses_of(self.rows)
        self._spent_s += time.monotonic() - began
        self._done, self._checked_steps = math.floor(share * CHECKS + 1e-9), steps
        misses = 1 - torch.exp(-losses)
        if is_no_worse(misses, self._fewest_misses):
            self.kept_steps, self._in_vain = steps, 0
            self._kept = copy_weights(self._model)
            if misses.mean() <= self._fewest_misses.mean():
                self._fewest_misses = misses
        else:
            self._in_vain += 1
        targets = torch.tensor([num_targets([row]) for row in self.rows])
        return float((losses * targets).sum() / targets.sum())

    def take_best(self, share: float, steps: int, losses_of: Callable[[Sequence[Feature]], Tensor]) -> str:
        """Leaves the best weights in the model at the end of a run, and says so where they are older ones."""
        if not self.rows or not steps:
            return ""
        if self._checked_steps != steps:
            self.check(share, steps, losses_of)
        if self.kept_steps == steps or not self._kept:
            return ""
        put_weights(self._model, self._kept)
        why = f"later ones did worse on {len(self.rows)} rows held back"
        if not self.is_over:
            return f"The adapter has the weights of step {self.kept_steps} of {steps}: {why}."
        return f"Stopped early after step {steps}; the adapter has the weights of step {self.kept_steps}: {why}."

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint: what `restore` takes."""
        counts = torch.tensor([self._done, self._checked_steps, self._in_vain, self.kept_steps])
        seconds = torch.tensor([self._spent_s], dtype=torch.float64)
        told = {"counts": counts, "numbers": seconds, "misses": self._fewest_misses}
        return told | {f"best/{name}": weight for name, weight in self._kept.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        if not state:
            return
        self._done, self._checked_steps, self._in_vain, self.kept_steps = map(int, state["counts"].tolist())
        self._spent_s = float(state["numbers"][-1])
        # A checkpoint from before misses were counted has none: the next check is then the first one that counts.
        self._fewest_misses = state.get("misses", self._fewest_misses)
        self._kept = {name.removeprefix("best/"): weight for name, weight in state.items() if name.startswith("best/")}


def is_no_worse(misses: Tensor, fewest: Tensor) -> bool:
    """Whether `misses` are on average above the `fewest`, row by row (N,), by one standard error at most."""
    more = misses - fewest
    return bool(more.mean() <= more.std() / math.sqrt(len(more)))


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
