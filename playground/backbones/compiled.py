"""Compiling for this processor, by Numba (https://numba.pydata.org), what would be many small steps of a library.

What was compiled is kept beside the module, or in the user's cache folder where that may not be written to.
"""

from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from playground.backbones.apart import apart

Floats = NDArray[np.float32]
Bytes = NDArray[np.int8]
Compiled = Callable[..., None]

REORDERED = {"reassoc", "contract", "nsz"}
"""Sums may be taken in any order, so that several numbers are added at once."""

part: Callable[[Callable[..., Any]], Any] = numba.njit(fastmath=REORDERED, inline="always")
"""A piece of a compiled function."""

MOST_CORES: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]

_shared: list[Callable[[], Compiled]] = []
_sharing = Lock()


def compiled(signature: str) -> Callable[[Compiled], Compiled]:
    """Compiles a function for arguments of the types in `signature`; Python's lock is free while it runs."""
    return lambda function: _compile(function, signature, parallel=False)


def shared(signature: str) -> Callable[[Compiled], Compiled]:
    """The same for a function whose `prange` loop the cores share, as many of them as torch uses."""

    def decorate(function: Compiled) -> Compiled:
        ready = cache(lambda: _compile(function, signature, parallel=True))
        _shared.append(ready)

        def alone(*args: Any) -> None:
            with _sharing:  # the threads that Numba has where there is no OpenMP serve one loop at a time
                ready()(*args)

        return alone

    return decorate


def _compile(function: Compiled, signature: str, *, parallel: bool) -> Compiled:
    def compile_it(*, cache: bool) -> Compiled:
        made: Any = numba.njit(signature, cache=cache, parallel=parallel, fastmath=REORDERED, nogil=True)
        found: Compiled = made(function)
        return found

    try:
        return compile_it(cache=True)
    except RuntimeError:  # there is nowhere to keep it
        return compile_it(cache=False)


def prepare() -> None:
    """Compiles the shared functions before their first use: apart, because that starts a team of threads."""
    apart(lambda: [ready() for ready in _shared])


def share_cores() -> None:
    """Shared loops of this thread run on as many cores as torch uses."""
    numba.set_num_threads(min(torch.get_num_threads(), MOST_CORES))
