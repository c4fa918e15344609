"""Adapters as one zip file: out to other machines and in from them."""

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from uuid import uuid4

from playground import settings
from playground.adapters.filing import file_as
from playground.adapters.peft_format import MAX_ADAPTER_BYTES
from playground.adapters.record import (
    CARD_FILE,
    CONFIG_FILE,
    RECORD_FILE,
    REPORT_FILE,
    WEIGHTS_FILE,
    AdapterRecord,
    check_name,
    parse_record,
    shareable,
)
from playground.adapters.report import PAGE_FILE, page_of
from playground.adapters.store import PICKLE_SUFFIXES, find, mark_unchecked, name_for, new_folder, verify
from playground.adapters.untrusted import MAX_JSON_BYTES, shown
from playground.backbones.catalogue import EMBEDDED_ID, EMBEDDED_SHA256
from playground.errors import AdapterError

MAX_ENTRIES = 64
BLOCK_BYTES = 1 << 20
_EARLIEST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LIMITS_BYTES = {
    CONFIG_FILE: MAX_JSON_BYTES,
    WEIGHTS_FILE: MAX_ADAPTER_BYTES,
    RECORD_FILE: MAX_JSON_BYTES,
    CARD_FILE: MAX_JSON_BYTES,
    REPORT_FILE: MAX_JSON_BYTES,
}
"""The files of an adapter, and how large each may be."""


def export_zip(record: AdapterRecord, destination: Path) -> Path:
    """Writes the verified adapter to `destination`, a ``.zip`` path or a folder, and says where it is.

    The same adapter always gives the same bytes. A file of that name is replaced. A report goes with it, with figures
    alone: the held-out rows behind it may be private and stay on this machine.

    Raises:
        AdapterError: the adapter is not sound, the path is no ``.zip``, or the disk is full.
    """
    verify(record)
    target = destination / f"{record.task}-{record.name}.zip" if destination.is_dir() else destination
    if target.suffix.lower() != ".zip":
        raise AdapterError(f"An adapter is exported as a .zip file, not as '{target.name}'; choose a name in .zip.")
    partial = target.with_name(f".{target.name}-{uuid4().hex}.partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in LIMITS_BYTES:
                if name == RECORD_FILE:
                    archive.writestr(_entry(f"{record.name}/{name}"), shareable(record))
                elif (record.path / name).is_file():
                    _add(archive, record.path / name, f"{record.name}/{name}")
            if REPORT_FILE in record.files:
                archive.writestr(_entry(f"{record.name}/{PAGE_FILE}"), page_of(record, record.path))
        partial.replace(target)
    except OSError as err:
        raise AdapterError(f"{record.title} can't be exported to '{target.name}' ({err.strerror}).") from err
    finally:
        partial.unlink(missing_ok=True)
    return target


def import_zip(path: Path, backbone_id: str | None = None, *, name: str | None = None) -> AdapterRecord:
    """Adds the adapter in the zip file at `path` to the person's own ones, under `name` if one is given.

    Nothing is written unless the whole archive is acceptable.

    Args:
        backbone_id: of the backbone that the app runs; adapters of others are refused. None takes any.

    Raises:
        AdapterError: no zip, no adapter, too large, unsafe paths, links, pickles, changed files, made for another
            backbone, or the name is taken.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _install(archive, path.name, backbone_id, name)
    except (zipfile.BadZipFile, zlib.error, EOFError) as err:
        raise AdapterError(f"'{path.name}' is no zip file or is damaged ({err}); export it again.") from err
    except OSError as err:
        raise AdapterError(f"'{path.name}' can't be read ({err.strerror}).") from err


def _install(archive: zipfile.ZipFile, where: str, backbone_id: str | None, name: str | None) -> AdapterRecord:
    entries = _select(archive.infolist(), where)
    record = parse_record(archive.read(entries[RECORD_FILE]), f"'{where}': {RECORD_FILE}", Path(), "own")
    if backbone_id is not None:
        refuse_other_backbone(record, backbone_id)
    missing = (record.files.keys()) - entries.keys()
    if missing:
        raise AdapterError(f"'{where}' lacks {', '.join(sorted(missing))}; export the adapter again.")
    if REPORT_FILE not in record.files:
        entries.pop(REPORT_FILE, None)  # nobody vouches for it

    def unpack(folder: Path) -> None:
        for file_name, entry in entries.items():
            with archive.open(entry) as source, (folder / file_name).open("wb") as target:
                shutil.copyfileobj(source, target, BLOCK_BYTES)

    return install(record, name, unpack)


def install(record: AdapterRecord, name: str | None, copy: Callable[[Path], object]) -> AdapterRecord:
    """Adds an adapter from elsewhere to the person's own ones, under `name` if one is given; unchecked, where imports
    are checked.

    Args:
        copy: puts the adapter's files into an empty folder.

    Raises:
        AdapterError: the name is no valid one or taken, or what was copied is no sound adapter.
    """
    filed_as = check_name(name) if name is not None else name_for(record.task, record.name)
    with new_folder(record.task, filed_as) as folder:
        copy(folder)
        if settings.reloads_saved():
            mark_unchecked(folder)
        file_as(filed_as, record, folder)
    return find(record.task, filed_as)


def refuse_other_backbone(record: AdapterRecord, backbone_id: str) -> None:
    """Raises AdapterError when the adapter was made for another backbone than `backbone_id`."""
    made_for = record.backbone
    is_other_file = made_for["id"] == EMBEDDED_ID and made_for["checksum"] != EMBEDDED_SHA256
    if made_for["id"] != backbone_id or is_other_file:
        other = f"another file of {shown(backbone_id)}" if made_for["id"] == backbone_id else shown(made_for["id"])
        raise AdapterError(
            f"{record.title} was made for the backbone {other}, not for '{backbone_id}', which runs here; "
            "import it where its own backbone runs (PLAYGROUND_BACKBONE)."
        )


def _select(entries: list[zipfile.ZipInfo], where: str) -> dict[str, zipfile.ZipInfo]:
    """The adapter's files by name, from the folder that holds ``playground.json``."""
    if len(entries) > MAX_ENTRIES:
        raise AdapterError(f"'{where}' holds {len(entries):,} files; an adapter has at most {MAX_ENTRIES}.")
    for entry in entries:
        _refuse_unsafe(entry, where)
    roots = {PurePosixPath(e.filename).parent for e in entries if PurePosixPath(e.filename).name == RECORD_FILE}
    if len(roots) != 1:
        found = "several adapters" if roots else f"no {RECORD_FILE}, so it is no adapter of this program"
        raise AdapterError(f"'{where}' holds {found}; choose a file made by exporting one adapter.")
    root = roots.pop()
    chosen: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.parent != root or path.name not in LIMITS_BYTES or entry.is_dir():
            continue
        if path.name in chosen:
            raise AdapterError(f"'{where}' holds {path.name} twice; export the adapter again.")
        if entry.file_size > LIMITS_BYTES[path.name]:
            raise AdapterError(
                f"'{where}': {path.name} would have {entry.file_size:,} bytes; "
                f"at most {LIMITS_BYTES[path.name]:,} are allowed."
            )
        chosen[path.name] = entry
    return chosen


def _refuse_unsafe(entry: zipfile.ZipInfo, where: str) -> None:
    path = PurePosixPath(entry.filename)
    mode = entry.external_attr >> 16
    if "\\" in entry.filename and ".." not in entry.filename and ":" not in entry.filename:
        raise AdapterError(
            f"'{where}' separates folders by backslashes ({shown(entry.filename)}), as old programs of Windows do, "
            "which other systems can't tell from names; pack it again, or export the adapter again."
        )
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in entry.filename:
        raise AdapterError(
            f"'{where}' holds the path {shown(entry.filename)}, which leads out of its folder; it is refused."
        )
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise AdapterError(
            f"'{where}': {shown(entry.filename)} is a link or device; adapters may only hold plain files."
        )
    if path.suffix.lower() in PICKLE_SUFFIXES:
        raise AdapterError(
            f"'{where}': {shown(entry.filename)} may be in pickle format, which can run programs when opened; "
            "only adapters in safetensors format can be imported."
        )
    if entry.flag_bits & 1 or entry.compress_type not in _METHODS:
        raise AdapterError(f"'{where}': {shown(entry.filename)} is encrypted or packed in a rare way; zip it plainly.")


def _add(archive: zipfile.ZipFile, source: Path, name: str) -> None:
    with source.open("rb") as stream, archive.open(_entry(name), "w") as target:
        shutil.copyfileobj(stream, target, BLOCK_BYTES)


def _entry(name: str) -> zipfile.ZipInfo:
    """A file with a fixed time and fixed rights."""
    entry = zipfile.ZipInfo(name, _EARLIEST_ZIP_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    return entry
