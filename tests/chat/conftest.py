"""An engine without weights, and predictions that say what they were asked."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from playground.adapters.record import AdapterRecord
from playground.chat import conversation, talk
from playground.engine.predict import Prediction
from playground.tasks import Task
from playground.types import Row

LOADED = {"id": "tiny", "checksum": "abc"}


class FakeTokenizer:
    """A chat template that writes roles and contents, one number a character."""

    def apply_chat_template(self, turns: list[dict[str, str]], **options: Any) -> list[int]:
        assert options == {"tokenize": True, "add_generation_prompt": True, "return_dict": False}
        return [ord(c) for c in "".join(f"{turn['role'][0]}:{turn['content']}|" for turn in turns)]


class FakeEngine:
    """Writes "Hello there" in steps; `prompts` are the ones it was given, `closed` says whether it was let go."""

    def __init__(self, *, has_chat_template: bool = False, max_positions: int = 2048) -> None:
        self.backbone = SimpleNamespace(
            **LOADED,
            title="Tiny",
            quantization="8-bit",
            can_generate=True,
            has_chat_template=has_chat_template,
            max_positions=max_positions,
            tokenizer=FakeTokenizer(),
        )
        self.prompts: list[str] = []
        self.closed = False

    def generate_text(self, prompt_ids: list[int], decoding: Any) -> Iterator[str]:
        self.prompts.append("".join(map(chr, prompt_ids)))
        try:
            yield "Hello"
            yield "Hello there"
        finally:
            self.closed = True


OUTPUTS: dict[str, Any] = {
    "sentiment": {"label": "positive", "scores": {"positive": 0.9, "negative": 0.1}},
    "ner": {"entities": [{"start": 0, "end": 5, "label": "ORG", "score": 0.8}]},
    "qa": {"answer": {"text": "Steve", "start": 0, "end": 5, "score": 0.7}},
    "summarize": {"summary": "A short summary."},
    "translate": {"translation": "Eine Übersetzung."},
    "instruct": {"completion": "A completion."},
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Row, str | None]]:
    """(task, row, adapter) of each prediction; "closed" after it when the iterator was closed early."""
    calls: list[Any] = []

    def predict_stream(engine: Any, task: Task, row: Row, adapter: AdapterRecord | None) -> Iterator[Prediction]:
        calls.append((task.name, row, adapter.name if adapter else None))
        values = {"backbone": "Tiny", "adapter": adapter and adapter.name, "quantization": "8-bit", "latency_ms": 5.0}
        note = {} if adapter else {"is_guess": True, "note": "This is a guess."}
        try:
            for _ in range(3):
                yield Prediction(row, done=False, **values)
        except GeneratorExit:
            calls.append("closed")
            raise
        yield Prediction({**row, **OUTPUTS[task.name]}, done=True, **values, **note)

    for module in (conversation, talk):
        monkeypatch.setattr(module, "predict_stream", predict_stream)
    return calls


@pytest.fixture
def adapters(pretend_stored: Callable[[list[AdapterRecord]], None]) -> list[AdapterRecord]:
    """What the store has: one adapter of another backbone and one of the loaded one for each task."""
    records = [
        AdapterRecord(name=name, task=task, shape="generate", backbone=backbone)
        for task in OUTPUTS
        for name, backbone in (("foreign", {"id": "other", "checksum": "0"}), ("multilingual", LOADED))
    ]
    pretend_stored(records)
    return records


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def chat_engine() -> FakeEngine:
    """With a backbone that has a chat template."""
    return FakeEngine(has_chat_template=True)
