"""The processes that work on runs: how they are started, whether they live, and how they died."""

import errno
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

from playground.engine import zerogpu
from playground.errors import PlaygroundError
from playground.training.run_files import LOG_FILE, RunState, load_state, save_state, silence_s

SILENT_AFTER_S = 60.0
"""Without a sign of life for this long, a worker counts as lost; it gives one every few seconds."""

_children: dict[str, "subprocess.Popen[bytes]"] = {}
"""Workers that this process started, for their exit codes; others are judged by pid and heartbeat."""


def spawn(folder: Path) -> None:
    try:
        with (folder / LOG_FILE).open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "playground.training.worker", folder.name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=zerogpu.environment_of_child(),
            )
    except OSError as err:
        message = f"The training process could not be started ({err.strerror}); try again later."
        save_state(replace(load_state(folder), state="failed", message=message))
        raise PlaygroundError(message) from err
    _children[folder.name] = child
    # Waiting for a child is what removes it from the table of processes once it has ended.
    threading.Thread(target=child.wait, name=f"reaper of {child.pid}", daemon=True).start()


def is_alive(folder: Path, state: RunState) -> bool:
    child = _child_of(state)
    if child is not None and child.poll() is not None:
        return False
    if child is None and state.pid is not None and not _has_process(state.pid):
        return False
    return silence_s(folder) < SILENT_AFTER_S


def _child_of(state: RunState) -> "subprocess.Popen[bytes] | None":
    """The run's worker, if this process started it: another one, such as a second server, may have resumed the run."""
    child = _children.get(state.run_id)
    return child if child is not None and state.pid in (None, child.pid) else None


def _has_process(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # there, signal 0 would end the process; the heartbeat decides alone
    try:
        os.kill(pid, 0)
    except OSError as err:
        return err.errno != errno.ESRCH
    return True


def last_words(state: RunState) -> str:
    child = _child_of(state)
    killed = child is not None and child.returncode == -signal.SIGKILL.value
    why = "was killed, perhaps because memory ran out" if killed else "ended without a word"
    if state.adapter:
        return (
            f"The training process {why} while measuring; the adapter '{state.adapter}' is saved and can be used. "
            "Resume to measure it."
        )
    done = f"After step {state.step['step']:.0f} of {state.step['steps']:.0f} the" if state.step else "The"
    return f"{done} training process {why}. Nothing is lost: resume to go on from the last checkpoint."
