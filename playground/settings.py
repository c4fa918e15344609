"""Where things live and how much is allowed, read from the environment at call time."""

import os
from pathlib import Path

import platformdirs

from playground.errors import InputError

REPOSITORY = Path(__file__).resolve().parent.parent
SPACE_DISK = Path("/data")

MAX_TEXT_CHARS = 1_000_000
MEGABYTE = 1024 * 1024
HUB = "hub:"
"""Before the name of a dataset of the Hub, where a file could stand as well."""
LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = (LOOPBACK, "localhost")

MAX_ROWS = 2_000_000
"""Rows of one upload that are read."""
MAX_SAMPLE_ROWS = 200_000
"""Rows of it that are held in memory: a larger file gives a random sample of that many."""
MAX_BATCH_ROWS = 100_000
"""Rows of a file that one batch prediction answers."""
MAX_WAITING_REQUESTS = 64
MAX_LOADED_ADAPTERS = 16


def number(name: str, default: int) -> int:
    """The whole number in the environment variable `name`.

    Raises:
        InputError: it is none.
    """
    chosen = os.environ.get(name, "").strip()
    if chosen and not (chosen.isascii() and chosen.isdecimal()):
        raise InputError(f"{name} is '{chosen}'; give a whole number, 0 or more.")
    return int(chosen) if chosen else default


MAX_UPLOAD_BYTES = number("PLAYGROUND_MAX_UPLOAD_MB", 500) * MEGABYTE
"""Of one file; read once, when the program starts."""


def is_on(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() not in ("", "0", "no", "false", "off")


def home() -> Path:
    """Folder of everything that people make: adapters, runs, converted backbones.

    ``PLAYGROUND_HOME`` decides; on a Space with a disk it is that disk, elsewhere the user's data folder.
    """
    chosen = os.environ.get("PLAYGROUND_HOME")
    if chosen:
        return Path(chosen).expanduser().resolve()
    if on_space() and os.access(SPACE_DISK, os.W_OK):
        return SPACE_DISK / "playground"
    return Path(platformdirs.user_data_dir("polyglot-playground"))


def backbone_cache() -> Path:
    """Converted backbones; may be shared between homes through ``PLAYGROUND_BACKBONES``."""
    chosen = os.environ.get("PLAYGROUND_BACKBONES")
    return Path(chosen).expanduser().resolve() if chosen else home() / "backbones"


def shipped_adapters() -> Path:
    return REPOSITORY / "adapters"


def own_adapters() -> Path:
    return home() / "adapters"


def runs() -> Path:
    """One folder a fine-tuning run."""
    return home() / "runs"


def corrections() -> Path:
    """One folder a person, with the answers that they corrected."""
    return home() / "corrections"


def runs_repository() -> str:
    """``PLAYGROUND_RUNS_REPO``: id of the private repository on the Hub that keeps a copy of what people make."""
    return os.environ.get("PLAYGROUND_RUNS_REPO", "").strip()


def checkpoints() -> Path:
    """One folder a training run of the command line that was not finished."""
    return home() / "checkpoints"


def datasets() -> Path:
    """Datasets of the Hub that the command line fetched, one folder each and one in it for each version."""
    return home() / "datasets"


def on_space() -> bool:
    return bool(os.environ.get("SPACE_ID"))


def host() -> str:
    """``HOST`` or ``GRADIO_SERVER_NAME``; else only this machine. A Space is served everywhere in any case."""
    return os.environ.get("HOST") or os.environ.get("GRADIO_SERVER_NAME") or LOOPBACK


def is_read_only() -> bool:
    """``PLAYGROUND_READ_ONLY``: visitors may try everything and change nothing."""
    return is_on("PLAYGROUND_READ_ONLY")


def owner_password() -> str:
    """``PLAYGROUND_OWNER_PASSWORD``; empty: nobody can sign in as the owner."""
    return os.environ.get("PLAYGROUND_OWNER_PASSWORD", "")


def is_shared() -> bool:
    """Whether the page has many visitors, who must not see each other's runs and adapters.

    ``PLAYGROUND_SHARED`` decides; else it is so on a Space, when more than this machine is served, and when there is
    an owner's password. A page for trying only is always a shared one.
    """
    if is_read_only():
        return True
    if os.environ.get("PLAYGROUND_SHARED", "").strip():
        return is_on("PLAYGROUND_SHARED")
    return on_space() or bool(owner_password()) or host() not in (*LOOPBACK_NAMES, "::1")


def max_active_runs() -> int:
    """``PLAYGROUND_MAX_RUNS``: trainings under way and waiting, of all people together."""
    return number("PLAYGROUND_MAX_RUNS", 8)


def max_active_runs_each() -> int:
    """``PLAYGROUND_MAX_RUNS_EACH``: the same, of one visitor."""
    return number("PLAYGROUND_MAX_RUNS_EACH", 2)


def max_run_minutes() -> int:
    """``PLAYGROUND_MAX_RUN_MINUTES``: how long a visitor's run may train; 0: as long as it takes."""
    return number("PLAYGROUND_MAX_RUN_MINUTES", 120)


def max_disk_bytes() -> int:
    """``PLAYGROUND_MAX_DISK_MB``: runs and adapters of all people together; 0: as much as there is."""
    return number("PLAYGROUND_MAX_DISK_MB", 10_000 if is_shared() else 0) * MEGABYTE


def max_disk_bytes_each() -> int:
    """``PLAYGROUND_MAX_DISK_MB_EACH``: runs and adapters of one visitor; 0: as much as there is."""
    return number("PLAYGROUND_MAX_DISK_MB_EACH", 1_000) * MEGABYTE


def max_uploads_bytes() -> int:
    """``PLAYGROUND_MAX_UPLOADS_MB``: files uploaded and offered for download at one time; 0: as much as there is."""
    return number("PLAYGROUND_MAX_UPLOADS_MB", 5_000 if is_shared() else 0) * MEGABYTE


def max_uploads_bytes_each() -> int:
    """``PLAYGROUND_MAX_UPLOADS_MB_EACH``: the same, of one visitor within a day; 0: as much as there is."""
    return number("PLAYGROUND_MAX_UPLOADS_MB_EACH", 2_000) * MEGABYTE


def check_limits() -> None:
    """Raises InputError when one of the limits above is no number."""
    for limit in (
        *(max_active_runs, max_active_runs_each, max_run_minutes),
        *(max_disk_bytes, max_disk_bytes_each, max_uploads_bytes, max_uploads_bytes_each),
    ):
        limit()


def backbone_id() -> str:
    """Backbone to load: ``PLAYGROUND_BACKBONE`` or the embedded one."""
    return os.environ.get("PLAYGROUND_BACKBONE", "gemma-3-270m-q4_k_m")


def reloads_saved() -> bool:
    """Whether each training and import ends with loading its adapter in a fresh process; ``PLAYGROUND_RELOAD=0`` leaves
    it out.
    """
    return os.environ.get("PLAYGROUND_RELOAD", "1") != "0"


def offers_hub_import() -> bool:
    """Whether the page takes adapters and datasets by their id on the Hub.

    ``PLAYGROUND_HUB_IMPORT=1`` allows it to go online.
    """
    return os.environ.get("PLAYGROUND_HUB_IMPORT", "0") == "1"


def has_space_login() -> bool:
    """Whether visitors of this Space can log in (``hf_oauth`` in the front matter of its README)."""
    return on_space() and bool(os.environ.get("OAUTH_CLIENT_ID"))
