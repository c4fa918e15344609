"""Batches on their way through the model: each process takes its share, in parts that the memory allows."""

from collections.abc import Callable, Iterator, Sequence

import torch
from accelerate import Accelerator
from torch import Tensor

from playground.backbones.loading import fast_bfloat16
from playground.backbones.release import release
from playground.errors import PlaygroundError
from playground.training import memory
from playground.training.config import RunConfig
from playground.training.features import IGNORED, Feature
from playground.training.team import ALONE, Team
from playground.training.trainee import Trainee, collate

TOKENS_A_PASS = 2048
"""A pass keeps about 2 MB for each token of the embedded backbone until its gradients are there."""


class Passes:
    """Takes batches through the model in parts, as large as the memory allows, whose gradients add up."""

    def __init__(
        self,
        model: Trainee,
        config: RunConfig,
        pad_id: int,
        on_note: Callable[[str], None] = lambda _: None,
        team: Team = ALONE,
    ) -> None:
        self.accelerator = accelerator_of()
        self._model = model.to(self.accelerator.device)
        self._pad_id = pad_id
        self._on_note = on_note
        self._team = team
        self._batch_size = config.batch_size
        self._rows = config.rows_a_pass
        self._tokens = TOKENS_A_PASS

    def learn(self, batch: Sequence[Feature]) -> float:
        """Adds the gradients of `batch` and returns its loss; where the memory does not suffice, in smaller parts.

        Raises:
            PlaygroundError: not even one row fits.
        """
        while True:
            chance = torch.get_rng_state()
            loss = self._try(batch)
            if not self._team.any(loss is None):
                break
            self._model.zero_grad(set_to_none=True)
            release()
            torch.set_rng_state(chance)
            self._halve(batch)
        self._team.add_up(weight for weight in self._model.parameters() if weight.requires_grad)
        return self._team.total(loss or 0.0)

    def losses(self, rows: Sequence[Feature]) -> Tensor:
        """(N,) loss of each of `rows`, from which nothing is learnt; those of similar lengths go through together."""
        self._model.eval()
        found = torch.zeros(len(rows), dtype=torch.float64)
        order = self._team.share(sorted(range(len(rows)), key=lambda place: len(rows[place].input_ids)))
        with torch.no_grad():
            for start in range(0, len(order), self._batch_size):
                places = order[start : start + self._batch_size]
                parts = self._cut([rows[place] for place in places])
                losses = [self._on(part, self._model.row_losses) for part in parts]
                found[list(places)] = torch.cat(losses).double().cpu()
        self._model.train()
        return self._team.sum(found)

    def _try(self, batch: Sequence[Feature]) -> float | None:
        """This process's part of the loss of `batch`; None where the memory does not suffice."""
        whole = num_targets(batch)
        try:
            return sum(self._learn(part, num_targets(part) / whole) for part in self._cut(self._team.share(batch)))
        except (RuntimeError, MemoryError) as err:
            if not memory.ran_out(err):
                raise
        # Outside of the handler, whose traceback would keep the tensors alive.
        return None

    def _cut(self, batch: Sequence[Feature]) -> Iterator[Sequence[Feature]]:
        return cut(batch, self._tokens, self._rows)

    def _learn(self, part: Sequence[Feature], weight: float) -> float:
        """Adds the gradients of `part`, which is `weight` of its batch, and returns its share of the batch's loss."""
        loss = self._on(part, self._model) * weight
        self.accelerator.backward(loss)
        return float(loss.item())

    def _on(self, part: Sequence[Feature], loss_of: Callable[..., Tensor]) -> Tensor:
        tensors = {key: value.to(self.accelerator.device) for key, value in collate(part, self._pad_id).items()}
        with self.accelerator.autocast():
            return loss_of(**tensors)

    def _halve(self, batch: Sequence[Feature]) -> None:
        longest = max(len(feature.input_ids) for feature in batch)
        share = self._team.largest_share(len(batch))
        before = rows_a_pass(batch, self._tokens, min(self._rows or share, share))
        if before == 1:
            raise PlaygroundError(
                f"Memory ran out over a single row of {longest} tokens; choose shorter texts (max_length) or "
                "4-bit weights, or close other programs."
            )
        self._tokens = before // 2 * longest
        self._on_note(f"Memory ran out, so {before // 2} rows instead of {before} go through the backbone at once.")


def cut(batch: Sequence[Feature], tokens: int, most: int = 0) -> Iterator[Sequence[Feature]]:
    """`batch` in parts that go through the model one after the other, so that long rows don't fill the memory."""
    size = rows_a_pass(batch, tokens, most) if batch else 1
    return (batch[start : start + size] for start in range(0, len(batch), size))


def rows_a_pass(batch: Sequence[Feature], tokens: int, most: int = 0) -> int:
    """How many rows of `batch` make at most so many `tokens`: one at least, and `most` at most unless that is 0."""
    size = tokens // max(len(feature.input_ids) for feature in batch)
    return max(min(size, len(batch), most or size), 1)


def num_targets(rows: Sequence[Feature]) -> int:
    """How many single losses the loss of `rows` is the mean of, so that parts can be weighted by them; one at least."""
    return max(sum(label != IGNORED for feature in rows for label in feature.labels), 1)


def accelerator_of() -> Accelerator:
    """For the device of this machine, in bfloat16 where that is fast."""
    return Accelerator(mixed_precision="bf16" if fast_bfloat16() else "no", cpu=not torch.cuda.is_available())
