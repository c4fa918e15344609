"""Compressed uploads and archives as plain files in a folder that goes away again."""

import bz2
import gzip
import io
import lzma
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from playground import settings
from playground.errors import DataError

MAX_UNPACKED_BYTES = 4 * settings.MAX_UPLOAD_BYTES
MAX_MEMBERS = 20_000
"""Files of one archive; a data set of one text a file has as many."""
MAX_LIST_BYTES = 1 << 24

_COMPRESSIONS = (
    (b"\x1f\x8b", "gzip", gzip.open),
    (b"BZh", "bzip2", bz2.open),
    (b"\xfd7zXZ\x00", "xz", lzma.open),
)
_ZIP = b"PK\x03\x04"
# What zipfile and the others let through from damaged files, found by damaging some.
_BROKEN = (
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    UnicodeError,
)
_CHUNK_BYTES = 1 << 20
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class Member:
    """One file of an archive, unpacked."""

    name: str
    """Its path in the archive; it is shown and compared, never opened."""
    path: Path


def check_size(path: Path) -> None:
    """Raises:
    DataError: `path` is no file, or larger than an upload may be.
    """
    if not path.is_file():
        raise DataError(f"There is no file '{path}'; choose one that exists.")
    size_bytes = path.stat().st_size
    if size_bytes > settings.MAX_UPLOAD_BYTES:
        raise DataError(
            f"{path.name} has {megabytes(size_bytes)}; the limit is {megabytes(settings.MAX_UPLOAD_BYTES)}. "
            "Upload a part of it."
        )


@contextmanager
def decompressed(path: Path) -> Iterator[Path]:
    """`path`, or what it holds when it is gzip, bzip2 or xz.

    Raises:
        DataError: damaged, unreadable, or too large when unpacked.
    """
    kind, opener = _compression(path)
    if opener is None:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "unpacked"
        try:
            with opener(path, "rb") as packed:
                _copy(cast("IO[bytes]", packed), target, path.name, MAX_UNPACKED_BYTES)
        except _BROKEN as err:
            raise DataError(f"{path.name} is a damaged or incomplete {kind} file ({err}); pack it again.") from err
        yield target


def _compression(path: Path) -> tuple[str, Callable[..., Any] | None]:
    """How `path` is compressed and what opens it; None where it is not."""
    start = first_bytes(path, 8)
    return next(((kind, opener) for magic, kind, opener in _COMPRESSIONS if start.startswith(magic)), ("", None))


def is_archive(path: Path) -> bool:
    """Whether `path` is a ZIP archive that is no workbook or text document."""
    if not first_bytes(path, 4).startswith((_ZIP, b"PK\x05\x06")):
        return False
    try:
        with _opened(path) as archive:
            names = set(archive.namelist())
    except _BROKEN:
        return not is_workbook(path)
    is_document = "[Content_Types].xml" in names or "mimetype" in names
    return not is_document


def is_workbook(path: Path) -> bool:
    """Whether `path` is a ZIP archive with a workbook in it, damaged perhaps."""
    start = first_bytes(path, 2000)
    if not start.startswith(_ZIP):
        return False
    try:
        with _opened(path) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except _BROKEN:
        return b"[Content_Types].xml" in start or b"xl/" in start


class _Archive(io.FileIO):
    """A ZIP archive whose list of files, which is read at once, cannot fill the memory."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > MAX_LIST_BYTES:
            raise DataError(
                f"{Path(str(self.name)).name} has too many files in it; an archive may have {MAX_MEMBERS:,}."
            )
        return super().read(size) or b""


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    with _Archive(path) as stream, zipfile.ZipFile(stream) as archive:
        yield archive


@contextmanager
def unpacked(path: Path) -> Iterator[list[Member]]:
    """The files of a ZIP archive in their order, without what operating systems add.

    Nothing is written under a name from the archive, so that no path in it leads anywhere.

    Raises:
        DataError: damaged, with a password, or too large when unpacked.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            with _opened(path) as archive:
                members = _unpack(archive, Path(folder), path.name)
        except _BROKEN as err:
            raise DataError(f"{path.name} is a damaged or incomplete ZIP archive ({err}); pack it again.") from err
        yield members


def _unpack(archive: zipfile.ZipFile, folder: Path, name: str) -> list[Member]:
    wanted = [info for info in archive.infolist() if not info.is_dir() and _is_wanted(info.filename)]
    if any(info.flag_bits & _ENCRYPTED for info in wanted):
        raise DataError(f"{name} is a ZIP archive with a password; pack it again without one.")
    if len(wanted) > MAX_MEMBERS:
        raise DataError(
            f"{name} has {len(wanted):,} files; an archive may have {MAX_MEMBERS:,}. Upload a part of them."
        )
    members: list[Member] = []
    room = MAX_UNPACKED_BYTES
    for number, info in enumerate(wanted):
        target = folder / str(number)
        # What the archive says about its sizes may be wrong; what comes out of it is counted.
        with archive.open(info) as packed:
            room -= _copy(packed, target, name, room)
        _, opener = _compression(target)
        if opener:
            plain = folder / f"{number}-plain"
            with opener(target, "rb") as packed:
                room -= _copy(cast("IO[bytes]", packed), plain, name, room)
            target.unlink()
            members.append(Member(info.filename.removesuffix(PurePosixPath(info.filename).suffix), plain))
        else:
            members.append(Member(info.filename, target))
    return members


def _is_wanted(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    is_added = any(part == "__MACOSX" or (part.startswith(".") and part.strip(".")) for part in parts)
    return not is_added and parts[-1:] not in (("Thumbs.db",), ("desktop.ini",))


def _copy(packed: IO[bytes], target: Path, name: str, room: int) -> int:
    num_bytes = 0
    with target.open("wb") as out:
        while chunk := packed.read(_CHUNK_BYTES):
            num_bytes += len(chunk)
            if num_bytes > room:
                raise DataError(f"{name} unpacks to more than {megabytes(MAX_UNPACKED_BYTES)}; upload a part of it.")
            out.write(chunk)
    return num_bytes


def first_bytes(path: Path, num_bytes: int) -> bytes:
    """The beginning of the file.

    Raises:
        DataError: it can't be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(num_bytes)
    except OSError as err:
        raise DataError(f"{path.name} can't be read: {err.strerror}.") from err


def megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1024 / 1024:.0f} MB"
