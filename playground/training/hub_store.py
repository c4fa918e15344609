"""A private repository on the Hub as the store of a machine without a disk that lasts.

What people make is copied there in the background, many files a commit, and put back when the program starts in an
empty home. ``CommitScheduler`` of ``huggingface_hub`` would not do: it never deletes, and may send half of what belongs
together. The repository is of the type "model", because data sets may be converted and copied by the Hub.
"""

import json
import logging
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

from playground import settings
from playground.adapters.hub import TIMEOUT_S, check_id, explained
from playground.adapters.record import replace_file
from playground.adapters.untrusted import is_kind
from playground.errors import AdapterError, InputError, PlaygroundError
from playground.training import runs
from playground.training.hub_files import Content, Unit, local_units, place_of, read_whole, root_of
from playground.training.hub_restore import restore

SECONDS_BETWEEN_CHECKPOINTS = 180.0
"""How often a run that is under way is sent, beside the moments when its state changes."""
SECONDS_BETWEEN_SQUASHES = 3600.0
"""What was deleted stays in the history of the repository, and counts as used, until that is thrown away."""
CHANGED_FILE = "changed.json"
"""In the repository: when each unit was last written, in seconds since 1970."""
MAX_CHANGED_BYTES = 8 * settings.MEGABYTE
SENT_FILE, INCOMING_FOLDER = "hub-store.json", ".hub-store"
"""In the home: what was in the repository when it was last looked at, so that what is missing was deleted here; and
where files arrive."""
NUM_NAMED = 3

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remote:
    """What is in the repository."""

    sha: str
    sizes: Mapping[str, int | None]
    """Bytes of each file."""

    def units(self) -> dict[str, list[str]]:
        """Paths of ours, by unit."""
        found: dict[str, list[str]] = {}
        for path in self.sizes:
            if place := place_of(path):
                found.setdefault(place.unit, []).append(path)
        return found

    def too_large(self, path: str) -> bool:
        place, size = place_of(path), self.sizes[path]
        return place is None or size is None or size > place.limit_bytes


class HubStore:
    """The copy of this home in the repository `repo_id`. One thread at a time may use it."""

    def __init__(self, repo_id: str, api: HfApi) -> None:
        """Raises InputError when that is no id, or nobody is logged in."""
        self.repo_id = check_id(repo_id)
        if not api.token:
            raise InputError("set HF_TOKEN to a token that may write to it.")
        self.is_filled = False
        self._api = api
        self._kept = _read_sent(self.repo_id)
        self._changed: dict[str, float] = {}
        self._stamps: dict[str, tuple[object, ...]] = {}
        self._sent: dict[str, tuple[str, float]] = {}
        """State of a run when it was sent, and when that was."""
        self._must_squash = True
        """Perhaps the program ended before it could."""
        self._squashed_at = -SECONDS_BETWEEN_SQUASHES

    def fill(self) -> list[str]:
        """Puts into the home what is in the repository and missing or older here; the repository is made if need be.

        Returns:
            The keys of the units that were put back.

        Raises:
            AdapterError: the repository can't be reached or read, or is public, or there is no room.
        """
        with explained(self.repo_id):
            if not self._api.repo_exists(self.repo_id):
                self._api.create_repo(self.repo_id, private=True, exist_ok=True)
        remote = self._look()
        incoming = settings.home() / INCOMING_FOLDER
        shutil.rmtree(incoming, ignore_errors=True)  # left over from a start that was cut
        incoming.mkdir(parents=True, mode=0o700)
        try:
            self._changed = self._read_changed(remote, incoming)
            here = local_units()
            _name_foreign(remote)
            wanted = {key: paths for key, paths in remote.units().items() if self._is_wanted(key, here)}
            usable = {key: paths for key, paths in wanted.items() if _fits(remote, paths)}
            self._download(remote, [path for paths in usable.values() for path in paths], incoming)
            filled = [key for key in usable if self._restore(key, incoming)]
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
        # What could not be put back is not taken for deleted here.
        self._remember(filled, wanted.keys() - set(filled) - here.keys())
        for key, unit in local_units().items():
            if key in filled:
                self._stamps[key] = unit.stamp()
        self.is_filled = True
        return filled

    def save(self) -> int:
        """Sends what has changed since, deletes what was deleted here, and returns how many files that were.

        Raises:
            AdapterError: the repository can't be reached, is public, or the token may not write.
        """
        here = local_units()
        due = [unit for unit in here.values() if self._is_due(unit)]
        gone = [key for key in self._kept - here.keys() if root_of(key).is_dir()]
        number = 0
        if due or gone:
            remote = self._look()
            with tempfile.TemporaryDirectory() as scratch:
                number = self._commit(remote, due, gone, Path(scratch))
        if self._must_squash and time.monotonic() - self._squashed_at >= SECONDS_BETWEEN_SQUASHES:
            with explained(self.repo_id):
                self._api.super_squash_history(self.repo_id)
            self._must_squash, self._squashed_at = False, time.monotonic()
        return number

    def _look(self) -> Remote:
        with explained(self.repo_id):
            info = self._api.model_info(self.repo_id, files_metadata=True, timeout=TIMEOUT_S)
        if not info.private:
            raise AdapterError(
                f"'{self.repo_id}' is a public repository, and people's rows are kept in a private one only: make it "
                "private on the Hub, or name another in PLAYGROUND_RUNS_REPO."
            )
        return Remote(info.sha or "main", {file.rfilename: file.size for file in info.siblings or []})

    def _read_changed(self, remote: Remote, incoming: Path) -> dict[str, float]:
        size = remote.sizes.get(CHANGED_FILE)
        if size is None or size > MAX_CHANGED_BYTES:
            return {}
        with explained(self.repo_id):
            file = self._api.hf_hub_download(self.repo_id, CHANGED_FILE, revision=remote.sha, local_dir=incoming)
        try:
            values = json.loads(Path(file).read_bytes())
        except ValueError:
            return {}
        found: Iterable[tuple[str, Any]] = values.items() if isinstance(values, dict) else ()
        return {key: float(value) for key, value in found if is_kind(value, float) and 0 <= value < 1e11}

    def _is_wanted(self, key: str, here: Mapping[str, Unit]) -> bool:
        """Whether the copy is to be put back: what is missing was deleted here, or was never here."""
        if key not in here:
            return key not in self._kept or not root_of(key).is_dir()
        return here[key].is_damaged or self._changed.get(key, 0.0) > here[key].changed() + 1.0

    def _download(self, remote: Remote, paths: list[str], incoming: Path) -> None:
        if not paths:
            return
        size = sum(remote.sizes[path] or 0 for path in paths)
        free = shutil.disk_usage(incoming).free - runs.MIN_FREE_BYTES
        if size > free:
            room = f"{max(free, 0) / settings.MEGABYTE:,.0f} MB"
            raise AdapterError(
                f"'{self.repo_id}' holds {size / settings.MEGABYTE:,.0f} MB to put back, and the disk has room for "
                f"{room}: free some space, or choose another disk with PLAYGROUND_HOME."
            )
        log.info("Fetching %d files (%.1f MB) from '%s'", len(paths), size / settings.MEGABYTE, self.repo_id)
        with explained(self.repo_id):
            self._api.snapshot_download(
                self.repo_id, revision=remote.sha, local_dir=incoming, allow_patterns=sorted(paths)
            )

    def _restore(self, key: str, incoming: Path) -> bool:
        try:
            restore(key, incoming, self._changed.get(key, time.time()))
        except (PlaygroundError, OSError) as err:
            log.warning("%s of '%s' is not put back: %s", key, self.repo_id, err)
            return False
        return True

    def _is_due(self, unit: Unit) -> bool:
        try:
            if unit.is_damaged or self._stamps.get(unit.key) == unit.stamp():
                return False
        except OSError:  # it is changing right now
            return False
        state, sent_at = self._sent.get(unit.key, ("", 0.0))
        is_early = time.monotonic() - sent_at < SECONDS_BETWEEN_CHECKPOINTS
        return not (unit.is_under_way and state == unit.state and is_early)

    def _commit(self, remote: Remote, due: list[Unit], gone: list[str], scratch: Path) -> int:
        """One commit with everything."""
        stamps: dict[str, tuple[object, ...]] = {}
        contents: dict[str, Content] = {}
        changed = {key: when for key, when in self._changed.items() if key not in gone}
        for unit in due:
            try:
                stamp, when, found = unit.stamp(), unit.changed(), read_whole(unit, scratch)
            except OSError:
                continue  # it is changing right now, and is looked at again
            if found is not None:
                stamps[unit.key], changed[unit.key] = stamp, when
                contents |= found
        units = remote.units()
        doomed = {path for key in (*gone, *stamps) for path in units.get(key, ())} - contents.keys()
        if contents or doomed:
            contents[CHANGED_FILE] = json.dumps(changed, indent=0).encode()
            self._send(contents, doomed)
        self._must_squash |= bool(doomed)
        self._changed = changed
        self._stamps |= stamps
        self._sent |= {unit.key: (unit.state, time.monotonic()) for unit in due if unit.key in stamps}
        self._remember(stamps, gone)
        return len(contents) + len(doomed)

    def _send(self, contents: Mapping[str, Content], doomed: Iterable[str]) -> None:
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationAdd(path, content) for path, content in sorted(contents.items())
        ]
        operations += [CommitOperationDelete(path, is_folder=False) for path in sorted(doomed)]
        with explained(self.repo_id):
            self._api.create_commit(self.repo_id, operations, commit_message="What people made")

    def _remember(self, kept: Iterable[str], gone: Iterable[str] = ()) -> None:
        self._kept = (self._kept | set(kept)) - set(gone)
        sent = {"repository": self.repo_id, "units": sorted(self._kept)}
        replace_file(settings.home() / SENT_FILE, json.dumps(sent, indent=0).encode(), mode=0o600)


def _read_sent(repo_id: str) -> set[str]:
    """Keys of what was kept in that repository when this home was last in use."""
    file = settings.home() / SENT_FILE
    try:
        sent = json.loads(file.read_text(encoding="utf-8"))
        return set(map(str, sent["units"])) if sent["repository"] == repo_id else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _fits(remote: Remote, paths: Iterable[str]) -> bool:
    large = [path for path in paths if remote.too_large(path)]
    if large:
        log.warning("%s is larger than such a file may be, so what belongs to it is not put back.", large[0])
    return not large


def _name_foreign(remote: Remote) -> None:
    """Says which files are left alone; the Hub itself makes some."""
    usual = (CHANGED_FILE, ".gitattributes", "README.md")
    foreign = [path for path in remote.sizes if path not in usual and place_of(path) is None]
    if foreign:
        named = ", ".join(map(repr, foreign[:NUM_NAMED]))
        log.warning("%d files in the repository are none of ours and are left alone: %s", len(foreign), named)
