"""The adapters on disk: shipped ones in the repository, people's own ones under ``PLAYGROUND_HOME``."""

import errno
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from safetensors import SafetensorError

from playground import access, settings
from playground.adapters.peft_format import MAX_ADAPTER_BYTES, read_layout
from playground.adapters.record import WEIGHTS_FILE, AdapterRecord, Origin, check_name, read_record
from playground.adapters.untrusted import MAX_JSON_BYTES, read_limited
from playground.errors import AccessError, AdapterError

PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"})
NO_ADAPTER = "none"
"""What stands for the base alone where a name is asked for."""
ORIGINS: tuple[Origin, ...] = ("shipped", "own")
"""In the order in which adapters are looked for."""
PARTIAL_SUFFIX = ".partial"
OWNER_FILE = "owner.json"
"""Beside an adapter, where a visitor made it; neither hashed nor exported."""
UNCHECKED_FILE = "unchecked"
"""Beside an adapter that came from elsewhere, until it was loaded in a fresh process; neither hashed nor exported."""
STALE_AFTER_S = 24 * 3600


def list_adapters(task: str | None = None) -> list[AdapterRecord]:
    """Usable adapters that the present person sees, of one task or all: shipped ones by name, then own ones, the newest
    first.
    """
    return [*_records("shipped", task), *_records("own", task)]


def _records(origin: Origin, task: str | None) -> list[AdapterRecord]:
    """Those of one origin, in the order of `list_adapters`."""
    found = [record for _, record in _read(origin, _folders(origin, task)) if isinstance(record, AdapterRecord)]
    return found if origin == "shipped" else sorted(found, key=lambda record: record.created, reverse=True)


def list_broken() -> list[tuple[Path, str]]:
    """Folders among the person's adapters that can't be used, each with the reason."""
    found = [entry for origin in ORIGINS for entry in _read(origin, _folders(origin))]
    return [(folder, reason) for folder, reason in found if isinstance(reason, str)]


def find(task: str, name: str) -> AdapterRecord:
    """The adapter called `name`; a shipped one hides an own one of the same name.

    Raises:
        AdapterError: there is none, or its folder is broken; the message gives the reason or near names.
    """
    found = [_look_up(origin, task, name) for origin in ORIGINS]
    for record in found:
        if isinstance(record, AdapterRecord):
            return record
    for reason in found:
        if reason:
            raise AdapterError(reason)
    names = [record.name for record in list_adapters(task)]
    near = get_close_matches(str(name), names, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names) or 'none yet'}."
    raise AdapterError(f"There is no adapter '{name}' for the task '{task}'; {hint}")


def adapters_for(tasks: Sequence[str]) -> list[AdapterRecord]:
    """Adapters of any of `tasks`, the shipped ones first."""
    found = [record for task in tasks for record in list_adapters(task)]
    return sorted(found, key=lambda record: record.origin != "shipped")


def choose(tasks: Sequence[str], name: str | None, backbone_id: str | None = None) -> AdapterRecord | None:
    """The adapter called `name` of any of `tasks`; None is the default of the first one, ``none`` no adapter.

    Raises:
        AdapterError: there is none of that name.
    """
    if name is None:
        return default_adapter(tasks[0], backbone_id)
    if name == NO_ADAPTER:
        return None
    found = (_look_up(origin, task, name) for origin in ORIGINS for task in tasks)
    return next((record for record in found if isinstance(record, AdapterRecord)), None) or find(tasks[0], name)


def default_adapter(task: str, backbone_id: str | None = None) -> AdapterRecord | None:
    """The one chosen when nobody chose: the first shipped one made for that backbone, else the person's own newest one.

    Args:
        backbone_id: None is the backbone that the app loads.
    """
    wanted = backbone_id or settings.backbone_id()
    mine = access.current().key
    # One after the other: where a shipped one will do, people's own ones, which may be many, are not read.
    records = (record for origin in ORIGINS for record in _records(origin, task))
    theirs = (record for record in records if record.origin == "shipped" or record.owner == mine)
    return next((record for record in theirs if record.backbone["id"] == wanted), None)


def verify(record: AdapterRecord) -> None:
    """Checks that the files are those that were recorded and hold nothing but plain LoRA with the right head.

    Raises:
        AdapterError: a file is changed, missing, too large, a link or a pickle; the weights are not plain LoRA or lack
            the head. The message names adapter and file.
    """
    _refuse_dangerous_files(record)
    for name in record.files:
        read_verified(record, name)
    read_layout(record)


def read_verified(record: AdapterRecord, name: str) -> bytes:
    """Content of one of the recorded files.

    Raises:
        AdapterError: it is missing, too large or not the one that was recorded.
    """
    limit_bytes = MAX_ADAPTER_BYTES if name == WEIGHTS_FILE else MAX_JSON_BYTES
    data = read_limited(record.path / name, limit_bytes, record.title)
    if sha256(data).hexdigest() != record.files[name]:
        raise AdapterError(
            f"{record.title}: {name} was changed or damaged since it was saved (its SHA-256 is another one); "
            "import or train the adapter again."
        )
    return data


def remove(record: AdapterRecord) -> None:
    """Deletes one of the person's own adapters.

    Raises:
        AdapterError: it is a shipped one, or already gone.
        AccessError: it is another person's.
    """
    must_be_own(record)
    # Renamed first, so that no reader ever sees half an adapter.
    doomed = _partial_path(record.path)
    try:
        record.path.rename(doomed)
        shutil.rmtree(doomed)
    except OSError as err:
        raise AdapterError(f"{record.title} can't be removed ({err.strerror}).") from err


def is_own_folder(folder: Path) -> bool:
    """Whether an adapter's folder, sound or broken, is among those that people made, not the program's."""
    return folder.parent.parent == settings.own_adapters()


def must_be_own(record: AdapterRecord) -> None:
    """Raises AdapterError for a shipped adapter, AccessError for another person's."""
    if not access.current().sees(record.owner):
        raise AccessError(f"{record.title} is not yours to change.")
    if record.origin != "own" or not is_own_folder(record.path):
        raise AdapterError(f"{record.title} belongs to the program and can't be removed or renamed.")


@contextmanager
def new_folder(task: str, name: str) -> Iterator[Path]:
    """An empty folder to fill, which becomes the person's own adapter `name` when the block ends.

    By then it must hold the complete adapter, ``playground.json`` included; it is verified and appears under its name
    in one step. When anything fails, a full disk for example, nothing is left behind.

    Raises:
        AdapterError: name or task is no valid name, the name is taken, the disk is full, or what was written is no
            sound adapter.
    """
    check_name(task, "adapter's task")
    check_name(name)
    final = settings.own_adapters() / task / name
    must_be_free(task, name)
    partial = _partial_path(final)
    try:
        partial.mkdir(parents=True)
        _sweep(final.parent)
        yield partial
        _write_owner(partial)
        verify(_read_filed(partial, "own", task, name))
        must_be_free(task, name)
        partial.rename(final)
    except (OSError, SafetensorError) as err:
        raise _cannot_save(task, name, err) from err
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def mark_unchecked(folder: Path) -> None:
    """Notes that the adapter in `folder` came from elsewhere and was not loaded yet."""
    (folder / UNCHECKED_FILE).touch()


def mark_checked(record: AdapterRecord) -> None:
    (record.path / UNCHECKED_FILE).unlink(missing_ok=True)


def is_unchecked(record: AdapterRecord) -> bool:
    """Whether the check that follows each import has not ended: it is under way, or was broken off."""
    return (record.path / UNCHECKED_FILE).exists()


def owner_of(folder: Path) -> str:
    """Key of the visitor whose adapter lies in `folder`; empty: the owner of the app, also of a damaged mark."""
    try:
        found = json.loads(read_limited(folder / OWNER_FILE, MAX_JSON_BYTES, folder.name))
        key = found["owner"]
        return access.Person(key).key if key else ""
    except (AdapterError, ValueError, KeyError, TypeError):
        return ""


def _write_owner(folder: Path) -> None:
    key = access.current().key
    if key:
        (folder / OWNER_FILE).write_text(json.dumps({"owner": key}), encoding="ascii")


def _root(origin: Origin) -> Path:
    return settings.shipped_adapters() if origin == "shipped" else settings.own_adapters()


def _folders(origin: Origin, task: str | None = None) -> list[Path]:
    tasks = [folder for folder in sorted(_root(origin).glob("[!.]*")) if task in (None, folder.name)]
    return [folder for of_task in tasks for folder in sorted(of_task.glob("[!.]*"))]


def _look_up(origin: Origin, task: str, name: str) -> AdapterRecord | str | None:
    """The adapter of that name, or the reason why it can't be used; the others, which may be many, are not read."""
    try:
        folder = _root(origin) / check_name(task) / check_name(name)
    except AdapterError:
        return None
    return next((found for _, found in _read(origin, [folder])), None)


def _read(origin: Origin, folders: Iterable[Path]) -> Iterator[tuple[Path, AdapterRecord | str]]:
    """Those of `folders` that are there for the present person, with their record or the reason why they have none."""
    person = access.current()
    for folder in folders:
        task, name = folder.parent.name, folder.name
        if not folder.is_dir() or not (origin == "shipped" or person.sees(owner_of(folder))):
            continue
        try:
            yield folder, _read_filed(folder, origin, task, name)
        except AdapterError as err:
            yield folder, str(err)


def _read_filed(folder: Path, origin: Origin, task: str, name: str) -> AdapterRecord:
    record = replace(read_record(folder, origin), owner=owner_of(folder))
    if (record.task, record.name) != (task, name):
        raise AdapterError(
            f"The folder {task}/{name} holds the adapter '{record.task}/{record.name}'; rename the folder to that."
        )
    for file_name in record.files:
        if not (folder / file_name).is_file():
            raise AdapterError(f"{record.title} has no file {file_name}; import the adapter again.")
    return record


def _refuse_dangerous_files(record: AdapterRecord) -> None:
    for path in sorted(record.path.rglob("*")):
        name = path.relative_to(record.path).as_posix()
        if path.is_symlink():
            raise AdapterError(f"{record.title}: {name} is a link; adapters may only hold plain files.")
        if path.suffix.lower() in PICKLE_SUFFIXES:
            raise AdapterError(
                f"{record.title}: {name} may be in pickle format, which can run programs when opened; "
                "only safetensors files can be used. Remove it or convert it."
            )


def name_for(task: str, name: str) -> str:
    """`name`, with a number behind it where an adapter that the present person does not see has it already."""
    names = (name, *(f"{name[:58]}-{number}" for number in range(2, 1000)))
    return next((one for one in names if not (_root("own") / task / one).exists() or _is_seen(task, one)), name)


def _is_seen(task: str, name: str) -> bool:
    try:
        find(task, name)
    except AdapterError:
        return False
    return True


def must_be_free(task: str, name: str) -> None:
    """Raises AdapterError when there is already an adapter of that name."""
    if any((_root(origin) / task / name).exists() for origin in ("shipped", "own")):
        raise _taken(task, name)


def _taken(task: str, name: str) -> AdapterError:
    return AdapterError(f"There is already an adapter '{task}/{name}'; choose another name or remove it first.")


def _partial_path(final: Path) -> Path:
    return final.parent / f".{final.name}-{uuid4().hex}{PARTIAL_SUFFIX}"


def _sweep(folder: Path) -> None:
    """Deletes what killed processes left half-written long ago."""
    for leftover in folder.glob(f".*{PARTIAL_SUFFIX}"):
        with suppress(FileNotFoundError):  # another process may finish its own at this moment
            if time.time() - leftover.stat().st_mtime > STALE_AFTER_S:
                shutil.rmtree(leftover, ignore_errors=True)


def _cannot_save(task: str, name: str, err: OSError | SafetensorError) -> AdapterError:
    if isinstance(err, OSError) and err.errno in (errno.ENOTEMPTY, errno.EEXIST):
        return _taken(task, name)
    reason = err.strerror if isinstance(err, OSError) else str(err)
    return AdapterError(
        f"Adapter '{task}/{name}' can't be saved ({reason}); "
        "check that the folder PLAYGROUND_HOME may be written and its disk has space."
    )
