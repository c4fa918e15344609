"""What a run's worker leaves behind and everybody else reads: its line in the table of runs, and its folder.

``config.json``, ``data/<uploaded file>``, ``validation/<the person's own rows to measure on>``, ``checkpoint/``,
``events.jsonl`` (every event, only ever appended), ``heartbeat`` (its time of change), ``stop`` (what the person
wishes), ``worker.lock`` (held while a worker lives), ``log.txt``.
"""

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from playground import access, settings
from playground.errors import InputError, PlaygroundError, is_full
from playground.training import run_store
from playground.training.config import RunConfig, load_config

State = Literal["waiting", "running", "evaluating", "done", "stopped", "paused", "failed", "interrupted"]
Wish = Literal["", "keep", "skip", "pause", "discard"]
"""Nothing; end the training and keep the adapter; also skip the measuring; leave off, to go on later; throw everything
away."""

ACTIVE: tuple[State, ...] = ("waiting", "running", "evaluating")
RESUMABLE: tuple[State, ...] = ("paused", "interrupted", "failed")
CONFIG_FILE, DATA_FOLDER, LOG_FILE, EVENTS_FILE = "config.json", "data", "log.txt", "events.jsonl"
CHECKPOINT_FOLDER, WORKER_LOCK = "checkpoint", "worker.lock"
VALIDATION_FOLDER = "validation"
RESERVE_BYTES = 128 * 1024
"""Given free at the end, so that a full disk can't keep a run from saying that the disk was full."""
BLOCK_BYTES = 4096
"""Of a disk; the least that a file with something in it takes."""
NUM_LOSSES = 500
TRAINING, READING_TEXTS = "Training", "Reading the bare texts"
"""Messages of the phase ``training``: of the task, and of continued pretraining before it."""

_HEARTBEAT_FILE, _STOP_FILE, _RESERVE_FILE = "heartbeat", "stop", "reserve"
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class RunState:
    """How far a run is; all but ``run_id`` and ``config`` is in the table of runs."""

    run_id: str
    config: RunConfig
    state: State
    message: str
    """One sentence for the person."""
    created: float
    """Seconds since 1970; runs take turns in this order."""
    owner: str = ""
    """`playground.access.Person.key` of the one who started it; empty: the owner of the app."""
    fraction: float | None = None
    """Part of the present phase that is done, 0 to 1; None: not known."""
    pid: int | None = None
    resumes: int = 0
    """How often the app resumed it by itself since its last step."""
    began: float | None = None
    """When a worker first began to work on it, in seconds since 1970."""
    ended: float | None = None
    step: dict[str, float] = field(default_factory=dict)
    """The latest `playground.training.loop.Step`; empty before the first."""
    losses: list[tuple[int, float]] = field(default_factory=list)
    """(step, loss) pairs, at most `NUM_LOSSES`; each the mean of some neighbouring steps in a long run."""
    checks: list[tuple[int, float]] = field(default_factory=list)
    """(step, loss on the rows held back), where some are."""
    samples: list[dict[str, Any]] = field(default_factory=list)
    """Answers to a few rows held out, the earliest first: ``step`` and ``rows`` of the events ``samples``."""
    notes: list[str] = field(default_factory=list)
    """A sentence each about what did not go as planned."""
    material: dict[str, Any] = field(default_factory=dict)
    """``training_rows``, ``held_out_rows``, ``rejected``, ``num_rejected``, ``notes``, ``labels``, ``direction``
    (the commonest languages of a translation, from and to) and ``stops_early`` (whether rows are held back to watch the
    loss on), once known."""
    truncated_rows: int = 0
    adapter: str | None = None
    """Name of the adapter, as soon as it is saved."""
    reloaded: str = ""
    """What came of loading the saved adapter again in a fresh process."""
    report: dict[str, Any] | None = None
    """Base against adapter, see `playground.evaluation.report`; None until it was measured."""

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def has_usable_adapter(self) -> bool:
        """Whether its adapter is saved and came back as the same; it may be measured still."""
        return self.adapter is not None and (self.state == "evaluating" or not self.is_active)

    @property
    def duration_s(self) -> float | None:
        """From the first step of work to the end, pauses included; None while there is no end."""
        return self.ended - self.began if self.ended and self.began else None


_NOT_IN_STATUS = {"run_id", "config"}
_DAMAGED = "The record of this run is damaged or of another version; start a new one."
_STATUS_KEYS = {f.name for f in fields(RunState)} - _NOT_IN_STATUS


def folder_of(run_id: str) -> Path:
    """The folder of a run. Who knows the id of a run of their own may see and stop it.

    Raises:
        InputError: it is no id, or there is no such run (any more) that the present person sees.
    """
    if not isinstance(run_id, str) or not _ID.fullmatch(run_id):
        raise InputError("This is not the address of a run; open the link that the Fine-tune tab showed.")
    folder = settings.runs() / run_id
    if not (folder / CONFIG_FILE).is_file() or not _is_seen(run_id):
        raise InputError("There is no run at this address any more; start a new one.")
    return folder


def _is_seen(run_id: str) -> bool:
    person = access.current()
    if person.is_owner:
        return True
    owner = run_store.owner_of(run_id)
    return owner is not None and person.sees(owner)


def run_folders(*states: State) -> list[Path]:
    """The folders of the runs whose last word was one of `states`, or of all, for this program's own use."""
    folders = [settings.runs() / run_id for run_id in run_store.run_ids(*states)]
    return [folder for folder in folders if folder.is_dir()]


def load_state(folder: Path) -> RunState:
    """The last word of the worker, whether or not it still lives.

    Raises:
        InputError: it is gone, damaged, or of a version that is too different.
    """
    try:
        values = run_store.read_status(folder.name)
    except (OSError, ValueError) as err:
        raise InputError(_DAMAGED) from err
    if values is None:
        raise InputError("There is no run at this address any more; start a new one.")
    try:
        config = load_config(folder / CONFIG_FILE)
    except (OSError, ValueError, TypeError, AttributeError) as err:
        raise InputError(_DAMAGED) from err
    return as_state(folder.name, config, values)


def as_state(run_id: str, config: RunConfig, values: Mapping[str, Any]) -> RunState:
    """The state of a run out of what the table of runs says about it.

    Raises:
        InputError: that is damaged, or of a version that is too different.
    """
    try:
        known = {key: value for key, value in values.items() if key in _STATUS_KEYS}
        for curve in ("losses", "checks"):
            known[curve] = [(int(step), float(loss)) for step, loss in known.get(curve, [])]
        state = RunState(run_id=run_id, config=config, **known)
    except (ValueError, TypeError, AttributeError) as err:
        raise InputError(_DAMAGED) from err
    if state.state not in get_args(State):
        raise InputError(f"The run's state is '{state.state}', which this version does not know; start a new one.")
    return state


def save_state(state: RunState) -> None:
    """Puts all of it into the table of runs, or, when the process dies over it, nothing.

    Raises:
        OSError: the disk is full.
    """
    values = {key: value for key, value in asdict(state).items() if key not in _NOT_IN_STATUS}
    run_store.write_status(state.run_id, state.created, state.state, state.duration_s, values, state.owner)


def reserve_space(folder: Path) -> None:
    (folder / _RESERVE_FILE).write_bytes(b"\0" * RESERVE_BYTES)


def release_space(folder: Path) -> None:
    (folder / _RESERVE_FILE).unlink(missing_ok=True)


def beat(folder: Path) -> None:
    """Says that the worker lives; changing a file's time needs no space on the disk."""
    (folder / _HEARTBEAT_FILE).touch()


def silence_s(folder: Path) -> float:
    """Seconds since the last sign of life."""
    marks = [path for path in (folder / _HEARTBEAT_FILE, folder / CONFIG_FILE) if path.exists()]
    return time.time() - max((path.stat().st_mtime for path in marks), default=0.0)


def write_wish(folder: Path, wish: Wish) -> None:
    """Tells the worker; on a full disk, the space for it comes from the run's reserve.

    Raises:
        PlaygroundError: it can't be written.
    """
    partial = folder / f".{_STOP_FILE}.{os.getpid()}"
    try:
        try:
            partial.write_text(wish, encoding="ascii")
        except OSError as err:
            if not is_full(err):
                raise
            _lend_space(folder)
            partial.write_text(wish, encoding="ascii")
        partial.replace(folder / _STOP_FILE)
    except OSError as err:
        raise PlaygroundError(
            f"The run can't be told, because nothing can be written beside it ({err.strerror}); free some space on its "
            "disk, then try again."
        ) from err
    finally:
        partial.unlink(missing_ok=True)


def _lend_space(folder: Path) -> None:
    """Gives one block of the reserve free."""
    reserve = folder / _RESERVE_FILE
    if reserve.exists():
        os.truncate(reserve, max(reserve.stat().st_size - BLOCK_BYTES, 0))


def forget_wish(folder: Path) -> None:
    (folder / _STOP_FILE).unlink(missing_ok=True)


def read_wish(folder: Path) -> Wish:
    path = folder / _STOP_FILE
    wish = path.read_text(encoding="ascii") if path.exists() else ""
    return next((known for known in get_args(Wish) if known == wish), "")


def data_file(folder: Path) -> Path:
    """The uploaded file.

    Raises:
        InputError: it is gone.
    """
    found = sorted((folder / DATA_FOLDER).glob("*"))
    if not found:
        raise InputError("The rows of this run are not there any more; upload the file again.")
    return found[0]


def after(state: RunState, event: dict[str, Any]) -> RunState:
    """`state` with what one event of `playground.training.finetune` tells; losses are kept elsewhere."""
    kind = event["event"]
    if kind == "phase":
        now: State = "evaluating" if event["phase"] == "evaluating" else "running"
        return replace(state, state=now, message=event["message"], fraction=event.get("fraction"))
    if kind == "material":
        return replace(state, material={key: value for key, value in event.items() if key != "event"})
    if kind == "features":
        return replace(state, truncated_rows=event["truncated_rows"])
    if kind == "step":
        step = {key: value for key, value in event.items() if key != "event"}
        if "validation_loss" in step:
            earlier = [point for point in state.checks if point[0] < step["step"]]
            state = replace(state, checks=[*earlier, (int(step["step"]), float(step["validation_loss"]))])
        return replace(state, step=step, resumes=0, fraction=min(step["step"] / max(step["steps"], 1), 1.0))
    if kind == "samples":
        before = [sample for sample in state.samples if sample["step"] < event["step"]]
        return replace(state, samples=[*before, {"step": event["step"], "rows": event["rows"]}])
    if kind == "note" and event["message"] not in state.notes:
        return replace(state, notes=[*state.notes, event["message"]])
    if kind == "saved":
        return replace(state, adapter=event["adapter"])
    if kind == "reloaded":
        # One that came back as something else is nothing to try.
        return replace(state, reloaded=event["message"], adapter=state.adapter if event["same"] else None)
    if kind == "evaluated":
        whose = "the adapter" if event["of"] == "adapter" else "the base without an adapter"
        message = f"Measuring {whose}: {event['rows']} of {event['all']} rows"
        return replace(state, message=message, fraction=event["rows"] / max(event["all"], 1))
    if kind == "report":
        return replace(state, report=event["report"])
    return state


def thinned(points: Sequence[tuple[int, float]], limit: int = NUM_LOSSES) -> list[tuple[int, float]]:
    """At most `limit` points: each the mean of equally many neighbours, at the step of the last of them."""
    size = -(-len(points) // limit) or 1
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [(part[-1][0], round(sum(loss for _, loss in part) / len(part), 4)) for part in parts]
