"""Giving memory back to the system."""

import ctypes
import gc
from contextlib import suppress

import torch


def release() -> None:
    """Gives back what is kept for later use: models in cycles of references, torch's cache, freed pages."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    with suppress(OSError, AttributeError):  # glibc has it
        ctypes.CDLL(None).malloc_trim(0)
