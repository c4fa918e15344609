"""What a person does with adapters of their own: other names, copies, and taking away what can be put back."""

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from playground import access, settings
from playground.adapters import store
from playground.adapters.filing import file_as
from playground.adapters.record import LEARNT_FILE, AdapterRecord
from playground.adapters.report import ROWS_FILE
from playground.errors import AccessError, AdapterError

REMOVED_FOLDER = ".removed"
KEPT_FOR_S = 24 * 3600


@dataclass(frozen=True)
class Removed:
    """An adapter that was taken away and can be put back for a day."""

    task: str
    name: str
    path: Path

    @property
    def key(self) -> str:
        return f"{self.task}/{self.name}"


def duplicate(record: AdapterRecord, name: str) -> AdapterRecord:
    """A copy of any adapter among the person's own ones.

    Raises:
        AdapterError: `name` is no valid name or is taken, the adapter is not sound, or the disk is full.
    """
    store.verify(record)
    with store.new_folder(record.task, name) as folder:
        for file_name in (*record.files, ROWS_FILE, LEARNT_FILE, store.UNCHECKED_FILE):
            if (record.path / file_name).is_file():
                shutil.copy(record.path / file_name, folder / file_name)  # with its rights: some are private
        file_as(name, record, folder)
    return store.find(record.task, name)


def rename(record: AdapterRecord, name: str) -> AdapterRecord:
    """The person's own adapter under another name.

    Raises:
        AdapterError: see `duplicate`; also when it is a shipped one.
    """
    store.must_be_own(record)
    with access.acting_as(access.person_of(record.owner)):
        renamed = duplicate(record, name)
    store.remove(record)
    return renamed


def take_away(record: AdapterRecord) -> Removed:
    """Removes one of the person's own adapters; `put_back` undoes it within a day.

    Raises:
        AdapterError: it is a shipped one, or already gone.
        AccessError: it is another person's.
    """
    store.must_be_own(record)
    return _shelve(record.path)


def take_away_broken(folder: Path) -> Removed:
    """Removes one of the folders that ``store.list_broken`` names, so that its name is free again.

    Raises:
        AdapterError: it belongs to the program, or is already gone.
        AccessError: it is another person's.
    """
    title = f"{folder.parent.name}/{folder.name}"
    if not store.is_own_folder(folder):
        raise AdapterError(f"The adapter '{title}' belongs to the program and can't be removed.")
    if not access.current().sees(store.owner_of(folder)):
        raise AccessError(f"The adapter '{title}' is not yours to remove.")
    return _shelve(folder)


def _shelve(folder: Path) -> Removed:
    _sweep()
    removed = Removed(folder.parent.name, folder.name, shelf() / f"{folder.parent.name}+{folder.name}+{uuid4().hex}")
    try:
        shelf().mkdir(exist_ok=True)
        folder.rename(removed.path)
        removed.path.touch()  # the day begins now
    except OSError as err:
        raise AdapterError(f"Adapter '{removed.key}' can't be removed ({err.strerror}).") from err
    return removed


def list_removed() -> list[Removed]:
    """What the present person took away and can put back, the latest first."""
    person, found = access.current(), []
    for path in shelved():
        task, _, rest = path.name.partition("+")
        if person.sees(store.owner_of(path)):
            found.append(Removed(task, rest.rpartition("+")[0], path))
    return found


def shelved() -> list[Path]:
    """Folders of what anybody took away in the last day, the latest first."""
    found = []
    for path in shelf().glob("*+*+*"):
        with suppress(FileNotFoundError):  # another process may delete or put back its own at this moment
            found.append((path.stat().st_mtime, path))
    return [path for removed_s, path in sorted(found, reverse=True) if time.time() - removed_s <= KEPT_FOR_S]


def shelf() -> Path:
    """The folder of what was taken away."""
    return settings.own_adapters() / REMOVED_FOLDER


def forget(folder: Path) -> None:
    """Deletes one of the `shelved` folders for good."""
    with suppress(FileNotFoundError):  # its person may put it back at this moment
        # Renamed first, so that half of it is never put back.
        shutil.rmtree(folder.rename(folder.with_name(uuid4().hex)), ignore_errors=True)


def put_back(removed: Removed) -> AdapterRecord:
    """Undoes `take_away` or `take_away_broken`.

    Raises:
        AdapterError: its name was given to another one, the day is over, or it is as broken as it was.
        AccessError: it is another person's.
    """
    if removed.path.exists() and not access.current().sees(store.owner_of(removed.path)):
        raise AccessError(f"Adapter '{removed.key}' is not yours to put back.")
    store.must_be_free(removed.task, removed.name)
    try:
        removed.path.rename(settings.own_adapters() / removed.task / removed.name)
    except OSError as err:
        raise AdapterError(f"Adapter '{removed.key}' can't be put back; it is gone for good.") from err
    return store.find(removed.task, removed.name)


def _sweep() -> None:
    for path in shelf().glob("*"):
        with suppress(FileNotFoundError):  # another process may do the same at this moment
            if time.time() - path.stat().st_mtime > KEPT_FOR_S:
                shutil.rmtree(path, ignore_errors=True)
