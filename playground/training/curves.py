"""Curves of a run, for TensorBoard (``tensorboard --logdir FOLDER``) and for the services that are configured."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.summary import scalar

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
NO_MORE_CURVES = "The file for TensorBoard ends here, because it can't be written ({reason}); the training goes on."

Emit = Callable[[dict[str, Any]], None]
log = logging.getLogger(__name__)


class CurveFile:
    """A file for TensorBoard, which ends when it can't be written to: no run is lost over its curves.

    The library's own writer does its work in a thread, after whose end, on a full disk, whoever writes waits forever.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._events: EventsWriter | None = EventsWriter(str(folder / "events"))
        self._flushed_at = time.monotonic()

    def add(self, values: Mapping[str, float], step: int) -> None:
        """Adds a point to each of the curves in `values`.

        Raises:
            OSError: it can't be written; later calls do nothing.
        """
        if self._events is None:
            return
        try:
            for name, value in values.items():
                self._events.write_event(Event(wall_time=time.time(), step=step, summary=scalar(name, value)))
            if time.monotonic() - self._flushed_at >= SECONDS_BETWEEN_WRITES:
                self._events.flush()
                self._flushed_at = time.monotonic()
        except OSError:
            self._events = None
            raise

    def close(self) -> None:
        if self._events is not None:
            try:
                self._events.close()
            except OSError as err:
                log.warning("The end of the curves could not be written: %s", err)


@contextmanager
def curves(folder: Path | None, config: RunConfig, emit: Emit) -> Iterator[Emit]:
    """`emit` that also writes the curves of the run of `config` into `folder`, if there is one, and to the services."""

    def say(message: str) -> None:
        emit({"event": "note", "message": message})

    steps, prefix = 0, ""
    with ExitStack() as stack:
        file = CurveFile(folder) if folder else None
        if file:
            stack.callback(file.close)
        logs = stack.enter_context(services(config, say))

        def note(event: dict[str, Any]) -> None:
            nonlocal steps, prefix
            if event["event"] == "phase":
                prefix = PRETRAINING if event["message"] == READING_TEXTS else ""
            if event["event"] == "step":  # in each part of a training they are counted anew
                steps = int(event["step"] + event["steps_before"])
            values = {f"{prefix}{name}": value for name, value in values_of(event).items()}
            if file and values:
                try:
                    file.add(values, steps)
                except OSError as err:
                    say(NO_MORE_CURVES.format(reason=err.strerror))
            for service in logs if values else ():
                service(values, steps)
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
