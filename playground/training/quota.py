"""How much the present person may still start and store; every refusal names its limit and says what to do."""

from pathlib import Path

from playground import access, settings
from playground.adapters import edit, store
from playground.errors import BusyError, QuotaError
from playground.training import corrections, run_store
from playground.training.run_files import RunState


def check_queue(active: list[RunState]) -> None:
    """Raises BusyError when one more run beside the `active` ones would be too many."""
    most, each = settings.max_active_runs(), settings.max_active_runs_each()
    if len(active) >= most:
        raise BusyError(
            f"{len(active)} runs are being trained or waiting already, and {most} is the limit (PLAYGROUND_MAX_RUNS); "
            "try again later."
        )
    person = access.current()
    mine = 0 if person.is_owner else sum(state.owner == person.key for state in active)
    if not person.is_owner and mine >= each:
        raise BusyError(
            f"You have {mine} {'run' if mine == 1 else 'runs'} under way or waiting, and {each} is the limit for each "
            "visitor (PLAYGROUND_MAX_RUNS_EACH); wait until one has ended, or stop one."
        )


def check_disk(more_bytes: int, returning: Path | None = None) -> None:
    """Raises QuotaError when `more_bytes` would not fit into what people may store.

    Deleted adapters are kept only as far as there is room beside them: those deleted longest ago give way.

    Args:
        returning: folder of a deleted adapter that is to be put back, so that it does not give way.
    """
    most = settings.max_disk_bytes()
    left_bytes = most - used_by_all_bytes() - more_bytes
    if most and left_bytes < 0:
        raise QuotaError(
            f"Runs and adapters of all people may take {_megabytes(most)} (PLAYGROUND_MAX_DISK_MB), and that would be "
            "exceeded; delete adapters that are not needed any more, or try again later."
        )
    _check_own_disk(more_bytes)
    if most:
        _forget_deleted(left_bytes, returning)


def _check_own_disk(more_bytes: int) -> None:
    person, each = access.current(), settings.max_disk_bytes_each()
    if person.is_owner or not each:
        return
    used = used_bytes(person.key)
    if used + more_bytes > each:
        raise QuotaError(
            f"Your runs and adapters take {_megabytes(used)}, this needs {_megabytes(more_bytes)} more, and "
            f"{_megabytes(each)} is the limit for each visitor (PLAYGROUND_MAX_DISK_MB_EACH); delete adapters of yours "
            "under Adapters, and runs under About."
        )


def _forget_deleted(room_bytes: int, returning: Path | None) -> None:
    """Leaves as many of the adapters that were deleted last as fit into the room."""
    for folder in edit.shelved():
        if folder != returning:
            room_bytes -= size_of(folder)
            if room_bytes < 0:
                edit.forget(folder)


def check_uploads(folder: Path, more_bytes: int) -> None:
    """Raises QuotaError when `more_bytes` beside the uploads in `folder`, of all people, are more than there may be."""
    most = settings.max_uploads_bytes()
    if most and size_of(folder) + more_bytes > most:
        raise QuotaError(
            f"The files of all people, uploaded or to download, may take {most // settings.MEGABYTE:,} MB "
            "(PLAYGROUND_MAX_UPLOADS_MB), and that would be exceeded; they are deleted after a day, so try again later."
        )


def check_files(had_bytes: int, more_bytes: int) -> None:
    """Raises QuotaError when the present person, whose files of the last day take `had_bytes`, may have no more."""
    each = settings.max_uploads_bytes_each()
    if each and not access.current().is_owner and had_bytes + more_bytes > each:
        raise QuotaError(
            f"Your files of the last day, uploaded or to download, take {_megabytes(had_bytes)}, this needs "
            f"{_megabytes(more_bytes)} more, and {_megabytes(each)} is the limit for each visitor "
            "(PLAYGROUND_MAX_UPLOADS_MB_EACH); give fewer rows, or try again tomorrow."
        )


def used_bytes(owner: str) -> int:
    """Disk that the runs and adapters of a visitor take."""
    runs = [settings.runs() / run_id for run_id in run_store.run_ids_of(owner)]
    adapters = [record.path for record in store.list_adapters() if record.origin == "own" and record.owner == owner]
    return sum(map(size_of, [*runs, *adapters, corrections.folder_of(owner)]))


def used_by_all_bytes() -> int:
    """Disk that runs, adapters and corrections take, without adapters that were deleted."""
    folders = (settings.runs(), settings.own_adapters(), settings.corrections())
    return sum(map(size_of, folders)) - size_of(edit.shelf())


def size_of(folder: Path) -> int:
    """Bytes of all files in `folder`; 0 where there is none."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except FileNotFoundError:  # another process may remove its own at this moment
            continue
    return total


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / settings.MEGABYTE:,.1f} MB"
