"""Fine-tuning runs: started as detached processes, found again by their id, never lost without a word."""

import hashlib
import logging
import re
import shutil
import statistics
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from playground import access, settings
from playground.adapters import store
from playground.adapters.record import AdapterRecord, check_name
from playground.errors import AdapterError, DataError, InputError, PlaygroundError
from playground.tasks import get_task
from playground.training import quota, run_store
from playground.training.config import RunConfig
from playground.training.processes import SILENT_AFTER_S, is_alive, last_words, spawn
from playground.training.run_files import (
    ACTIVE,
    CHECKPOINT_FOLDER,
    CONFIG_FILE,
    DATA_FOLDER,
    RESUMABLE,
    VALIDATION_FOLDER,
    RunState,
    Wish,
    beat,
    data_file,
    folder_of,
    forget_wish,
    load_state,
    release_space,
    reserve_space,
    run_folders,
    save_state,
    silence_s,
    write_wish,
)

MIN_FREE_BYTES = 100 * 1024 * 1024
"""Left over after the upload was copied: room for the adapter and what the run writes."""
ADAPTER_BYTES = 16 * settings.MEGABYTE
"""What a run with its checkpoint and adapter takes beside its rows, roughly."""
KEEP_RUNS_S = 30 * 24 * 3600
KEEP_PARTIAL_S = 24 * 3600
"""Far longer than it takes to copy the largest file."""
MAX_RESUMES = 3
"""How often a run that makes no step is resumed without being asked: what kills it would kill it again."""
NUM_RUNS_TO_JUDGE_BY = 20

log = logging.getLogger(__name__)
_starting = threading.Lock()


def start_run(config: RunConfig, data_path: Path) -> str:
    """Copies the rows, starts a worker that outlives this process, and returns the id of the run.

    Args:
        config: what to train; its ``data`` is replaced by the copy of `data_path`, its ``validation`` is copied too.
        data_path: the uploaded file.

    Raises:
        PlaygroundError: task, name, parent or file can't be used, the name is taken, the disk is nearly full, too many
            runs wait already, or the person may not train here.
    """
    access.must_change()
    get_task(config.task)
    check_name(config.name)
    if config.parent:
        config = replace(config, parent_run=str(store.find(config.task, config.parent).training.get("run", "")))
    files = [data_path, *([Path(config.validation)] if config.validation else [])]
    for file in files:
        _check_file(file)
    with _starting:
        _sweep()
        quota.check_queue(active_runs())
        quota.check_disk(sum(file.stat().st_size for file in files) + ADAPTER_BYTES)
        if is_taken(config.task, config.name):
            free = free_name(config.task, config.name)
            raise InputError(
                f"There is already an adapter or a run called '{config.name}'; take '{free}', for example."
            )
        folder = _new_folder(config, data_path)
    spawn(folder)
    return folder.name


def read_run(run_id: str) -> RunState:
    """The run as it really is: one whose worker died without a word is ``interrupted``.

    Raises:
        InputError: there is no such run.
    """
    folder = folder_of(run_id)
    state = load_state(folder)
    if not state.is_active or is_alive(folder, state):
        return state
    # The worker may have ended in good order since the status was read.
    state = load_state(folder)
    return replace(state, state="interrupted", message=last_words(state)) if state.is_active else state


def stop_run(run_id: str, *, keep: bool) -> None:
    """Asks the worker to end: with its adapter as it is now, or with nothing. A run that has ended stays as it is.

    Raises:
        InputError: there is no such run.
        AccessError: the person may not change anything here.
        PlaygroundError: the disk can't be written to.
    """
    access.must_change()
    state = read_run(run_id)
    if state.is_active:
        keeping: Wish = "skip" if state.state == "evaluating" else "keep"
        write_wish(folder_of(run_id), keeping if keep else "discard")


def pause_run(run_id: str) -> None:
    """Asks the worker to leave off, in such a way that `resume_run` goes on. A run that has ended stays as it is.

    Raises:
        InputError: there is no such run.
        AccessError: the person may not change anything here.
        PlaygroundError: the disk can't be written to.
    """
    access.must_change()
    if read_run(run_id).is_active:
        write_wish(folder_of(run_id), "pause")


def resume_run(run_id: str) -> None:
    """Lets a paused, interrupted or failed run go on from its last checkpoint; one that still runs stays as it is.

    Should its name have been given to another adapter meanwhile, it takes a free one.

    Raises:
        InputError: there is no such run, it has come to its end, or its rows are gone.
        PlaygroundError: the process can't be started, too many runs wait already, or the person may not train here.
    """
    access.must_change()
    with _starting:
        state = read_run(run_id)
        if state.is_active:
            return
        if not can_resume(state):
            raise InputError("This run has come to its end; start again to train with the same rows.")
        quota.check_queue(active_runs())
        _wake(state)


def can_resume(state: RunState) -> bool:
    """Whether there is something to go on with; a run that failed before its first checkpoint can only start again."""
    if state.state != "failed":
        return state.state in RESUMABLE
    return state.adapter is not None or any((folder_of(state.run_id) / CHECKPOINT_FOLDER).rglob("*.json"))


def recover_runs() -> list[str]:
    """Resumes the runs whose worker was lost, with this machine perhaps; returns their ids, for this program's own use.

    A run that was resumed `MAX_RESUMES` times without a step is left to the person.
    """
    found = []
    with _starting, access.acting_as(access.OWNER):
        for folder in run_folders(*ACTIVE, "interrupted"):
            with suppress(PlaygroundError):  # a damaged run, or one without rows, keeps no other from going on
                state = read_run(folder.name)
                if state.state == "interrupted" and state.resumes < MAX_RESUMES:
                    _wake(replace(state, resumes=state.resumes + 1))
                    found.append(state.run_id)
    return found


def keep_recovering() -> None:
    """Calls `recover_runs` now, and once more when a worker lost just before must have become conspicuous."""

    def recover() -> None:
        for run_id in recover_runs():
            log.info("Run %s goes on after a break", fingerprint(run_id))

    recover()
    later = threading.Timer(SILENT_AFTER_S + 5, recover)
    later.daemon = True
    later.start()


def expected_wait_s(state: RunState) -> float | None:
    """Seconds until a waiting run begins, judged by the run under way and by how long others took; None: unknown."""
    took = run_store.durations_s("done", NUM_RUNS_TO_JUDGE_BY)
    typical = statistics.median(took) if took else None
    total = 0.0
    for other in active_runs():
        if (other.created, other.run_id) >= (state.created, state.run_id):
            break
        left = typical if other.state == "waiting" else _time_left_s(other, typical)
        if left is None:
            return None
        total += left
    return total


def restart_run(run_id: str) -> str:
    """Starts again with the same rows and settings; returns the new run's id, or this one's while it still runs.

    Raises:
        PlaygroundError: there is no such run, its rows are gone, or what `start_run` raises.
    """
    access.must_change()
    state = read_run(run_id)
    if state.is_active:
        return run_id
    config = replace(state.config, name=free_name(state.config.task, state.config.name))
    return start_run(config, data_file(folder_of(run_id)))


def active_runs() -> list[RunState]:
    """Runs that are trained or wait, in the order of their turns; for this program's own use."""
    found = []
    for folder in run_folders(*ACTIVE):
        with suppress(InputError):  # a damaged run takes nobody's turn
            state = load_state(folder)
            if state.is_active and is_alive(folder, state):
                found.append(state)
    return sorted(found, key=lambda state: (state.created, state.run_id))


def list_runs() -> list[RunState]:
    """The runs that the present person sees, the newest first."""
    person = access.current()
    found = []
    for folder in run_folders() if person.is_owner else _folders_of(person):
        with suppress(InputError):  # a damaged run is no reason to hide the others
            found.append(read_run(folder.name))
    return sorted(found, key=lambda state: state.created, reverse=True)


def _folders_of(person: access.Person) -> list[Path]:
    return [settings.runs() / run_id for run_id in run_store.run_ids_of(person.key)] if person.key else []


def delete_run(run_id: str) -> None:
    """Deletes a run that has ended, with its copy of the rows; its adapter stays.

    Raises:
        InputError: there is no such run, or it is still active.
        AccessError: the person may not change anything here.
    """
    access.must_change()
    if read_run(run_id).is_active:
        raise InputError("This run is still under way; stop it first.")
    shutil.rmtree(folder_of(run_id), ignore_errors=True)
    run_store.delete_run(run_id)


def is_taken(task: str, name: str) -> bool:
    """Whether an adapter or an active run has this name already."""
    roots = (settings.shipped_adapters(), settings.own_adapters())
    in_training = {(state.config.task, state.config.name) for state in active_runs()}
    return (task, name) in in_training or any((root / task / name).exists() for root in roots)


def run_of(adapter: AdapterRecord) -> RunState | None:
    """The run that made `adapter`, if it is still there with its rows."""
    return run_marked(str(adapter.training.get("run", "")))


def run_marked(mark: str) -> RunState | None:
    """The run with that `fingerprint`, if it is still there with its rows."""
    for folder in run_folders() if mark else ():
        if fingerprint(folder.name) == mark:
            try:
                state = load_state(folder)
            except PlaygroundError:
                return None
            return state if Path(state.config.data).is_file() else None
    return None


def free_name(task: str, wanted: str) -> str:
    """`wanted`, or with the first number behind it that makes it free."""
    stem = re.sub(r"-\d+$", "", wanted)[:58]
    names = (wanted, *(f"{stem}-{number}" for number in range(2, 1000)))
    return next((name for name in names if not is_taken(task, name)), wanted)


def _wake(state: RunState) -> None:
    """Starts a worker for a run that has one no more.

    Raises:
        PlaygroundError: its rows are gone, the disk is full, or the process can't be started.
    """
    folder = folder_of(state.run_id)
    data_file(folder)
    config = state.config
    if state.adapter is None and not _is_own_name(state):
        config = replace(config, name=free_name(config.task, config.name))
    now = replace(state, config=config, state="waiting", message="Resuming", pid=None, fraction=None, ended=None)
    try:
        reserve_space(folder)
        if config != state.config:
            config.save(folder / CONFIG_FILE)
        forget_wish(folder)
        beat(folder)
        save_state(now)
    except OSError as err:
        release_space(folder)
        raise PlaygroundError(
            f"The run can't go on ({err.strerror}); free some space on the disk of PLAYGROUND_HOME, then resume it."
        ) from err
    spawn(folder)


def _is_own_name(state: RunState) -> bool:
    """Whether the run may save its adapter under its name, or has done so just before its worker was lost."""
    config = state.config
    return not is_taken(config.task, config.name) or has_saved(config)


def has_saved(config: RunConfig) -> bool:
    """Whether the adapter of this very run is there."""
    try:
        return store.find(config.task, config.name).training.get("run") == config.run
    except AdapterError:
        return False


def _time_left_s(other: RunState, typical_s: float | None) -> float | None:
    """Of a run under way: what its steps will take, or, while it measures, at most what such runs took in all."""
    if other.state == "running" and other.step:
        return other.step["eta_s"]
    return None if typical_s is None or other.began is None else max(typical_s - (time.time() - other.began), 0.0)


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
        path = root / run_id / DATA_FOLDER / copy.name
        final = replace(config, data=str(path), data_name=config.data_name or data_path.name, run=fingerprint(run_id))
        if config.validation:
            own = partial / VALIDATION_FOLDER / _safe_name(Path(config.validation).name)
            own.parent.mkdir(mode=0o700)
            shutil.copyfile(config.validation, own)
            final = replace(final, validation=str(root / run_id / VALIDATION_FOLDER / own.name))
        final.save(partial / CONFIG_FILE)
        reserve_space(partial)
        beat(partial)
        folder = partial.rename(root / run_id)
        owner = access.current().key
        save_state(RunState(run_id, final, "waiting", "Starting", created=time.time(), owner=owner))
        return folder
    except OSError as err:
        shutil.rmtree(root / run_id, ignore_errors=True)  # a folder that no table names would stay for good
        raise PlaygroundError(
            f"The run can't be set up ({err.strerror}); check that the folder PLAYGROUND_HOME may be written and its "
            "disk has space."
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


def fingerprint(run_id: str) -> str:
    """Tells a run's adapter without giving its id away, which is the right to stop it."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:16]


def _safe_name(name: str) -> str:
    """`name` without anything that a path or a command could stumble over; the end with its suffix is kept."""
    return re.sub(r"[^\w.-]+", "_", name)[-100:].lstrip(".") or "rows.txt"


def _sweep() -> None:
    """Deletes runs that ended long ago, and those whose making was cut, with their copies of people's data."""
    for partial in settings.runs().glob(".*.partial"):
        if time.time() - partial.stat().st_mtime > KEEP_PARTIAL_S:
            shutil.rmtree(partial, ignore_errors=True)
    for folder in run_folders():
        if silence_s(folder) > KEEP_RUNS_S:
            shutil.rmtree(folder, ignore_errors=True)
            run_store.delete_run(folder.name)
