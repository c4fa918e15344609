"""Fine-tuning runs: started as detached processes, found again by their id, never lost without a word."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from playground import settings
from playground.adapters.record import check_name
from playground.engine import zerogpu
from playground.errors import BusyError, DataError, InputError, PlaygroundError
from playground.tasks import get_task
from playground.training.config import RunConfig
from playground.training.run_files import (
    CONFIG_FILE,
    DATA_FOLDER,
    LOG_FILE,
    VALIDATION_FOLDER,
    RunState,
    Wish,
    beat,
    data_file,
    folder_of,
    load_state,
    reserve_space,
    run_folders,
    save_state,
    silence_s,
    write_wish,
)

__all__ = ["RunState", "active_runs", "free_name", "is_taken", "read_run", "restart_run", "start_run", "stop_run"]

SILENT_AFTER_S = 60.0
"""Without a sign of life for this long, a worker counts as lost; it gives one every few seconds."""
MIN_FREE_BYTES = 100 * 1024 * 1024
"""Left over after the upload was copied: room for the adapter and what the run writes."""
MAX_ACTIVE_RUNS = 8
KEEP_RUNS_S = 30 * 24 * 3600
PACKAGE_PARENT = Path(__file__).resolve().parents[2]

_starting = threading.Lock()
_children: dict[str, "subprocess.Popen[bytes]"] = {}
"""Workers that this process started, for their exit codes; others are judged by pid and heartbeat."""


def start_run(config: RunConfig, data_path: Path) -> str:
    """Copies the rows, starts a worker that outlives this process, and returns the id of the run.

    Args:
        config: what to train; its ``data`` is replaced by the copy of `data_path`, its ``validation`` is copied too.
        data_path: the uploaded file.

    Raises:
        PlaygroundError: task, name or file can't be used, the name is taken, the disk is nearly full, or too many runs
            wait already.
    """
    get_task(config.task)
    check_name(config.name)
    _check_file(data_path)
    if config.validation:
        _check_file(Path(config.validation))
    with _starting:
        _sweep()
        if len(active_runs()) >= MAX_ACTIVE_RUNS:
            raise BusyError(f"{MAX_ACTIVE_RUNS} runs are being trained or waiting already; try again later.")
        if is_taken(config.task, config.name):
            free = free_name(config.task, config.name)
            raise InputError(
                f"There is already an adapter or a run called '{config.name}'; take '{free}', for example."
            )
        folder = _new_folder(config, data_path)
    _spawn(folder)
    return folder.name


def read_run(run_id: str) -> RunState:
    """The run as it really is: one whose worker died without a word is ``interrupted``.

    Raises:
        InputError: there is no such run.
    """
    folder = folder_of(run_id)
    state = load_state(folder)
    if not state.is_active or _is_alive(folder, state):
        return state
    # The worker may have ended in good order since the status was read.
    state = load_state(folder)
    return replace(state, state="interrupted", message=_last_words(state)) if state.is_active else state


def stop_run(run_id: str, *, keep: bool) -> None:
    """Asks the worker to end: with its adapter as it is now, or with nothing. A run that has ended stays as it is.

    Raises:
        InputError: there is no such run.
    """
    state = read_run(run_id)
    if state.is_active:
        keeping: Wish = "skip" if state.state == "evaluating" else "keep"
        write_wish(folder_of(run_id), keeping if keep else "discard")


def restart_run(run_id: str) -> str:
    """Starts again with the same rows and settings; returns the new run's id, or this one's while it still runs.

    Raises:
        PlaygroundError: there is no such run, its rows are gone, or what `start_run` raises.
    """
    state = read_run(run_id)
    if state.is_active:
        return run_id
    config = replace(state.config, name=free_name(state.config.task, state.config.name))
    return start_run(config, data_file(folder_of(run_id)))


def active_runs() -> list[RunState]:
    """Runs that are trained or wait, in the order of their turns; for this program's own use."""
    found = []
    for folder in run_folders():
        with suppress(InputError):  # a damaged run takes nobody's turn
            state = load_state(folder)
            if state.is_active and _is_alive(folder, state):
                found.append(state)
    return sorted(found, key=lambda state: (state.created, state.run_id))


def is_taken(task: str, name: str) -> bool:
    """Whether an adapter or an active run has this name already."""
    roots = (settings.shipped_adapters(), settings.own_adapters())
    in_training = {(state.config.task, state.config.name) for state in active_runs()}
    return (task, name) in in_training or any((root / task / name).exists() for root in roots)


def free_name(task: str, wanted: str) -> str:
    """`wanted`, or with the first number behind it that makes it free."""
    stem = re.sub(r"-\d+$", "", wanted)[:58]
    names = (wanted, *(f"{stem}-{number}" for number in range(2, 1000)))
    return next((name for name in names if not is_taken(task, name)), wanted)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"There is no file '{path.name}'; upload it again.")
    if path.stat().st_size > settings.MAX_UPLOAD_BYTES:
        limit = settings.MAX_UPLOAD_BYTES // 2**20
        raise DataError(f"{path.name} has {path.stat().st_size / 2**20:.0f} MB; the limit is {limit} MB.")


def _new_folder(config: RunConfig, data_path: Path) -> Path:
    """The complete folder of a new run, which appears in one step."""
    root = settings.runs()
    run_id = uuid4().hex
    partial = root / f".{run_id}.partial"
    try:
        root.mkdir(parents=True, exist_ok=True)
        files = [data_path, *([Path(config.validation)] if config.validation else [])]
        _check_space(root, sum(file.stat().st_size for file in files))
        copy = partial / DATA_FOLDER / _safe_name(data_path.name)
        copy.parent.mkdir(parents=True, mode=0o700)
        shutil.copyfile(data_path, copy)
        final = replace(config, data=str(root / run_id / DATA_FOLDER / copy.name), data_name=copy.name)
        if config.validation:
            own = partial / VALIDATION_FOLDER / _safe_name(Path(config.validation).name)
            own.parent.mkdir(mode=0o700)
            shutil.copyfile(config.validation, own)
            final = replace(final, validation=str(root / run_id / VALIDATION_FOLDER / own.name))
        final.save(partial / CONFIG_FILE)
        save_state(partial, RunState(run_id, final, "waiting", "Starting", created=time.time()))
        reserve_space(partial)
        beat(partial)
        return partial.rename(root / run_id)
    except OSError as err:
        raise PlaygroundError(
            f"The run can't be set up in {root} ({err.strerror}); check that this folder may be written and its disk "
            "has space."
        ) from err
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_space(root: Path, size_bytes: int) -> None:
    free = shutil.disk_usage(root).free
    if free < size_bytes + MIN_FREE_BYTES:
        needed = (size_bytes + MIN_FREE_BYTES) / 2**20
        raise PlaygroundError(
            f"The disk of {root} has {free / 2**20:.0f} MB left, but a run needs {needed:.0f} MB; free some space, or "
            "choose another disk with PLAYGROUND_HOME."
        )


def _safe_name(name: str) -> str:
    """`name` without anything that a path or a command could stumble over; the end with its suffix is kept."""
    return re.sub(r"[^\w.-]+", "_", name)[-100:].lstrip(".") or "rows.txt"


def _spawn(folder: Path) -> None:
    try:
        with (folder / LOG_FILE).open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "playground.training.worker", folder.name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=_environment(),
            )
    except OSError as err:
        message = f"The training process could not be started ({err.strerror}); try again later."
        save_state(folder, replace(load_state(folder), state="failed", message=message))
        raise PlaygroundError(message) from err
    _children[folder.name] = child
    # Waiting for a child is what removes it from the table of processes once it has ended.
    threading.Thread(target=child.wait, name=f"reaper of {child.pid}", daemon=True).start()


def _environment() -> dict[str, str]:
    """Of the worker. A ZeroGPU Space lends its GPU to the app's process alone, so the worker must not count on it."""
    paths = [str(PACKAGE_PARENT), *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {name: value for name, value in os.environ.items() if name != zerogpu.VARIABLE}
    return kept | {"PYTHONPATH": os.pathsep.join(paths)}


def _is_alive(folder: Path, state: RunState) -> bool:
    child = _children.get(state.run_id)
    if child is not None and child.poll() is not None:
        return False
    if child is None and state.pid is not None and not _has_process(state.pid):
        return False
    return silence_s(folder) < SILENT_AFTER_S


def _has_process(pid: int) -> bool:
    if sys.platform == "win32":
        return True  # there, signal 0 would end the process; the heartbeat decides alone
    try:
        os.kill(pid, 0)
    except OSError as err:
        return err.errno != errno.ESRCH
    return True


def _last_words(state: RunState) -> str:
    child = _children.get(state.run_id)
    killed = child is not None and child.returncode == -signal.SIGKILL.value
    why = "was killed, perhaps because memory ran out" if killed else "ended without a word"
    if state.adapter:
        return f"The training process {why} while measuring; the adapter '{state.adapter}' is saved and can be used."
    done = f" after step {state.step['step']:.0f} of {state.step['steps']:.0f}" if state.step else ""
    return (
        f"The training process {why}{done}. Your rows and settings are kept; start again to train with the same ones."
    )


def _sweep() -> None:
    """Deletes runs that ended long ago, with their copies of people's data."""
    for folder in run_folders():
        if silence_s(folder) > KEEP_RUNS_S:
            shutil.rmtree(folder, ignore_errors=True)
            _children.pop(folder.name, None)
