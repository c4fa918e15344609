"""Where things live and how much is allowed, read from the environment at call time."""

import os
from pathlib import Path

import platformdirs

REPOSITORY = Path(__file__).resolve().parent.parent
SPACE_DISK = Path("/data")

MAX_TEXT_CHARS = 1_000_000
MAX_UPLOAD_BYTES = 500 * 1024 * 1024
MAX_ROWS = 2_000_000
"""Rows of one upload that are read."""
MAX_SAMPLE_ROWS = 200_000
"""Rows of it that are held in memory: a larger file gives a random sample of that many."""
MAX_BATCH_ROWS = 100_000
"""Rows of a file that one batch prediction answers."""
MAX_WAITING_REQUESTS = 64
MAX_LOADED_ADAPTERS = 16


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


def checkpoints() -> Path:
    """One folder a training run of the command line that was not finished."""
    return home() / "checkpoints"


def on_space() -> bool:
    return bool(os.environ.get("SPACE_ID"))


def backbone_id() -> str:
    """Backbone to load: ``PLAYGROUND_BACKBONE`` or the embedded one."""
    return os.environ.get("PLAYGROUND_BACKBONE", "gemma-3-270m-q4_k_m")


def reloads_saved() -> bool:
    """Whether each training ends with loading its adapter in a fresh process; ``PLAYGROUND_RELOAD=0`` leaves it out."""
    return os.environ.get("PLAYGROUND_RELOAD", "1") != "0"


def offers_hub_import() -> bool:
    """Whether the page takes adapters by their id on the Hub; ``PLAYGROUND_HUB_IMPORT=1`` allows it to go online."""
    return os.environ.get("PLAYGROUND_HUB_IMPORT", "0") == "1"


def has_space_login() -> bool:
    """Whether visitors of this Space can log in (``hf_oauth`` in the front matter of its README)."""
    return on_space() and bool(os.environ.get("OAUTH_CLIENT_ID"))
