"""What of the home a repository on the Hub keeps, and how it is read so that it arrives whole.

Paths in the repository are those under ``PLAYGROUND_HOME``; a run's line in the table of runs is ``run.json`` in its
folder there. What fits none of `RULES` is neither sent nor taken. A *unit* is what is kept or lost as one: a run, an
adapter, or the corrections of a person for a task.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from playground import settings
from playground.adapters.record import NAME, RECORD_FILE, parse_record
from playground.adapters.report import MAX_ROWS_BYTES, ROWS_FILE
from playground.adapters.store import OWNER_FILE, PICKLE_SUFFIXES, UNCHECKED_FILE
from playground.adapters.transfer import LIMITS_BYTES
from playground.adapters.untrusted import MAX_JSON_BYTES
from playground.backbones.embedded import sha256
from playground.errors import AdapterError
from playground.training import run_store
from playground.training.corrections import OWN_FOLDER
from playground.training.run_files import (
    ACTIVE,
    CHECKPOINT_FOLDER,
    CONFIG_FILE,
    DATA_FOLDER,
    EVENTS_FILE,
    VALIDATION_FOLDER,
)

ROW_FILE = "run.json"
MAX_ROW_BYTES = 32 * settings.MEGABYTE
MAX_LINES_BYTES = 256 * settings.MEGABYTE
"""Of the events of a run, and of corrections."""
MAX_CHECKPOINT_BYTES = 4096 * settings.MEGABYTE
ROWS_FOLDERS = (DATA_FOLDER, VALIDATION_FOLDER)

_RUN = r"(?P<unit>runs/[0-9a-f]{32})"
_PART = rf"{_RUN}/{CHECKPOINT_FOLDER}/(part-\d{{1,4}}/)?"
_ADAPTER = rf"(?P<unit>adapters/{NAME}/{NAME})"
_ADAPTER_FILES = {**LIMITS_BYTES, ROWS_FILE: MAX_ROWS_BYTES, OWNER_FILE: MAX_JSON_BYTES, UNCHECKED_FILE: 0}
RULES: Mapping[re.Pattern[str], int] = {
    re.compile(rf"{_RUN}/{re.escape(CONFIG_FILE)}"): MAX_JSON_BYTES,
    re.compile(rf"{_RUN}/{re.escape(ROW_FILE)}"): MAX_ROW_BYTES,
    re.compile(rf"{_RUN}/{re.escape(EVENTS_FILE)}"): MAX_LINES_BYTES,
    re.compile(rf"{_RUN}/({'|'.join(ROWS_FOLDERS)})/[\w-][\w.-]{{0,99}}"): settings.MAX_UPLOAD_BYTES,
    re.compile(rf"{_PART}checkpoint\.json"): MAX_JSON_BYTES,
    re.compile(rf"{_PART}step-\d{{1,12}}\.safetensors"): MAX_CHECKPOINT_BYTES,
    **{re.compile(f"{_ADAPTER}/{re.escape(name)}"): limit for name, limit in _ADAPTER_FILES.items()},
    re.compile(rf"(?P<unit>corrections/({OWN_FOLDER}|[0-9a-f]{{64}})/corrections-{NAME}\.jsonl)"): MAX_LINES_BYTES,
}
"""What a path looks like: the most bytes that its file may have."""

Content = bytes | Path
"""What a file holds, or where that lies and stays as it is."""


class Place(NamedTuple):
    """What a path in the repository belongs to."""

    unit: str
    limit_bytes: int


def place_of(path: str) -> Place | None:
    """None: no path of ours, such as one that leads elsewhere, or whose name promises a pickle."""
    if PurePosixPath(path).suffix.lower() in PICKLE_SUFFIXES:
        return None
    for pattern, limit_bytes in RULES.items():
        if found := pattern.fullmatch(path):
            return Place(found["unit"], limit_bytes)
    return None


@dataclass(frozen=True)
class Unit:
    """Something in the home that is kept."""

    key: str
    files: Mapping[str, Path]
    """By path in the repository."""
    row: str = ""
    """The line of a run in the table of runs, as JSON."""

    @property
    def is_damaged(self) -> bool:
        """Whether its line can't be read, so that the copy is the better one."""
        return bool(self.row) and not self._line()

    @property
    def state(self) -> str:
        """Of a run; else empty."""
        return str(self._line().get("state", ""))

    @property
    def is_under_way(self) -> bool:
        return self.state in ACTIVE

    def stamp(self) -> tuple[object, ...]:
        """Another one as soon as something in it has changed. Raises OSError when a file is gone meanwhile."""
        looks = {path: file.stat() for path, file in self.files.items()}
        return (self.row, *sorted((path, look.st_mtime_ns, look.st_size) for path, look in looks.items()))

    def changed(self) -> float:
        """When something in it was last written, in seconds since 1970. Raises OSError as `stamp` does."""
        ended = float(self._line().get("ended") or 0.0)
        return max([ended, *(file.stat().st_mtime for file in self.files.values())])

    def _line(self) -> dict[str, Any]:
        try:
            line = json.loads(self.row or "{}")
        except ValueError:
            return {}
        return line if isinstance(line, dict) else {}


def local_units() -> dict[str, Unit]:
    """What is in the home, by key; runs without a line in the table are on their way out."""
    files: dict[str, dict[str, Path]] = {}
    for root in ("runs", "adapters", "corrections"):
        for folder, _, names in os.walk(root_of(root)):
            for file in (Path(folder, name) for name in names):
                path = file.relative_to(settings.home()).as_posix()
                place = place_of(path)
                if place and not file.is_symlink():
                    files.setdefault(place.unit, {})[path] = file
    rows = run_store.statuses()
    units = {key: Unit(key, found, rows.get(key.removeprefix("runs/"), "")) for key, found in files.items()}
    return {key: unit for key, unit in units.items() if unit.row or not key.startswith("runs/")}


def root_of(key: str) -> Path:
    """The folder in which units of that kind lie."""
    roots = {"runs": settings.runs, "adapters": settings.own_adapters, "corrections": settings.corrections}
    return roots[key.partition("/")[0]]()


def read_whole(unit: Unit, scratch: Path) -> Mapping[str, Content] | None:
    """What the files of a unit hold, by path in the repository; None: it is being written at this moment.

    Args:
        scratch: an empty folder for copies of large files that change.

    Raises:
        OSError: a file is gone meanwhile.
    """
    if unit.key.startswith("runs/"):
        return _read_run(unit, scratch)
    contents = {path: file.read_bytes() for path, file in unit.files.items()}
    return contents if unit.key.startswith("corrections/") or _is_sound(unit.key, contents) else None


def _is_sound(key: str, contents: Mapping[str, bytes]) -> bool:
    """Whether the files of an adapter are those that its record names."""
    try:
        record = parse_record(contents[f"{key}/{RECORD_FILE}"], key, Path(), "own")
        digests = {name: hashlib.sha256(contents[f"{key}/{name}"]).hexdigest() for name in record.files}
    except (AdapterError, KeyError):
        return False
    return digests == dict(record.files)


def _read_run(unit: Unit, scratch: Path) -> dict[str, Content] | None:
    contents: dict[str, Content] = {f"{unit.key}/{ROW_FILE}": unit.row.encode()}
    indices: dict[str, Path] = {}
    for path, file in unit.files.items():
        folder = path.split("/")[2]
        if folder == CHECKPOINT_FOLDER:
            indices |= {path: file} if file.suffix == ".json" else {}
        elif folder in ROWS_FOLDERS:
            contents[path] = file  # never written again
        else:
            data = file.read_bytes()
            contents[path] = data if folder == CONFIG_FILE else data[: data.rfind(b"\n") + 1]
    # The latest part first: once there is one, those before it stay as they are.
    for path in sorted(indices, key=_part_of, reverse=True):
        found = _read_checkpoint(path, indices[path], scratch)
        if found is None:
            return None
        contents |= found
    return contents


def _part_of(path: str) -> float:
    """Number of the part whose checkpoint that is; the one without a number comes after the texts, part 0."""
    part = path.split("/")[3]
    return float(part.removeprefix("part-")) if part.startswith("part-") else 0.5


def _read_checkpoint(path: str, index: Path, scratch: Path) -> dict[str, Content] | None:
    """The index and a copy of its tensors, if they are those that the index names."""
    data = index.read_bytes()
    try:
        facts: dict[str, Any] = json.loads(data)
        tensors = index.with_name(Path(facts["file"]).name)
        copy = scratch / str(len(list(scratch.iterdir())))
        shutil.copyfile(tensors, copy)
        is_whole = sha256(copy) == facts["sha256"]
    except (ValueError, KeyError, TypeError, FileNotFoundError):
        return None
    return {path: data, str(PurePosixPath(path).with_name(tensors.name)): copy} if is_whole else None
