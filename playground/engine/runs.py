"""The adapters of a pass of the lean layers, whose rows lie end to end.

Rows of one adapter lie together, so that each adapter is multiplied once. In a pass of few tokens with several adapters
that would be many small products: there all adapters in use stand side by side as one of many ranks, and every token
keeps its own ranks only.
Shapes: N tokens, I inputs, O outputs, R ranks of all adapters in a blend.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from playground.engine.lora import LoadedAdapter

BLENDED_TOKENS = 64
"""In longer passes the products are large, and each adapter is multiplied with its own tokens."""
MAX_BLENDED = 8
"""Adapters side by side: each of them costs every token a little."""


class Runs:
    """Updates of one pass, an adapter after the other."""

    def __init__(self, adapters: Sequence[LoadedAdapter | None], lengths: Sequence[int]) -> None:
        """Row i has ``lengths[i]`` tokens and uses ``adapters[i]``; None leaves it to the bare backbone."""
        self._runs: list[tuple[slice, LoadedAdapter]] = []
        end = 0
        for adapter, length in zip(adapters, lengths, strict=True):
            start, end = end, end + length
            if adapter is None:
                continue
            if self._runs and self._runs[-1][1] is adapter and self._runs[-1][0].stop == start:
                start = self._runs.pop()[0].start
            self._runs.append((slice(start, end), adapter))
        self._is_whole = [run for run, _ in self._runs] == [slice(0, end)]

    def __call__(self, product: str, states: Tensor, output: Tensor) -> None:
        """Changes `output` (N, O) of `product` for `states` (N, I) in place."""
        for run, adapter in self._runs:
            delta = adapter.deltas.get(product)
            if delta is not None and self._is_whole:
                delta.add_to(output, states)
            elif delta is not None:
                delta.add_to(output[run], states[run])


@dataclass(frozen=True)
class _Blended:
    """Several adapters' updates of one product."""

    down: Tensor
    """(R, I)."""
    up: Tensor
    """(R, O)."""
    owner: Tensor
    """(R,) which adapter each rank belongs to."""


class Blends:
    """Makes the updates of passes, and keeps the adapters that were last blended."""

    def __init__(self) -> None:
        self._adapters: list[LoadedAdapter] = []
        self._blended: dict[str, _Blended | None] = {}

    def updates(
        self, adapters: Sequence[LoadedAdapter | None], lengths: Sequence[int]
    ) -> Callable[[str, Tensor, Tensor], None]:
        """The updates of a pass whose row i has ``lengths[i]`` tokens and uses ``adapters[i]``."""
        distinct = list({id(adapter): adapter for adapter in adapters if adapter}.values())
        if len(distinct) < 2 or sum(lengths) > BLENDED_TOKENS or not self._hold(distinct):
            return Runs(adapters, lengths)
        number = {id(adapter): index for index, adapter in enumerate(self._adapters)}
        pairs = zip(adapters, lengths, strict=True)
        owners = torch.tensor([number.get(id(used), -1) for used, length in pairs for _ in range(length)])
        masks: dict[int, Tensor] = {}

        def add(product: str, states: Tensor, output: Tensor) -> None:
            blended = self._blended_of(product)
            if blended is None:
                return
            ranks = id(blended.owner)
            if ranks not in masks:
                masks[ranks] = (owners[:, None] == blended.owner).float()
            output.addmm_((states @ blended.down.T).mul_(masks[ranks]), blended.up)

        return add

    def _hold(self, wanted: Sequence[LoadedAdapter]) -> bool:
        """Whether `wanted` are blended now, if need be in the place of those that were."""
        missing = [adapter for adapter in wanted if not any(adapter is held for held in self._adapters)]
        if not missing:
            return True
        if len(wanted) > MAX_BLENDED or any(delta.is_gained for new in missing for delta in new.deltas.values()):
            return False
        has_room = len(self._adapters) + len(missing) <= MAX_BLENDED
        self._adapters = [*self._adapters, *missing] if has_room else list(wanted)
        self._blended = {}
        return True

    def _blended_of(self, product: str) -> _Blended | None:
        if product not in self._blended:
            self._blended[product] = self._blend(product)
        return self._blended[product]

    def _blend(self, product: str) -> _Blended | None:
        deltas = [(index, adapter.deltas.get(product)) for index, adapter in enumerate(self._adapters)]
        found = [(index, delta) for index, delta in deltas if delta is not None]
        if not found:
            return None
        return _Blended(
            down=torch.cat([delta.down for _, delta in found]),
            up=torch.cat([delta.up.T for _, delta in found]),
            owner=self._owner([index for index, delta in found for _ in range(len(delta.down))]),
        )

    def _owner(self, ranks: Sequence[int]) -> Tensor:
        """One tensor for all products with the same ranks, so that a pass needs one mask for them."""
        owner = torch.tensor(ranks)
        alike = (one.owner for one in self._blended.values() if one and torch.equal(one.owner, owner))
        return next(alike, owner)
