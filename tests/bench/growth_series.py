"""The series of the growth benchmark, each measured by a function that may be called in a process of its own."""

import argparse
import csv
import gzip
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.bench.answering import Asker, median_s
from tests.bench.asking import memory_mb
from tests.bench.growing import Line, Series

PROMPT_TOKENS = 100
ROW_TOKENS = 30
WARM_TOKENS = 16
TRAINING_ROWS = Path("data/train/sentiment")
NUM_LOADS = 50
"""Loads at most that one figure of loading is the median of."""


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    repeats: int
    new_tokens: int
    visit_s: float
    most_rows_trained: int
    sizes: dict[str, tuple[int, ...]]


FULL = Effort(
    repeats=3,
    new_tokens=64,
    visit_s=30,
    most_rows_trained=1000,
    sizes={
        "batch": (1, 2, 4, 8, 16, 32),
        "prompt": (16, 64, 256, 1024, 2048, 4096),
        "adapters": (1, 10, 100, 1000),
        "visitors": (1, 10, 30, 100),
        "rows": (100, 1000, 10_000, 100_000),
    },
)
QUICK = Effort(
    repeats=1,
    new_tokens=8,
    visit_s=4,
    most_rows_trained=60,
    sizes={"batch": (1, 2, 4), "prompt": (16, 64), "adapters": (1, 3), "visitors": (1, 2), "rows": (60, 300)},
)
"""Shows that everything works; the figures are worth nothing."""


def of_batch(effort: Effort) -> Series:
    asker, sizes = Asker(), effort.sizes["batch"]

    def seconds(number: int, new: int) -> float:
        adapters = asker.mixed_adapters(number)
        return median_s(lambda: asker.write(adapters, PROMPT_TOKENS, new), effort.repeats)

    firsts = [seconds(number, 1) for number in sizes]
    writing = [seconds(number, effort.new_tokens) - first for number, first in zip(sizes, firsts, strict=True)]
    rates = [number * (effort.new_tokens - 1) / took for number, took in zip(sizes, writing, strict=True)]
    passes = []
    for number in sizes:
        rows = asker.mixed_rows(number, ROW_TOKENS)
        passes.append(median_s(lambda rows=rows: asker.engine.encode(rows).wait(), effort.repeats))
    together = [number / took for number, took in zip(sizes, passes, strict=True)]
    lines = [
        Line(f"prompts of {PROMPT_TOKENS} tokens", "s", firsts),
        Line(f"then {effort.new_tokens - 1} tokens each", "s", writing),
        Line(f"single passes of {ROW_TOKENS} tokens", "s", passes),
        Line("of all texts", "tokens/s", rates, is_cost=False),
        Line("of each text", "tokens/s", [rate / size for rate, size in zip(rates, sizes, strict=True)], is_cost=False),
        Line("in single passes", "rows/s", together, is_cost=False),
    ]
    return Series("texts at once, over five adapters", [*sizes], lines)


def of_prompt(effort: Effort) -> Series:
    asker, sizes = Asker(), effort.sizes["prompt"]
    seconds = [median_s(lambda size=size: asker.write([None], size, 1), effort.repeats) for size in sizes]
    rates = [size / took for size, took in zip(sizes, seconds, strict=True)]
    lines = [
        Line("until the first token", "ms", [1000 * took for took in seconds]),
        Line("of the prompt", "tokens/s", rates, is_cost=False),
    ]
    return Series("tokens of the prompt", [*sizes], lines)


def of_adapters(effort: Effort) -> Series:
    """Each adapter is registered, as the page lists them, and used once; the engine keeps those used last."""
    from playground.adapters.store import find, list_adapters
    from playground.engine.requests import Decoding

    asker, sizes = Asker(), effort.sizes["adapters"]
    shipped = asker.records["translate"]
    found: dict[str, list[float]] = {"warm": [], "cold": [], "find": [], "list": [], "memory": []}
    loads: list[float] = []

    prompt = asker.prompt(PROMPT_TOKENS)

    def write(adapter: Any) -> None:
        asker.engine.generate([(prompt, adapter)], Decoding(max_new_tokens=WARM_TOKENS)).wait()

    with tempfile.TemporaryDirectory() as home, patch.dict(os.environ, PLAYGROUND_HOME=home):
        num_shipped = len(list_adapters(shipped.task))
        for number in range(1, max(sizes) + 1):
            record = _register(shipped, f"copy-{number}", Path(home))
            began = time.perf_counter()
            adapter = asker.engine.adapter(record)
            loads.append(time.perf_counter() - began)
            if number not in sizes:
                continue
            found["memory"].append(memory_mb(os.getpid())["now"])
            found["cold"].append(1000 * statistics.median(loads[-NUM_LOADS:]))
            found["warm"].append(1000 * median_s(lambda used=adapter: write(used), effort.repeats))
            found["find"].append(1000 * median_s(lambda name=record.name: find(shipped.task, name), effort.repeats))
            found["list"].append(1000 * median_s(lambda: list_adapters(shipped.task), effort.repeats))
            if len(list_adapters(shipped.task)) != num_shipped + number:
                raise SystemExit(f"The store does not list the {number} adapters in {home}.")
    lines = [
        Line(f"{WARM_TOKENS} tokens with one of them", "ms", found["warm"]),
        Line("loading one", "ms", found["cold"]),
        Line("finding one by its name", "ms of the store", found["find"]),
        Line("listing all", "ms of the store", found["list"]),
        Line("of the process", "MB", found["memory"]),
    ]
    return Series("adapters registered", [*sizes], lines)


def _register(shipped: Any, name: str, home: Path) -> Any:
    """A copy of an adapter as one of the person's own; its weights are one more name of a single file."""
    from playground.adapters.record import WEIGHTS_FILE, write_record

    path, first = home / "adapters" / shipped.task / name, home / WEIGHTS_FILE
    path.mkdir(parents=True)
    if not first.exists():
        shutil.copyfile(shipped.path / WEIGHTS_FILE, first)
    for file in shipped.files:
        if file != WEIGHTS_FILE:
            shutil.copyfile(shipped.path / file, path / file)
    (path / WEIGHTS_FILE).hardlink_to(first)
    record = replace(shipped, name=name, path=path, origin="own")
    write_record(record, path)
    return record


def of_visitors(effort: Effort) -> Series:
    from tests.bench.visitors import Crowd, visit

    sizes = effort.sizes["visitors"]
    found = [visit(Crowd(number, effort.visit_s))["summary"] for number in sizes]
    for one in found:
        if one["errors"]:
            raise SystemExit(f"Visitors met errors: {one['error_words']}.")
    lines = [
        Line("until the answer, median", "s", [one["all"]["p50_s"] for one in found]),
        Line("until the answer, 95th percentile", "s", [one["all"]["p95_s"] for one in found]),
        Line("of all visitors", "answers/s", [one["answers_per_s"] for one in found], is_cost=False),
        Line(
            "told that the app is busy",
            "%",
            [100 * one["busy"] / (one["busy"] + one["ok"]) for one in found],
            is_cost=False,
        ),
        Line("of the app at its peak", "MB", [one["memory_mb"]["peak"] for one in found]),
    ]
    return Series(f"visitors, each for {effort.visit_s:.0f} s", [*sizes], lines)


def of_rows(effort: Effort) -> Series:
    sizes = effort.sizes["rows"]
    found = [_rows_figures(number) for number in sizes]
    trained = [_trained(number) if number <= effort.most_rows_trained else {} for number in sizes]
    lines = [
        Line("reading the CSV file", "s", [one["read_s"] for one in found]),
        Line("checking the rows", "s", [one["check_s"] for one in found]),
        Line("making training examples", "s", [one["examples_s"] for one in found]),
        Line("while reading", "MB above the start", [one["read_mb"] for one in found]),
        Line("while checking", "MB above the start", [one["check_mb"] for one in found]),
        Line("while making examples", "MB above the start", [one["examples_mb"] for one in found]),
        Line("one round", "s of training", [one.get("seconds") for one in trained]),
        Line("at its peak", "MB of training", [one.get("peak_mb") for one in trained]),
    ]
    return Series("rows", [*sizes], lines)


def _rows_figures(number: int) -> dict[str, float]:
    """Of a CSV file of so many rows, all different, in a random order."""
    rows = []
    for path in sorted(TRAINING_ROWS.glob("*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows += map(json.loads, lines)
    if len(rows) < number:
        raise SystemExit(f"'{TRAINING_ROWS}' has {len(rows):,} rows, not {number:,}.")
    random.Random(0).shuffle(rows)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            written = csv.writer(file)
            written.writerow(("text", "label"))
            written.writerows((row["text"], row["label"]) for row in rows[:number])
        command = [sys.executable, "-m", "tests.bench.growth_rows", str(path), "sentiment"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _trained(rows: int) -> dict[str, Any]:
    from tests.bench.training import compete

    settings = {"rows": rows, "epochs": 1.0, "rank": 8, "learning_rate": 5e-4, "seed": 0, "preset": "quick"}
    return compete("ours", "classify", argparse.Namespace(**settings, threads=os.cpu_count()))


SERIES: dict[str, Callable[[Effort], Series]] = {
    "batch": of_batch,
    "prompt": of_prompt,
    "adapters": of_adapters,
    "visitors": of_visitors,
    "rows": of_rows,
}
