"""What lies between the products of the lean layers.

Shapes: N tokens, H entries of a row, A heads, K of them with keys and values, D head size.
"""

import math

import numpy as np
from numba import prange

from playground.backbones.compiled import Floats, compiled, part, shared


@part
def _over_length(row: Floats, eps: float) -> np.float32:
    """One over the root mean square of `row`."""
    squares = np.float32(0)
    for i in range(len(row)):
        squares += row[i] * row[i]
    return np.float32(1 / math.sqrt(squares / len(row) + eps))


@compiled("(f4[:, ::1], f4[::1], f8, f4[:, ::1])")
def norm(x: Floats, factors: Floats, eps: float, found: Floats) -> None:
    """Divides the rows of `x` (N, H) by their root mean square, https://arxiv.org/abs/1910.07467, times `factors`."""
    for n in range(len(x)):
        over = _over_length(x[n], eps)
        for i in range(x.shape[1]):
            found[n, i] = x[n, i] * over * factors[i]


@compiled("(f4[:, ::1], f4[:, ::1], f4[::1], f8)")
def add_norm(x: Floats, change: Floats, factors: Floats, eps: float) -> None:
    """Adds what `norm` makes of `change` to `x` (N, H), in place."""
    for n in range(len(x)):
        over = _over_length(change[n], eps)
        for i in range(x.shape[1]):
            x[n, i] += change[n, i] * over * factors[i]


@compiled("(f4[:, :, ::1], f4[:, ::1], f8, f4[:, ::1], f4[:, ::1])")
def turn(heads: Floats, factors: Floats, eps: float, cosines: Floats, sines: Floats) -> None:
    """Norms queries and keys, the first of the `heads` (N, A + 2 K, D) with (A + K, D) factors, and turns them by
    their places, https://arxiv.org/abs/2104.09864, in place; the (N, D) sines have a minus in their first half.
    """
    half = heads.shape[2] // 2
    for n in range(len(heads)):
        for head in range(len(factors)):
            row = heads[n, head]
            over = _over_length(row, eps)
            for i in range(half):
                a, b = row[i] * over * factors[head, i], row[i + half] * over * factors[head, i + half]
                row[i] = a * cosines[n, i] + b * sines[n, i]
                row[i + half] = b * cosines[n, i + half] + a * sines[n, i + half]


@shared("(f4[:, :, ::1], f4[:, :, ::1], f4[:, :, ::1], i8, i8, f4[:, :, ::1])")
def attend(heads: Floats, keys: Floats, values: Floats, past: int, window: int, found: Floats) -> None:
    """Causal attention of the few tokens of one text, whose turned `heads` (N, A + 2 K, D) come after `past` others.

    Writes their keys and values into the cache's (K, capacity, D), and (N, A, D) into `found`. Each token sees
    `window` places, its own the last of them.
    """
    num_heads, num_keys = found.shape[1], len(keys)
    for n in range(len(heads)):
        for head in range(num_keys):
            keys[head, past + n] = heads[n, num_heads + head]
            values[head, past + n] = heads[n, num_heads + num_keys + head]
    for task in prange(len(heads) * num_heads):
        n, head = task // num_heads, task % num_heads
        shared = head * num_keys // num_heads
        end = past + n + 1
        first = max(end - window, 0)
        scores = np.empty(end - first, np.float32)
        highest = np.float32(-np.inf)
        for j in range(len(scores)):
            score = np.float32(0)
            for i in range(heads.shape[2]):
                score += heads[n, head, i] * keys[shared, first + j, i]
            scores[j] = score
            highest = max(highest, score)
        total = np.float32(0)
        found[n, head] = 0
        for j in range(len(scores)):
            weight = math.exp(scores[j] - highest)
            total += weight
            for i in range(heads.shape[2]):
                found[n, head, i] += weight * values[shared, first + j, i]
        for i in range(heads.shape[2]):
            found[n, head, i] /= total
