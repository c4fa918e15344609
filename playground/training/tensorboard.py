"""Events of a run as TensorBoard reads them: ``tensorboard --logdir FOLDER``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

SECONDS_BETWEEN_WRITES = 10
CURVES = {
    "loss": "loss/training",
    "validation_loss": "loss/validation",
    "learning_rate": "learning_rate",
    "gradient_norm": "gradient_norm",
    "tokens_per_s": "tokens_per_s",
    "memory_mb": "memory_mb",
}
"""What of a step becomes a curve, and its name there."""


@contextmanager
def curves(folder: Path, emit: Callable[[dict[str, Any]], None]) -> Iterator[Callable[[dict[str, Any]], None]]:
    """`emit` that also writes the curves of a run into `folder`."""
    with SummaryWriter(str(folder), flush_secs=SECONDS_BETWEEN_WRITES) as writer:

        def note(event: dict[str, Any]) -> None:
            _write(writer, event)
            emit(event)

        yield note


def _write(writer: SummaryWriter, event: dict[str, Any]) -> None:
    if event["event"] == "step":
        for key, curve in CURVES.items():
            if key in event:
                writer.add_scalar(curve, event[key], int(event["step"]))
    elif event["event"] == "report":
        for who in ("base", "adapter"):
            scores = event["report"].get(who) or {"metrics": {}}
            for name, value in scores["metrics"].items():
                writer.add_scalar(f"{name}/{who}", value, 0)
    elif event["event"] == "note":
        writer.add_text("notes", event["message"])
