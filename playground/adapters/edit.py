"""What a person does with adapters of their own: other names, copies, and taking away what can be put back."""

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from playground import access, settings
from playground.adapters import store
from playground.adapters.card import card
from playground.adapters.record import CARD_FILE, REPORT_FILE, AdapterRecord, hash_files, write_record
from playground.adapters.report import ROWS_FILE, save_page
from playground.errors import AccessError, AdapterError

REMOVED_FOLDER = ".removed"
KEPT_FOR_S = 24 * 3600


@dataclass(frozen=True)
class Removed:
    """An adapter that was taken away and can be put back for a day."""

    task: str
    name: str
    path: Path


def duplicate(record: AdapterRecord, name: str) -> AdapterRecord:
    """A copy of any adapter among the person's own ones.

    Raises:
        AdapterError: `name` is no valid name or is taken, the adapter is not sound, or the disk is full.
    """
    store.verify(record)
    with store.new_folder(record.task, name) as folder:
        for file_name in (*record.files, ROWS_FILE):
            if (record.path / file_name).is_file():
                shutil.copy(record.path / file_name, folder / file_name)  # with its rights: the rows are private
        renamed = replace(record, name=name, origin="own")
        (folder / CARD_FILE).write_text(card(renamed), encoding="utf-8")
        renamed = replace(renamed, files=hash_files(folder, record.files))
        write_record(renamed, folder)
        if REPORT_FILE in record.files:
            save_page(renamed, folder)
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
    """
    store.must_be_own(record)
    shelf = settings.own_adapters() / REMOVED_FOLDER
    _sweep(shelf)
    kept = shelf / uuid4().hex
    try:
        shelf.mkdir(exist_ok=True)
        record.path.rename(kept)
        kept.touch()  # the day begins now
    except OSError as err:
        raise AdapterError(f"{record.title} can't be removed from {record.path} ({err.strerror}).") from err
    return Removed(record.task, record.name, kept)


def put_back(removed: Removed) -> AdapterRecord:
    """Undoes `take_away`.

    Raises:
        AdapterError: its name was given to another one, or the day is over.
        AccessError: it is another person's.
    """
    if removed.path.exists() and not access.current().sees(store.owner_of(removed.path)):
        raise AccessError(f"Adapter '{removed.task}/{removed.name}' is not yours to put back.")
    store.must_be_free(removed.task, removed.name)
    try:
        removed.path.rename(settings.own_adapters() / removed.task / removed.name)
    except OSError as err:
        raise AdapterError(f"Adapter '{removed.task}/{removed.name}' can't be put back; it is gone for good.") from err
    return store.find(removed.task, removed.name)


def _sweep(shelf: Path) -> None:
    for path in shelf.glob("*"):
        with suppress(FileNotFoundError):  # another process may do the same at this moment
            if time.time() - path.stat().st_mtime > KEPT_FOR_S:
                shutil.rmtree(path, ignore_errors=True)
