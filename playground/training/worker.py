"""The process of one run: ``python -m playground.training.worker RUN_ID``.

It waits for its turn, trains and measures, and leaves word of everything in the run's folder; nobody has to watch.
"""

import json
import logging
import math
import os
import shutil
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

from playground import access, settings
from playground.adapters import store
from playground.errors import Cancelled, DamagedCheckpoint, InputError, Paused, PlaygroundError, is_full
from playground.training.overtime import Overtime
from playground.training.run_files import (
    CHECKPOINT_FOLDER,
    EVENTS_FILE,
    WORKER_LOCK,
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
from playground.training.runs import active_runs, expected_wait_s, has_saved

SECONDS_BETWEEN_BEATS = 3.0
SECONDS_BETWEEN_LOOKS = 1.0
"""How often a waiting run looks whether its turn has come, and how often steps go to the table of runs."""
NICENESS = 10
LOCK_FILE = "training.lock"
CURVES_FOLDER = "tensorboard"

UNEXPECTED = (
    "Something went wrong on our side; the log of the run says more. Your rows, settings and the last checkpoint are "
    "kept: resume, or start again."
)
NO_MEMORY = (
    "Memory ran out during training; close other programs and resume, or start again with the preset 'quick', 4-bit or "
    "shorter rows."
)
NO_SPACE = (
    "The disk is full, so the run could not go on; free some space and resume: your rows and the last checkpoint are "
    "kept."
)

log = logging.getLogger(__name__)


class Journal:
    """Writes what happens: every event to ``events.jsonl``, the sum of it to the table of runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = replace(load_state(folder), pid=os.getpid())
        self._losses = list(self.state.losses)
        self._saved_at = 0.0
        save_state(self.state)

    def note(self, event: dict[str, Any]) -> None:
        """Steps reach the table once a second, other events at once."""
        with (self.folder / EVENTS_FILE).open("a", encoding="utf-8") as events:
            events.write(json.dumps({"time": round(time.time(), 3), **event}) + "\n")
        self.state = after(self.state, event)
        if event["event"] == "step":
            # A resumed run takes the steps after its checkpoint again.
            self._losses = [point for point in self._losses if point[0] < event["step"]]
            self._losses.append((int(event["step"]), float(event["loss"])))
        if event["event"] != "step" or time.monotonic() - self._saved_at >= SECONDS_BETWEEN_LOOKS:
            self.save()

    def say(self, state: State, message: str) -> None:
        if (state, message) != (self.state.state, self.state.message):
            self.state = replace(self.state, state=state, message=message, fraction=None)
            self.save()

    def begin(self) -> None:
        self.state = replace(self.state, began=self.state.began or time.time())
        self.say("running", "Starting")

    def end(self, state: State, message: str) -> None:
        release_space(self.folder)
        self.state = replace(self.state, state=state, message=message, fraction=None, ended=time.time())
        self.save()
        log.info("%s: %s", state, message)

    def save(self) -> None:
        self.state = replace(self.state, losses=thinned(self._losses))
        save_state(self.state)
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
    try:
        with FileLock(folder / WORKER_LOCK, timeout=0):
            journal = Journal(folder)
            with access.acting_as(access.person_of(journal.state.owner)):
                _work(journal, terminated)
    except Timeout:
        log.info("Another process is at work on this run.")


def _work(journal: Journal, terminated: threading.Event) -> None:
    folder = journal.folder
    ended = threading.Event()
    threading.Thread(target=_keep_beating, args=(folder, ended), name="heartbeat", daemon=True).start()
    try:
        with _turn(journal, terminated):
            journal.begin()
            overtime = Overtime(journal.state, journal.note)
            _train(journal, lambda: _wish(journal, terminated) or overtime.wish(journal.state))
    except Paused:
        _leave_off(journal, terminated)
    except Cancelled as err:
        if _wish(journal, terminated) == "pause":
            _leave_off(journal, terminated)
        else:
            journal.end("stopped", _farewell(journal, str(err)))
    except Exception as err:  # noqa: BLE001 - the end of the process: whatever happened, the person reads one sentence
        _break_off(journal, _sentence_of(err), terminated)
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
        journal.say("waiting", f"Waiting: {line}. This one begins by itself{_when(journal.state)}.")
        wish = _wish(journal, terminated)
        if wish == "pause":
            raise Paused("It had not begun yet.")
        if wish:
            raise Cancelled("The run was stopped while it waited; nothing was kept.")
        terminated.wait(SECONDS_BETWEEN_LOOKS)


def _comes_before(other: RunState, mine: RunState) -> bool:
    return (other.created, other.run_id) < (mine.created, mine.run_id)


def _train(journal: Journal, wish: Callable[[], Wish]) -> None:
    # torch takes seconds and memory to import, which runs that only wait need not spend.
    from playground.training.checkpoint import remove
    from playground.training.curves import curves
    from playground.training.finetune import finetune, measure_saved

    def emit(event: dict[str, Any]) -> None:
        journal.note(event)
        if wish() == "discard":
            raise Cancelled("The run was stopped and nothing was kept.")

    def stop_wish() -> Any:
        asked = wish()
        # The one who measures knows one way to leave off only; the adapter stays.
        leaves_off = asked in ("skip", "pause") and journal.state.state == "evaluating"
        return "discard" if leaves_off else "keep" if asked == "skip" else asked

    config, checkpoint = journal.state.config, journal.folder / CHECKPOINT_FOLDER
    if has_saved(config):
        journal.note({"event": "saved", "adapter": config.name, "task": config.task})
        measure_saved(config, store.find(config.task, config.name), emit, stop_wish, checkpoint)
        _say_done(journal, was_stopped=wish() in ("keep", "skip"))
        return
    with curves(journal.folder / CURVES_FOLDER, config, emit) as note:
        try:
            finetune(config, note, stop_wish, checkpoint)
        except DamagedCheckpoint as err:
            log.warning("%s", err)
            remove(checkpoint)
            finetune(config, note, stop_wish, checkpoint)
    _say_done(journal, was_stopped=wish() in ("keep", "skip"))


def _say_done(journal: Journal, *, was_stopped: bool) -> None:
    state = journal.state
    if was_stopped and state.step:
        done = f"Stopped after step {state.step['step']:.0f} of {state.step['steps']:.0f}"
        journal.end("stopped", f"{done}; the adapter '{state.adapter}' is saved and measured.")
    else:
        journal.end("done", f"The adapter '{state.adapter}' is saved, measured and in every picker.")


def _wish(journal: Journal, terminated: threading.Event) -> Wish:
    """What the person wants; a process that is told to end, as when the machine shuts down, leaves off."""
    asked = read_wish(journal.folder)
    return "pause" if terminated.is_set() and asked == "" else asked


def _break_off(journal: Journal, sentence: str, terminated: threading.Event) -> None:
    """Says why the run can't go on; a full disk is no reason to keep what the person throws away."""
    if _wish(journal, terminated) == "discard":
        journal.end("stopped", _farewell(journal, "The run was stopped and nothing was kept."))
        return
    # What the machine lacks now it may have later: such a run can go on, from its start if need be.
    state: State = "interrupted" if sentence in (NO_SPACE, NO_MEMORY) else "failed"
    journal.end(state, sentence + _comfort(journal.state))


def _leave_off(journal: Journal, terminated: threading.Event) -> None:
    """Paused by the person, who resumes it; or interrupted from outside, which the next start of the app makes good."""
    if terminated.is_set():
        journal.end("interrupted", "The training process was told to end. Nothing is lost: resume to go on.")
    elif journal.state.adapter:
        journal.end("paused", f"Paused while measuring; the adapter '{journal.state.adapter}' can be used already.")
    else:
        step = journal.state.step
        done = f"after step {step['step']:.0f} of {step['steps']:.0f}" if step else "before it began"
        journal.end("paused", f"Paused {done}; resume it whenever you like.")


def _when(state: RunState) -> str:
    wait_s = expected_wait_s(state)
    return "" if wait_s is None else f", in about {max(math.ceil(wait_s / 60), 1)} min"


def _farewell(journal: Journal, message: str) -> str:
    """Throws away what there is if that was the wish, and says what is left."""
    adapter = journal.state.adapter
    if adapter is None:
        shutil.rmtree(journal.folder / CHECKPOINT_FOLDER, ignore_errors=True)
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
    if is_full(err):
        return NO_SPACE
    # torch raises errors of its own when memory runs out, and on the CPU a bare RuntimeError.
    is_memory = isinstance(err, MemoryError) or type(err).__name__ == "OutOfMemoryError"
    if is_memory or (isinstance(err, RuntimeError) and "allocate memory" in str(err)):
        return NO_MEMORY
    return UNEXPECTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
