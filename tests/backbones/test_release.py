"""Memory that goes back to the system."""

import re
import subprocess
import sys

import pytest
import torch

from playground.backbones.lean import Cache

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc and glibc's statistics")

BUSY_THREADS = """
import ctypes, threading
from playground.backbones.release import share_heaps

share_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.fdopen.restype = ctypes.c_void_p, ctypes.c_void_p
together = threading.Barrier(16)
def work():
    together.wait()
    libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
stdout = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, stdout)
libc.fflush(stdout)
"""


def resident_mb() -> float:
    from tests.bench.asking import memory_mb

    return memory_mb("self")["now"]


def test_threads_share_two_heaps():
    done = subprocess.run([sys.executable, "-c", BUSY_THREADS], check=True, capture_output=True, text=True)
    assert 1 <= len(re.findall("<heap nr", done.stdout)) <= 2


def test_what_the_caches_of_texts_took_goes_back_even_between_others_that_stay():
    large = torch.empty(7_500_000)  # from then on glibc takes blocks of up to this size from the heap
    del large
    before = resident_mb()
    caches = []
    for _ in range(40):
        cache = Cache(num_layers=18, num_heads=1, head_size=256)
        cache.reserve(500)
        for layer in cache.layers:
            for part in layer:
                part.fill_(1.0)
        caches.append(cache)
    full = resident_mb() - before
    assert full > 40 * 17
    kept = caches[::8]
    del caches, cache, layer, part
    assert resident_mb() - before < full / 8 + 60
    assert len(kept) == 5
