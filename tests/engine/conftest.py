"""Adapters of every kind on the tiny backbone, and short ways to run them."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from playground.adapters.record import AdapterRecord
from playground.engine.engine import Engine
from playground.engine.requests import EncodeRow


@pytest.fixture
def encoded(tiny_engine: Engine) -> Callable[..., list[Any]]:
    """``encoded([(ids, record, pooled), ...])``: logits of the rows, all in one request."""

    def run(rows: Sequence[tuple[Sequence[int], AdapterRecord, bool]]) -> list[Any]:
        asked = [EncodeRow(ids, tiny_engine.adapter(record), record.attention, pooled) for ids, record, pooled in rows]
        ticket = tiny_engine.encode(asked)
        ticket.wait()
        return [ticket.logits[index] for index in range(len(asked))]

    return run


@pytest.fixture
def written(tiny_engine: Engine) -> Callable[..., list[list[int]]]:
    """``written([(ids, record or None), ...], **decoding)``: token ids made after the prompts, in one request."""
    from playground.engine.requests import Decoding

    def run(rows: Sequence[tuple[Sequence[int], AdapterRecord | None]], **decoding: Any) -> list[list[int]]:
        prompts = [(ids, record and tiny_engine.adapter(record)) for ids, record in rows]
        ticket = tiny_engine.generate(prompts, Decoding(**{"max_new_tokens": 12} | decoding))
        ticket.wait()
        return [row.output_ids for row in ticket.decode_rows]

    return run


@pytest.fixture
def sample_ids() -> Callable[..., list[int]]:
    """``sample_ids(length, seed=0)``: a beginning-of-text token and random bytes."""
    import random

    def draw(length: int, seed: int = 0) -> list[int]:
        chance = random.Random(seed * 1000 + length)
        return [2, *(chance.randrange(4, 260) for _ in range(length - 1))]

    return draw


class ScriptedEngine:
    """Stands where the engine stands, and answers prompts by a function of their text."""

    def __init__(self, backbone: Any, answer: Callable[[str], str]) -> None:
        self.backbone = backbone
        self.answer = answer
        self.prompts: list[list[str]] = []
        """Texts of the prompts, a list for each request."""

    def must_generate(self) -> None:
        assert self.backbone.can_generate

    def adapter(self, record: AdapterRecord) -> AdapterRecord:
        return record

    def generate(self, rows: Sequence[tuple[Sequence[int], Any]], decoding: Any) -> Any:
        from playground.engine.decode import DecodeRow
        from playground.engine.tickets import Ticket

        texts = [self.backbone.tokenizer.decode(ids, skip_special_tokens=True) for ids, _ in rows]
        self.prompts.append(texts)
        ticket = Ticket()
        ticket.decode_rows = [DecodeRow((), None, decoding, ticket.cancelled, text=self.answer(text)) for text in texts]
        ticket.finished.set()
        return ticket


@pytest.fixture
def scripted(tiny_backbone: Callable[..., Any]) -> Callable[..., ScriptedEngine]:
    """``scripted(answer)``: an engine that writes ``answer(prompt)``."""
    return lambda answer: ScriptedEngine(tiny_backbone(), answer)
