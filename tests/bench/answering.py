"""What the benchmarks of answers have in common: the engine, whose texts do not end, and prompts that are new to it."""

import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

LICENCE = Path(__file__).parents[2] / "LICENSE"
"""Enough real text, there in every checkout."""
STEP = 7
"""Tokens from the beginning of one prompt to that of the next one."""


def median_s(run: Callable[[], Any], repeats: int) -> float:
    """Seconds that `run` takes once it is warm."""
    run()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def text_ids(tokenizer: Any) -> list[int]:
    return tokenizer(LICENCE.read_text(encoding="utf-8"), add_special_tokens=False)["input_ids"]


class Asker:
    """Asks the engine with the embedded backbone and the shipped adapters."""

    def __init__(self) -> None:
        from playground.adapters.store import list_adapters
        from playground.backbones.catalogue import EMBEDDED_ID
        from playground.backbones.loading import load
        from playground.engine.engine import Engine

        backbone = load(EMBEDDED_ID, "8-bit", lambda *_: None)
        backbone.tokenizer.eos_token = None
        backbone.model.generation_config.eos_token_id = None
        self.engine = Engine(backbone)
        self.records = {record.task: record for record in list_adapters() if record.name == "multilingual"}
        self.adapters = {task: self.engine.adapter(record) for task, record in self.records.items()}
        self._ids = text_ids(backbone.tokenizer)
        self._used = 0

    def prompt(self, length: int) -> list[int]:
        """A prompt that shares no beginning with an earlier one."""
        self._used += STEP
        start = self._used % len(self._ids)
        return [2, *itertools.islice(itertools.cycle(self._ids), start, start + length - 1)]

    def write(self, adapters: Sequence[Any], length: int, new: int) -> None:
        """A text of `new` tokens after a prompt of `length` for each of `adapters` (None: the base), all at once."""
        from playground.engine.requests import Decoding

        wanted = Decoding(max_new_tokens=new)
        tickets = [self.engine.generate([(self.prompt(length), adapter)], wanted) for adapter in adapters]
        for ticket in tickets:
            ticket.wait()

    def mixed_adapters(self, number: int) -> list[Any]:
        return [*itertools.islice(itertools.cycle(self.adapters.values()), number)]

    def mixed_rows(self, number: int, length: int) -> list[Any]:
        """Rows for a single pass, of several adapters."""
        tasks = itertools.islice(itertools.cycle(("sentiment", "ner", "qa")), number)
        return [self.row(task, length) for task in tasks]

    def row(self, task: str, length: int) -> Any:
        from playground.engine.requests import EncodeRow

        attention = self.records[task].attention
        return EncodeRow(self.prompt(length), self.adapters[task], attention, task == "sentiment")
