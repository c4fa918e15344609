"""What recent prompts have in common with new ones: their keys and values need not be computed again.

The instructions of a task are the same for every text, and so is a document that several things are asked about.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from weakref import ReferenceType, ref

from playground.backbones.lean import Cache
from playground.engine.lora import LoadedAdapter

MAX_KEPT_TOKENS = 2048
"""Of all kept prompts together; a token takes 36 kB with the embedded backbone."""
MIN_SHARED_TOKENS = 8
"""Below that, copying is not worth it."""


@dataclass(frozen=True)
class _Kept:
    adapter: ReferenceType[LoadedAdapter] | None
    """Does not keep in memory an adapter that made room for another one; None: the bare backbone."""
    ids: tuple[int, ...]
    cache: Cache

    @property
    def is_lost(self) -> bool:
        return self.adapter is not None and self.adapter() is None

    def is_of(self, adapter: LoadedAdapter | None) -> bool:
        return not self.is_lost and (self.adapter and self.adapter()) is adapter


class Prefixes:
    """The caches of the prompts used last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, tuple[int, ...]], _Kept] = OrderedDict()

    def find(self, adapter: LoadedAdapter | None, ids: Sequence[int]) -> Cache | None:
        """A copy of the longest kept beginning of `ids` under `adapter`; at least the last token is left to do."""
        best, shared = None, MIN_SHARED_TOKENS - 1
        for key, kept in self._kept.items():
            if not kept.is_of(adapter):
                continue
            same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(kept.ids, ids[:-1], strict=False)))
            if same > shared:
                best, shared = key, same
        if best is None:
            return None
        self._kept.move_to_end(best)
        return self._kept[best].cache.copy(shared)

    def keep(self, adapter: LoadedAdapter | None, ids: Sequence[int], cache: Cache) -> None:
        """Keeps a copy of the first ``len(ids)`` tokens of `cache`; the prompts used longest ago make room."""
        if not MIN_SHARED_TOKENS <= len(ids) <= MAX_KEPT_TOKENS:
            return
        self._kept = OrderedDict((key, kept) for key, kept in self._kept.items() if not kept.is_lost)
        key = (id(adapter), tuple(ids))
        if key in self._kept:
            self._kept.move_to_end(key)
            return
        self._kept[key] = _Kept(ref(adapter) if adapter else None, tuple(ids), cache.copy(len(ids)))
        while sum(len(kept.ids) for kept in self._kept.values()) > MAX_KEPT_TOKENS:
            self._kept.popitem(last=False)
