"""ZeroGPU Spaces: a GPU that exists only inside decorated calls, each in a process forked for it.

Elsewhere nothing here does anything and ``spaces`` is not imported.
See https://huggingface.co/docs/hub/spaces-zerogpu
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playground.types import Item, Stream

if TYPE_CHECKING:
    from playground.engine.engine import Engine

VARIABLE = "SPACES_ZERO_GPU"
PACKAGE_PARENT = Path(__file__).resolve().parents[2]
GPU_SECONDS = 60
"""Longest call; a visitor's daily quota is 2 to 5 minutes."""

_engine_of_parent: Engine | None = None


def is_zerogpu() -> bool:
    return bool(os.environ.get(VARIABLE))


def environment_of_child() -> dict[str, str]:
    """Of a process that this one starts. The GPU is lent to the app's process alone; no other must count on it."""
    paths = [str(PACKAGE_PARENT), *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return kept | {"PYTHONPATH": os.pathsep.join(paths)}


def on_gpu(stream: Callable[..., Stream[Item]]) -> Callable[..., Stream[Item]]:
    """Decorates a generator function whose first argument is the engine, so that it runs where the GPU is.

    Arguments and results are pickled on their way; the engine is not: the fork has its own copy of it.
    """
    if not is_zerogpu():
        return stream
    import spaces

    @spaces.GPU(duration=GPU_SECONDS)  # type: ignore[untyped-decorator]
    def forked(*args: Any, **options: Any) -> Stream[Item]:
        yield from stream(_engine_of_parent, *args, **options)

    @wraps(stream)
    def call(engine: Engine, *args: Any, **options: Any) -> Stream[Item]:
        global _engine_of_parent  # noqa: PLW0603 - the only way past the pickling: a fork inherits globals
        _engine_of_parent = engine
        yield from forked(*args, **options)

    return call
