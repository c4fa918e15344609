"""The table of all runs: SQLite in write-ahead mode, so that the page reads while workers write.

A write is whole or not there at all, whenever a process or the machine dies. Each call opens the file for itself: a
connection must not be carried from one process or thread into another.
"""

import errno
import json
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from playground import settings
from playground.errors import is_full

DATABASE_FILE = "runs.sqlite3"
PATIENCE_S = 30.0
"""How long a write waits for the writes of others."""
FULL_BYTES = 256 * 1024
"""Where no more than this can be written, SQLite's errors come from that, whatever they are called."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY,
    created REAL NOT NULL,
    state TEXT NOT NULL,
    duration_s REAL,
    status TEXT NOT NULL,
    owner TEXT NOT NULL DEFAULT ''
)
"""
REPLACE = "INSERT OR REPLACE INTO runs (run_id, created, state, duration_s, status, owner) VALUES (?, ?, ?, ?, ?, ?)"
ADD_OWNER = "ALTER TABLE runs ADD COLUMN owner TEXT NOT NULL DEFAULT ''"
"""For tables of earlier versions, whose runs belong to the owner of the app."""


def write_status(
    run_id: str, created: float, state: str, duration_s: float | None, status: dict[str, Any], owner: str = ""
) -> None:
    """Adds or replaces one run; `owner` is a `playground.access.Person.key`.

    Raises:
        OSError: the disk is full or the file can't be written.
    """
    values = (run_id, created, state, duration_s, json.dumps(status), owner)
    with _table() as table:
        table.execute(REPLACE, values)


def read_status(run_id: str) -> dict[str, Any] | None:
    """What was last written about a run; None: there is no such run.

    Raises:
        ValueError: it is damaged.
    """
    found = _select("SELECT status FROM runs WHERE run_id = ?", run_id)
    status: dict[str, Any] | None = json.loads(found[0][0]) if found else None
    return status


def statuses() -> dict[str, str]:
    """What was last written about each run, as JSON, by its id."""
    return dict(_select("SELECT run_id, status FROM runs"))


def run_ids(*states: str) -> list[str]:
    """Runs in one of the `states`, or all, in the order in which they were created."""
    chosen = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
    rows = _select(f"SELECT run_id FROM runs {chosen} ORDER BY created, run_id", *states)  # noqa: S608 - only marks
    return [run_id for (run_id,) in rows]


def owner_of(run_id: str) -> str | None:
    """The key of the one who started a run; None: there is no such run."""
    found = _select("SELECT owner FROM runs WHERE run_id = ?", run_id)
    return str(found[0][0]) if found else None


def run_ids_of(owner: str) -> list[str]:
    """Runs of one person, in the order in which they were created."""
    rows = _select("SELECT run_id FROM runs WHERE owner = ? ORDER BY created, run_id", owner)
    return [run_id for (run_id,) in rows]


def durations_s(state: str, most: int) -> list[float]:
    """How long the newest runs took that ended as `state`."""
    query = "SELECT duration_s FROM runs WHERE state = ? AND duration_s IS NOT NULL ORDER BY created DESC LIMIT ?"
    return [duration for (duration,) in _select(query, state, most)]


def delete_run(run_id: str) -> None:
    with _table() as table:
        table.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))


def _select(query: str, *values: Any) -> list[Any]:
    """Rows of the answer; looking makes no file where there is none.

    On a full disk there is no space for the files that SQLite puts beside the table to read it; then it is read as it
    lies there, which may leave out the last writes of a process that was killed.
    """
    if not _path().exists():
        return []
    try:
        with _table() as table:
            return table.execute(query, values).fetchall()
    except OSError as err:
        if not is_full(err):
            raise
        return _select_as_it_lies(query, values, err)


def _select_as_it_lies(query: str, values: Sequence[Any], trouble: OSError) -> list[Any]:
    try:
        with closing(sqlite3.connect(f"{_path().as_uri()}?immutable=1", uri=True)) as table:
            return table.execute(query, values).fetchall()
    except sqlite3.DatabaseError as err:
        raise trouble from err


def _path() -> Path:
    return settings.runs() / DATABASE_FILE


def _migrate(connection: sqlite3.Connection) -> None:
    columns = {row[1] for row in connection.execute("PRAGMA table_info(runs)")}
    if "owner" in columns:
        return
    try:
        connection.execute(ADD_OWNER)
    except sqlite3.OperationalError as err:
        if "duplicate column" not in str(err):  # another process was faster
            raise


def _has_space(folder: Path) -> bool:
    """Whether one may still write there; where a share of the disk is used up, its free space says nothing."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * FULL_BYTES)
            file.flush()
    except OSError as err:
        return not is_full(err)
    return True


@contextmanager
def _table() -> Iterator[sqlite3.Connection]:
    """The table, made if need be; what is written inside is kept when it is left without an error."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = None
    try:
        connection = sqlite3.connect(path, timeout=PATIENCE_S)
        # Where a disk does not know shared memory, SQLite itself stays with its older journal, which is as safe.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(SCHEMA)
        _migrate(connection)
        with connection:
            yield connection
    except sqlite3.DatabaseError as err:
        has_space = "full" not in str(err) and _has_space(path.parent)
        raise OSError(errno.EIO if has_space else errno.ENOSPC, f"The table of runs can't be used: {err}") from err
    finally:
        if connection is not None:
            connection.close()
