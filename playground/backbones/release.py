"""Giving memory back to the system."""

import ctypes
import gc
from contextlib import suppress

M_ARENA_MAX = -8
"""Number of this setting in glibc's malloc.h."""
NUM_HEAPS = 2


def share_heaps() -> None:
    """Lets all threads share two heaps. Each of its own would keep the memory of its busiest moment to itself.

    Called before there are threads.
    """
    _glibc("mallopt", M_ARENA_MAX, NUM_HEAPS)


def release() -> None:
    """Gives back what is kept for later use: models in cycles of references, torch's cache, freed pages."""
    import torch  # the page calls `share_heaps` long before torch is there

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    _glibc("malloc_trim", 0)


def _glibc(function: str, *arguments: int) -> None:
    """Calls `function` where the C library is glibc."""
    with suppress(OSError, TypeError, AttributeError):
        getattr(ctypes.CDLL(None), function)(*arguments)
