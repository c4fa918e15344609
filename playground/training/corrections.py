"""Answers that a person corrected, as rows to learn from: a JSON Lines file for each person and task."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

from playground import settings
from playground.adapters.record import replace_file
from playground.data.rows import validate_rows
from playground.errors import InputError, PlaygroundError
from playground.tasks import Task, get_task
from playground.types import Row

MOST_ROWS = 5_000
"""Of one person and task."""
OWN_FOLDER = "owner"
ADAPTER = "adapter"
"""Field of a kept row: the name of the adapter that was corrected."""
LOCK_PATIENCE_S = 10.0


def folder_of(owner: str) -> Path:
    """Where the corrections of a person lie.

    Args:
        owner: the visitor's key; empty for the owner of the app.
    """
    return settings.corrections() / (owner or OWN_FOLDER)


def file_of(owner: str, task: str) -> Path:
    return folder_of(owner) / f"corrections-{get_task(task).name}.jsonl"


def rows_of(owner: str, task: str) -> list[Row]:
    """In the order in which they were made; a line that is damaged is left out."""
    path = file_of(owner, task)
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        rows += [row] if isinstance(row, dict) else []
    return rows


def keep(owner: str, task: str, row: Row, adapter: str = "") -> int:
    """Adds the row, in place of an earlier one with the same input, and returns how many there are.

    Args:
        adapter: whose answer it corrects; empty for the bare backbone's.

    Raises:
        InputError: it can't be learnt from; the message says why.
        PlaygroundError: there are too many, or the disk is full.
    """
    found = get_task(task)
    checked, rejected = validate_rows(found.name, [(1, row)])
    if rejected:
        raise InputError(f"This can't be learnt from: {rejected[0].reason}")

    def with_new(before: list[Row]) -> list[Row]:
        rows = [other for other in before if _input(found, other) != _input(found, checked[0])]
        return [*rows, checked[0] | ({ADAPTER: adapter} if adapter else {})]

    return _change(owner, found, with_new)


def learnable(rows: Sequence[Row]) -> list[Row]:
    """The rows without what only this module needs."""
    return [{name: value for name, value in row.items() if name != ADAPTER} for row in rows]


def corrected_last(owner: str, task: str) -> str:
    """Name of the adapter whose answer was the last to be corrected; empty where that is not known."""
    rows = rows_of(owner, task)
    return str(rows[-1].get(ADAPTER, "")) if rows else ""


def key_of(row: Row) -> str:
    """What a correction is called among those of its task."""
    return sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:16]


def withdraw(owner: str, task: str, key: str) -> Row:
    """Deletes the correction of that key and returns it.

    Raises:
        InputError: it is gone already.
        PlaygroundError: the disk is full.
    """
    found: list[Row] = []

    def without(before: list[Row]) -> list[Row]:
        found[:] = [row for row in before if key_of(row) == key]
        if not found:
            raise InputError("This correction is gone already; choose another one.")
        return [row for row in before if key_of(row) != key]

    _change(owner, get_task(task), without)
    return found[0]


def forget(owner: str, task: str) -> list[Row]:
    """Deletes the corrections of a person for `task` and returns them.

    Raises:
        PlaygroundError: the file can't be deleted.
    """
    path = file_of(owner, task)
    with _only_writer(path):
        rows = rows_of(owner, task)
        path.unlink(missing_ok=True)
    return rows


def put_back(owner: str, task: str, gone: Sequence[Row]) -> int:
    """Adds what was deleted again, but for what has been corrected anew meanwhile; returns how many there are then.

    Raises:
        PlaygroundError: there are too many, or the disk is full.
    """
    found = get_task(task)

    def with_gone(before: list[Row]) -> list[Row]:
        anew = {_input(found, row) for row in before}
        return [*(row for row in gone if _input(found, row) not in anew), *before]

    return _change(owner, found, with_gone)


def _input(task: Task, row: Row) -> str:
    return json.dumps([row.get(field.name) for field in task.inputs])


def _change(owner: str, task: Task, changed: Callable[[list[Row]], list[Row]]) -> int:
    """Writes what `changed` makes of the corrections; returns how many they are then.

    Raises:
        PlaygroundError: they are too many, or the disk is full.
    """
    path = file_of(owner, task.name)
    with _only_writer(path):
        rows = changed(rows_of(owner, task.name))
        if len(rows) > MOST_ROWS:
            raise PlaygroundError(
                f"There are {MOST_ROWS:,} corrections for {task.title} already; train on them, then delete them."
            )
        lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
        replace_file(path, lines.encode("utf-8", errors="replace"))
    return len(rows)


@contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    """Nobody else changes the corrections in `path` meanwhile. An OSError inside becomes a PlaygroundError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(path.with_suffix(".lock"), timeout=LOCK_PATIENCE_S):
            yield
    except Timeout as err:
        raise PlaygroundError("The corrections are being written by somebody else; try again.") from err
    except OSError as err:
        raise PlaygroundError(f"The corrections could not be written ({err.strerror}); free some space.") from err
