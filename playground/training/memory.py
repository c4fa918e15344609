"""Memory: how much this process uses, how much the machine can still give, and whether an error says it ran out."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

SECONDS_BETWEEN_LOOKS = 0.005
CONTROL_GROUP = Path("/sys/fs/cgroup")
MB = 2**20


@dataclass
class Peak:
    """The most memory that was in use while somebody looked."""

    size_bytes: int = 0


def used_bytes() -> int:
    """Memory of the tensors on the GPU, or of this process where there is none."""
    if torch.cuda.is_available():
        return int(torch.cuda.memory_reserved())
    return int(psutil.Process().memory_info().rss)


def free_bytes() -> int:
    """What more could be used on the GPU or, without one, in this machine or container."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    return min([int(psutil.virtual_memory().available), *_left_in_container()])


def _left_in_container() -> list[int]:
    try:
        limit = (CONTROL_GROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((CONTROL_GROUP / "memory.current").read_text(encoding="ascii"))
        cached = dict(line.split() for line in (CONTROL_GROUP / "memory.stat").read_text(encoding="ascii").splitlines())
    except (OSError, ValueError):
        return []
    # Pages of files are given back as soon as somebody needs the memory.
    return [] if limit == "max" else [max(int(limit) - used + int(cached.get("inactive_file", 0)), 0)]


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Looks many times a second, because a pass gives back most of its memory before it ends."""
    peak = Peak(used_bytes())
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        yield peak
        peak.size_bytes = int(torch.cuda.max_memory_reserved())
        return
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(SECONDS_BETWEEN_LOOKS):
            peak.size_bytes = max(peak.size_bytes, used_bytes())

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield peak
    finally:
        is_over.set()
        looking.join()
        peak.size_bytes = max(peak.size_bytes, used_bytes())


def ran_out(err: BaseException) -> bool:
    """Whether `err` says that there is no memory left; torch says so on the CPU with a bare RuntimeError."""
    if isinstance(err, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(err, RuntimeError) and "allocate memory" in str(err)
