"""The blocks below the lowest adapter: they never change, so each row has to pass them only once.

Shapes: B rows, T tokens, H hidden size.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from playground.training.features import Feature

MOST_BYTES = 512 * 2**20
"""Of states that are kept; rows beyond pass the lower blocks each time."""


def blocks_of(model: PreTrainedModel) -> nn.ModuleList:
    """The blocks of the backbone inside a model of `playground.exporting.plain`, lowest first."""
    return next(module for module in model.base_model.modules() if isinstance(module, nn.ModuleList))


class LowerBlocks:
    """Keeps what the frozen blocks at the bottom make of each row, and puts it in their place from then on."""

    def __init__(self, base_model: nn.Module, blocks: nn.ModuleList, size: int) -> None:
        """The first `size` of the `blocks` of `base_model`; one at least."""
        self._base_model = base_model
        self._lower, self._upper = list(blocks[:size]), list(blocks[size:])
        self._states: dict[tuple[int, ...], Tensor] = {}
        """(T, H) by the token ids of a row."""
        self._in_tuples = False
        """Whether the blocks of this architecture give their states as the first of several values."""

    def hold_still(self) -> None:
        """Leaves dropout to the blocks above, so that a row always arrives there in the same way."""
        self._base_model.eval()
        for block in self._upper:
            block.train()

    def forget(self) -> None:
        self._states.clear()

    @property
    def size_bytes(self) -> int:
        return sum(states.nbytes for states in self._states.values())

    def bytes_for(self, features: Sequence[Feature]) -> int:
        """Memory that the states of `features` will take; some rows must have passed already."""
        a_token = self.size_bytes / max(sum(map(len, self._states)), 1)
        return min(round(a_token * sum(len(feature.input_ids) for feature in features)), MOST_BYTES)

    @contextmanager
    def once_a_row(self, input_ids: Tensor, kept: Tensor) -> Iterator[None]:
        """Inside, a pass of ids and mask (B, T), padded on the right, takes from the lower blocks what is known."""
        lengths = kept.sum(1).tolist()
        rows = [tuple(ids[:length]) for ids, length in zip(input_ids.tolist(), lengths, strict=True)]
        known = [self._states[row] for row in rows if row in self._states]
        if len(known) == len(rows):
            states = pad_sequence(known, batch_first=True)
            with self._giving(nn.functional.pad(states, (0, 0, 0, input_ids.shape[1] - states.shape[1]))):
                yield
            return
        hook = self._lower[-1].register_forward_hook(lambda _block, _given, output: self._keep(rows, output))
        try:
            yield
        finally:
            hook.remove()

    def _keep(self, rows: Sequence[tuple[int, ...]], output: Any) -> None:
        self._in_tuples = isinstance(output, tuple)
        states = output[0] if self._in_tuples else output
        free = MOST_BYTES - self.size_bytes
        for row, whole in zip(rows, states.detach(), strict=True):
            own = whole[: len(row)]
            if own.nbytes <= free:
                self._states[row] = own.clone()
                free -= own.nbytes

    @contextmanager
    def _giving(self, states: Tensor) -> Iterator[None]:
        """Inside, the lower blocks do nothing but give `states` (B, T, H)."""
        output = (states,) if self._in_tuples else states
        before = [vars(block).get("forward") for block in self._lower]
        for block in self._lower:
            block.forward = lambda *_given, **_named: output
        try:
            yield
        finally:
            for block, own in zip(self._lower, before, strict=True):
                if own is None:
                    del block.forward
                else:
                    block.forward = own
