"""Probe rows: a few short texts whose outputs tell whether a copy of an adapter is still the same function."""

from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.adapters.record import AdapterRecord
from playground.tasks import Task, get_task, shape_classify, shape_generate, shape_span, shape_tag
from playground.types import Row

Outputs = list[NDArray[np.float32]]
"""Of each probe row: logits (L,) of classify, (T, L) of tag and span, (V,) of the next token of generate."""

NUM_PROBES = 3
MAX_PROBE_TOKENS = 96
NUM_KEPT_LOGITS = 128
TOLERANCES: Mapping[str, float] = {
    "float32": 0.002,
    "float16": 0.01,
    "bfloat16": 0.1,
    "4-bit": 0.1,
    "8-bit": 0.1,
    "q8_0": 0.08,
}
"""The largest `difference` that rounding explains, by the format of the weights or of the arithmetic."""
TEXTS = (
    "The delivery was two days late, but the support team in Lyon answered at once.",
    "Frau Keller fährt am Montag mit dem Zug von Hamburg nach Wien.",
    "新しいカメラはとても軽くて、写真もきれいに撮れます。",
)
"""For tasks that bring no examples of their own."""


def probe_ids(record: AdapterRecord, tokenizer: Any) -> list[list[int]]:
    """Token ids of the probe rows, as the engine would feed them to the adapter."""
    task = get_task(record.task)
    ids = [_ids(record, row, tokenizer) for row in _rows(task, record)]
    return [one[: min(MAX_PROBE_TOKENS, record.max_length)] for one in ids]


def _rows(task: Task, record: AdapterRecord) -> list[Row]:
    rows: list[Row] = [dict(example.values) for example in task.examples[:NUM_PROBES]]
    names = [field.name for field in task.inputs]
    names += [name for _, name, _, _ in Formatter().parse(record.prompt) if name]
    return [dict.fromkeys(names, text) | row for text, row in zip(TEXTS, rows or [{}] * len(TEXTS), strict=False)]


def _ids(record: AdapterRecord, row: Row, tokenizer: Any) -> list[int]:
    if record.shape == "generate":
        return shape_generate.prompt_ids(tokenizer, shape_generate.fill_prompt(record.prompt, row))
    if record.shape == "classify":
        return shape_classify.windows(tokenizer, row, MAX_PROBE_TOKENS)[0].input_ids
    windows = shape_tag.windows if record.shape == "tag" else shape_span.windows
    return windows(tokenizer, row, MAX_PROBE_TOKENS)[1][0].input_ids


def thinned(output: NDArray[np.float32], size: int | None = None) -> list[float]:
    """Some of the logits, always the same ones: few enough for a record.

    Args:
        size: of the whole output that a shorter one is compared with; None keeps about `NUM_KEPT_LOGITS`.
    """
    flat = output.reshape(-1)
    step = max(len(flat) // NUM_KEPT_LOGITS, 1)
    return [float(f"{value:.6g}") for value in flat[::step][:size]]


def as_probe(ids: Sequence[Sequence[int]], outputs: Outputs, quantization: str, dtype: str) -> dict[str, Any]:
    """What a record keeps of the outputs."""
    return {
        "ids": [list(one) for one in ids],
        "outputs": [thinned(output) for output in outputs],
        "quantization": quantization,
        "dtype": dtype,
    }


def difference(expected: Sequence[Any], found: Sequence[Any]) -> float:
    """Largest difference of two logits, as a share of the largest expected one (of 1 at least).

    Infinite when they are of different number or shape, or when one of them is no number.
    """
    pairs = [(np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in zip(expected, found, strict=False)]
    if not pairs or len(expected) != len(found) or any(a.shape != b.shape for a, b in pairs):
        return float("inf")
    scale = max(1.0, *(float(np.abs(a).max()) for a, _ in pairs))
    largest = max(float(np.abs(a - b).max()) for a, b in pairs)
    return largest / scale if np.isfinite(largest) and np.isfinite(scale) else float("inf")
