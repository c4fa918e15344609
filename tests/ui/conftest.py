"""A loader, an engine and adapters that need no weights."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground.adapters.record import AdapterRecord
from playground.engine.predict import Prediction
from playground.engine.startup import LoadStatus
from playground.errors import NotReadyError
from playground.types import Row


class FakeTokenizer:
    """Words for tokens, and each word its number."""

    cls_token_id = bos_token_id = eos_token_id = None
    all_special_ids = ()

    def __call__(self, texts: str | list[str], **_: Any) -> dict[str, Any]:
        if not isinstance(texts, str):
            return {"input_ids": [text.split() for text in texts]}
        words = list(re.finditer(r"\S+", texts))
        return {"input_ids": list(range(len(words))), "offset_mapping": [word.span() for word in words]}

    def decode(self, ids: list[int]) -> str:
        return str(ids[0])


class FakeLoader:
    """Ready at once unless told otherwise."""

    def __init__(self, status: LoadStatus) -> None:
        self.current = status
        self.backbone = SimpleNamespace(
            id="tiny", title="Tiny <1M>", quantization="8-bit", family="decoder", can_generate=True, can_encode=True,
            tokenizer=FakeTokenizer(),
        )  # fmt: skip

    def status(self) -> LoadStatus:
        return self.current

    def engine(self) -> Any:
        if self.current.state != "ready":
            raise NotReadyError(f"The backbone is still being prepared ({self.current.fraction:.0%}).")
        return SimpleNamespace(backbone=self.backbone)


@pytest.fixture
def loader() -> FakeLoader:
    return FakeLoader(LoadStatus("ready", 1.0, "Ready"))


@pytest.fixture
def predicted() -> Callable[..., Prediction]:
    """Makes a finished prediction; keyword arguments change it."""

    def make(row: Row, **changes: Any) -> Prediction:
        values = {
            "done": True,
            "backbone": "Tiny <1M>",
            "adapter": "multilingual",
            "quantization": "8-bit",
            "latency_ms": 12.3,
            "is_guess": False,
            "note": "",
            "error": None,
        }
        return Prediction(row=row, **(values | changes))

    return make


@pytest.fixture
def adapters(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pretend_stored: Callable[[list[AdapterRecord]], None]
) -> list[AdapterRecord]:
    """The adapters that the store has, all for the app's backbone; a test may add some and remove some."""
    monkeypatch.setenv("PLAYGROUND_BACKBONE", "tiny")
    records: list[AdapterRecord] = []
    for task, name, origin in (("sentiment", "multilingual", "shipped"), ("classify", "reviews", "own")):
        folder = tmp_path / task / name
        folder.mkdir(parents=True)
        (folder / "adapter_model.safetensors").write_bytes(b"0" * 2_500_000)
        records.append(
            AdapterRecord(
                name=name,
                task=task,
                shape="classify",
                backbone={"id": "tiny", "checksum": "0"},
                labels=("good", "bad"),
                path=folder,
                origin=origin,
            )
        )

    pretend_stored(records)
    return records
