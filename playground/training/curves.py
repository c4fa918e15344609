"""Curves of a run, for TensorBoard (``tensorboard --logdir FOLDER``) and for the services that are configured."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter

from playground.training.config import RunConfig
from playground.training.run_files import READING_TEXTS
from playground.training.services import services

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
PRETRAINING = "pretraining/"
"""What the names of its curves begin with."""

Emit = Callable[[dict[str, Any]], None]


@contextmanager
def curves(folder: Path | None, config: RunConfig, emit: Emit) -> Iterator[Emit]:
    """`emit` that also writes the curves of the run of `config` into `folder`, if there is one, and to the services."""

    def say(message: str) -> None:
        emit({"event": "note", "message": message})

    steps, prefix = 0, ""
    with ExitStack() as stack:
        writer = stack.enter_context(SummaryWriter(str(folder), flush_secs=SECONDS_BETWEEN_WRITES)) if folder else None
        logs = stack.enter_context(services(config, say))

        def note(event: dict[str, Any]) -> None:
            nonlocal steps, prefix
            if event["event"] == "phase":
                prefix = PRETRAINING if event["message"] == READING_TEXTS else ""
            if event["event"] == "step":  # in each part of a training they are counted anew
                steps = event["step"] + event["steps_before"]
            values = {f"{prefix}{name}": value for name, value in values_of(event).items()}
            if writer:
                for name, value in values.items():
                    writer.add_scalar(name, value, steps)
            for log in logs if values else ():
                log(values, steps)
            emit(event)

        yield note


def values_of(event: dict[str, Any]) -> dict[str, float]:
    """What of `event` belongs on curves, by their names."""
    if event["event"] == "step":
        return {curve: event[key] for key, curve in CURVES.items() if key in event}
    if event["event"] != "report":
        return {}
    scores = {who: event["report"].get(who) or {"metrics": {}} for who in ("base", "adapter")}
    return {f"{name}/{who}": value for who in scores for name, value in scores[who]["metrics"].items()}
