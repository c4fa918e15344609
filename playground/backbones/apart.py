"""Work with tensors outside of the engine's thread.

Every thread that computes keeps a team of OpenMP threads as long as it lives. With two teams there are more threads
than cores, and libgomp then puts a waiting one to sleep at once: waking it costs 30 microseconds, for every product and
every sum of the engine, which together doubles the time of a short pass.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def apart(work: Callable[[], T]) -> T:
    """What `work` returns or raises, done in a thread that is over afterwards, with its team."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(work).result()
