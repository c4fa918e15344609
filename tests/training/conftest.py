"""Rows to train on, and runs whose worker is not started."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.training import runs
from playground.training.config import RunConfig, make_config


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """40 rows with two labels of one's own."""
    rows = (f"splendid lamp number {i},buy again\nbroken lamp number {i},send back\n" for i in range(20))
    path = tmp_path / "My reviews.csv"
    path.write_text("text,label\n" + "".join(rows), encoding="utf-8")
    return path


@pytest.fixture
def make_run_config(tiny_backbone_folder: Path, reviews: Path) -> Callable[..., RunConfig]:
    """``make_run_config(name="lamps", **changes)``: a short run on the tiny backbone."""

    def make(name: str = "lamps", task: str = "classify", **changes: Any) -> RunConfig:
        given = {"epochs": 2.0, "evaluation_rows": 8, "max_length": 32, "learning_curve": False, "data": reviews}
        given["backbone"] = str(tiny_backbone_folder)
        return make_config(name=name, task=task, preset="quick", **given | changes)

    return make


@pytest.fixture
def unborn_workers(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """No worker is started; lists the folders of the runs that would have got one."""
    folders: list[Path] = []
    monkeypatch.setattr(runs, "spawn", folders.append)
    return folders


@pytest.fixture
def full_precision(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Backbone and passes in fp32, also where the processor has bfloat16, to compare figures."""
    from accelerate.state import AcceleratorState

    from playground.training import passes, trainee

    for module in (passes, trainee):
        monkeypatch.setattr(module, "fast_bfloat16", lambda: False)
    AcceleratorState._reset_state()  # a process decides once on its number format
    yield
    AcceleratorState._reset_state()
