"""The process of one run: ``python -m playground.training.worker RUN_ID``.

It waits for its turn, trains and measures, and leaves word of everything in the run's folder; nobody has to watch.
"""

import errno
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from playground import settings
from playground.adapters import store
from playground.errors import Cancelled, InputError, PlaygroundError
from playground.training.run_files import (
    EVENTS_FILE,
    RunState,
    State,
    Wish,
    after,
    beat,
    folder_of,
    load_state,
    read_wish,
    release_space,
    save_state,
    thinned,
)
from playground.training.runs import active_runs

SECONDS_BETWEEN_BEATS = 3.0
SECONDS_BETWEEN_LOOKS = 1.0
"""How often a waiting run looks whether its turn has come, and how often steps go to ``status.json``."""
NICENESS = 10
LOCK_FILE = "training.lock"
CURVES_FOLDER = "tensorboard"

UNEXPECTED = (
    "Something went wrong on our side; the log of the run says more. Your rows and settings are kept: start again."
)
NO_MEMORY = (
    "Memory ran out during training; choose the preset 'quick' or 4-bit, shorten the rows, or close other programs."
)
NO_SPACE = (
    "The disk is full, so the run could not go on; free some space and start again: your rows and settings are kept."
)

log = logging.getLogger(__name__)


class Journal:
    """Writes what happens: every event to ``events.jsonl``, the sum of it to ``status.json``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = replace(load_state(folder), pid=os.getpid())
        self._losses: list[tuple[int, float]] = []
        self._saved_at = 0.0
        save_state(folder, self.state)

    def note(self, event: dict[str, Any]) -> None:
        """Steps reach ``status.json`` once a second, other events at once."""
        with (self.folder / EVENTS_FILE).open("a", encoding="utf-8") as events:
            events.write(json.dumps({"time": round(time.time(), 3), **event}) + "\n")
        self.state = after(self.state, event)
        if event["event"] == "step":
            self._losses.append((int(event["step"]), float(event["loss"])))
        if event["event"] != "step" or time.monotonic() - self._saved_at >= SECONDS_BETWEEN_LOOKS:
            self.save()

    def say(self, state: State, message: str) -> None:
        if (state, message) != (self.state.state, self.state.message):
            self.state = replace(self.state, state=state, message=message, fraction=None)
            self.save()

    def end(self, state: State, message: str) -> None:
        release_space(self.folder)
        self.state = replace(self.state, state=state, message=message, fraction=None)
        self.save()
        log.info("%s: %s", state, message)

    def save(self) -> None:
        self.state = replace(self.state, losses=thinned(self._losses))
        save_state(self.folder, self.state)
        self._saved_at = time.monotonic()


def main(arguments: Sequence[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if len(arguments) != 1:
        log.error("One argument is needed, the id of the run, not %d.", len(arguments))
        return 2
    terminated = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: terminated.set())
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        work(arguments[0], terminated)
    except InputError as err:
        log.error("%s", err)  # noqa: TRY400 - the sentence says it all
        return 2
    return 0


def work(run_id: str, terminated: threading.Event) -> None:
    """Does the run and writes how it ended; `terminated` asks to end soon and keep what there is.

    Raises:
        InputError: there is no such run.
    """
    folder = folder_of(run_id)
    journal = Journal(folder)
    ended = threading.Event()
    threading.Thread(target=_keep_beating, args=(folder, ended), name="heartbeat", daemon=True).start()
    try:
        with _turn(journal, terminated):
            _train(journal, lambda: _wish(journal, terminated))
    except Cancelled as err:
        journal.end("stopped", _farewell(journal, str(err)))
    except Exception as err:  # noqa: BLE001 - the end of the process: whatever happened, the person reads one sentence
        journal.end("failed", _sentence_of(err) + _comfort(journal.state))
    finally:
        ended.set()


def _keep_beating(folder: Path, ended: threading.Event) -> None:
    while not ended.wait(SECONDS_BETWEEN_BEATS):
        beat(folder)


def _turn(journal: Journal, terminated: threading.Event) -> AbstractContextManager[object]:
    """Holds the lock that one run at a time has, until it is left; earlier runs go first.

    Raises:
        Cancelled: the person did not want to wait.
    """
    lock = FileLock(settings.runs() / LOCK_FILE)
    while True:
        ahead = sum(_comes_before(other, journal.state) for other in active_runs())
        if not ahead:
            try:
                return lock.acquire(timeout=0)
            except Timeout:
                ahead = 1
        line = "another run is being trained" if ahead == 1 else f"{ahead} runs are ahead of this one"
        journal.say("waiting", f"Waiting: {line}. This one begins by itself.")
        if _wish(journal, terminated):
            raise Cancelled("The run was stopped before it began; nothing was kept.")
        terminated.wait(SECONDS_BETWEEN_LOOKS)


def _comes_before(other: RunState, mine: RunState) -> bool:
    return (other.created, other.run_id) < (mine.created, mine.run_id)


def _train(journal: Journal, wish: Callable[[], Wish]) -> None:
    # torch takes seconds and memory to import, which runs that only wait need not spend.
    from playground.training.finetune import finetune
    from playground.training.tensorboard import curves

    def emit(event: dict[str, Any]) -> None:
        journal.note(event)
        if wish() == "discard":
            raise Cancelled("The run was stopped and nothing was kept.")

    def stop_wish() -> Any:
        asked = wish()
        if asked != "skip":
            return asked
        # Skipping the measuring is, for the one who measures, the same as throwing away; the adapter stays.
        return "discard" if journal.state.state == "evaluating" else "keep"

    with curves(journal.folder / CURVES_FOLDER, emit) as note:
        finetune(journal.state.config, note, stop_wish)
    _say_done(journal, was_stopped=bool(wish()))


def _say_done(journal: Journal, *, was_stopped: bool) -> None:
    state = journal.state
    if was_stopped and state.step:
        done = f"Stopped after step {state.step['step']:.0f} of {state.step['steps']:.0f}"
        journal.end("stopped", f"{done}; the adapter '{state.adapter}' is saved and measured.")
    else:
        journal.end("done", f"The adapter '{state.adapter}' is saved, measured and in every picker.")


def _wish(journal: Journal, terminated: threading.Event) -> Wish:
    asked = read_wish(journal.folder)
    return "skip" if terminated.is_set() and asked != "discard" else asked


def _farewell(journal: Journal, message: str) -> str:
    """Throws the adapter away if that was the wish, and says what there is now."""
    adapter = journal.state.adapter
    if adapter is None:
        return message
    if read_wish(journal.folder) == "discard":
        store.remove(store.find(journal.state.config.task, adapter))
        journal.state = replace(journal.state, adapter=None, report=None)
        return "The run was stopped and its adapter was thrown away."
    return f"The measuring was skipped; the adapter '{adapter}' is saved and in every picker."


def _comfort(state: RunState) -> str:
    return f" The adapter '{state.adapter}' is saved and can be used." if state.adapter else ""


def _sentence_of(err: Exception) -> str:
    """What the person reads; the rest goes to the log, because it may hold paths and data."""
    if isinstance(err, PlaygroundError):
        return str(err)
    log.error("The run failed", exc_info=err)
    if isinstance(err, OSError) and err.errno in (errno.ENOSPC, errno.EDQUOT):
        return NO_SPACE
    # torch raises errors of its own when memory runs out, and on the CPU a bare RuntimeError.
    is_memory = isinstance(err, MemoryError) or type(err).__name__ == "OutOfMemoryError"
    if is_memory or (isinstance(err, RuntimeError) and "allocate memory" in str(err)):
        return NO_MEMORY
    return UNEXPECTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
