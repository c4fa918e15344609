"""What came from the repository that keeps a copy, put back into the home: each unit is checked and appears at once."""

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from playground import access, settings
from playground.adapters import store
from playground.adapters.filing import file_as
from playground.adapters.record import REPORT_FILE, check_name, read_record
from playground.adapters.report import ROWS_FILE
from playground.adapters.untrusted import is_kind, shown
from playground.errors import AdapterError, InputError
from playground.tasks import get_task
from playground.training.config import RunConfig, load_config
from playground.training.hub_files import ROW_FILE, ROWS_FOLDERS, root_of
from playground.training.options import check
from playground.training.processes import is_alive
from playground.training.run_files import (
    CHECKPOINT_FOLDER,
    CONFIG_FILE,
    DATA_FOLDER,
    VALIDATION_FOLDER,
    RunState,
    as_state,
    load_state,
    save_state,
)

_KINDS: Mapping[str, type] = {
    **dict.fromkeys(("message", "owner", "reloaded"), str),
    **dict.fromkeys(("resumes", "truncated_rows"), int),
    **dict.fromkeys(("step", "material"), dict),
    **dict.fromkeys(("samples", "notes"), list),
    "created": float,
}
_KINDS_IF_KNOWN: Mapping[str, type] = {
    **dict.fromkeys(("fraction", "began", "ended"), float),
    "adapter": str,
    "report": dict,
}
"""What may also be null."""
LOST = "The machine of this run was lost. Nothing else is: it goes on from the last checkpoint that was kept."


def restore(key: str, incoming: Path, changed: float) -> None:
    """Moves the unit `key` from the folder `incoming`, which holds its files, into the home.

    Args:
        changed: when it was last written, in seconds since 1970; its files bear that time again.

    Raises:
        PlaygroundError: it is damaged or not sound, or another one of its name is in use.
        OSError: the disk is full or the files can't be written.
    """
    kind, _, rest = key.partition("/")
    if kind == "runs":
        _restore_run(rest, incoming / key, changed)
    elif kind == "adapters":
        _restore_adapter(incoming / key)
        _set_times(settings.home() / key, changed)
    else:
        target = settings.home() / key
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _set_times(incoming / key, changed)
        (incoming / key).replace(target)


def _restore_run(run_id: str, folder: Path, changed: float) -> None:
    config = _config_of(run_id, folder)
    state = _state_of(run_id, config, folder / ROW_FILE)
    final = root_of("runs") / run_id
    if final.exists():
        _must_be_idle(final)
        shutil.rmtree(final)
    (folder / ROW_FILE).unlink()
    for name in ROWS_FOLDERS:
        if (folder / name).exists():
            (folder / name).chmod(0o700)
    _set_times(folder, changed)
    final.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(final)
    save_state(state)


def _must_be_idle(folder: Path) -> None:
    try:
        state = load_state(folder)
    except InputError:  # what is here is damaged, so nobody works on it
        return
    if state.is_active and is_alive(folder, state):
        raise InputError("it is being trained here at this moment.")


def _config_of(run_id: str, folder: Path) -> RunConfig:
    """What the run was asked to do, with its rows where they are going to be; no path from elsewhere is believed."""
    try:
        config = load_config(folder / CONFIG_FILE)
        check(config, get_task(config.task).shape)
        check_name(config.name)
    except InputError:
        raise
    except (OSError, ValueError, TypeError, AttributeError) as err:
        raise InputError(f"its {CONFIG_FILE} is damaged ({err}).") from err
    rows = {name: [file.name for file in sorted((folder / name).glob("*"))] for name in ROWS_FOLDERS}
    if not rows[DATA_FOLDER]:
        raise InputError("its rows are missing.")
    final = root_of("runs") / run_id
    data = str(final / DATA_FOLDER / rows[DATA_FOLDER][0])
    validation = [str(final / VALIDATION_FOLDER / name) for name in rows[VALIDATION_FOLDER][:1]]
    moved = replace(config, data=data, validation=validation[0] if validation else None)
    _move_checkpoints(folder / CHECKPOINT_FOLDER, config.data, data)
    moved.save(folder / CONFIG_FILE)
    return moved


def _move_checkpoints(folder: Path, before: str, now: str) -> None:
    """A checkpoint names the rows it belongs to, which may have lain in another home."""
    for index in folder.rglob("*.json") if before != now else ():
        try:
            facts = json.loads(index.read_text(encoding="utf-8"))
            if facts["settings"]["data"] == before:
                facts["settings"]["data"] = now
                index.write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")
        except (ValueError, KeyError, TypeError):
            continue  # the worker sees that it is damaged, and begins anew


def _state_of(run_id: str, config: RunConfig, path: Path) -> RunState:
    """The line of the run; one that was under way counts as interrupted, because its worker is not here."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError) as err:
        raise InputError(f"its {ROW_FILE} is damaged ({err}).") from err
    if not isinstance(values, dict):
        raise InputError(f"its {ROW_FILE} is no object.")
    for name, kind in {**_KINDS, **_KINDS_IF_KNOWN}.items():
        value = values.get(name)
        is_null = name in _KINDS_IF_KNOWN and value is None
        if name in values and not is_null and not is_kind(value, kind):
            raise InputError(f"its {ROW_FILE} has {shown(value)} for '{name}'.")
    state = replace(as_state(run_id, config, values), pid=None)
    _person_of(state.owner)
    return replace(state, state="interrupted", message=LOST, fraction=None) if state.is_active else state


def _person_of(key: str) -> access.Person:
    try:
        return access.person_of(key)
    except ValueError as err:
        raise InputError(f"its owner is {shown(key)}, which is no visitor's key.") from err


def _restore_adapter(folder: Path) -> None:
    task, name = folder.parent.name, folder.name
    record = read_record(folder, "own")
    if (record.task, record.name) != (task, name):
        raise AdapterError(f"its record says that it is '{record.task}/{record.name}'.")
    store.verify(record)
    with access.acting_as(access.OWNER):
        older = [one for one in store.list_adapters(task) if one.name == name and one.origin == "own"]
        for one in older:
            store.remove(one)
    with access.acting_as(_person_of(store.owner_of(folder))), store.new_folder(task, name) as target:
        for file in sorted(folder.iterdir()):
            if file.name != REPORT_FILE or REPORT_FILE in record.files:  # else nobody vouches for it
                shutil.copyfile(file, target / file.name)
        if (target / ROWS_FILE).exists():
            (target / ROWS_FILE).chmod(0o600)
        file_as(name, record, target)


def _set_times(place: Path, changed: float) -> None:
    """Files are as old as they were, so that they are deleted when it is time, and not taken for newer ones."""
    for file in (place, *place.rglob("*")):
        if file.is_file():
            os.utime(file, (min(changed, time.time()),) * 2)
