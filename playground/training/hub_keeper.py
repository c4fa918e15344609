"""Keeps the copy on the Hub up to date as long as the program runs, and says how it is."""

import logging
import threading
import time
from collections.abc import Callable

from filelock import FileLock, Timeout

from playground import settings
from playground.adapters.hub import connect
from playground.errors import InputError, PlaygroundError
from playground.training import runs
from playground.training.hub_store import HubStore

SECONDS_BETWEEN_LOOKS = 60.0
"""At most one commit in that time."""
LONGEST_PAUSE_S = 1800.0
"""After failures in a row."""
LOCK_FILE = "hub-store.lock"
THREAD = "copy on the Hub"

log = logging.getLogger(__name__)
_said: list[str] = []
"""The last word about the copy, if any."""


def start() -> FileLock | None:
    """Fills the home from the repository that the owner set, if any, and copies it there from then on.

    Nothing that goes wrong there ends the program: it is said in the log and by `status`, and tried again.

    Returns:
        What is held as long as the home is copied; None: it is not.
    """
    repo_id = settings.runs_repository()
    if not repo_id:
        return None
    try:
        store = HubStore(repo_id, connect())
        settings.home().mkdir(parents=True, exist_ok=True)
        lock = FileLock(settings.home() / LOCK_FILE, timeout=0, thread_local=False)
        lock.acquire()
    except InputError as err:
        _say(f"Nothing is kept on the Hub: PLAYGROUND_RUNS_REPO is '{repo_id}', but {err}")
    except Timeout:
        _say("Another process with the same folder keeps the copy on the Hub.")
    else:
        attempt(store, store.fill)
        threading.Thread(target=_keep, args=(store, lock), name=THREAD, daemon=True).start()
        return lock
    return None


def status() -> str:
    """One sentence about the copy, for the owner; empty where there is none."""
    return _said[-1] if _said else ""


def attempt(store: HubStore, doing: Callable[[], object]) -> bool:
    """Whether it went well; if not, the reason is said."""
    try:
        doing()
    except PlaygroundError as err:
        _say(f"The copy on the Hub is not up to date. {err}")
    except Exception as err:
        log.exception("The copy on the Hub failed")
        _say(f"The copy on the Hub is not up to date ({type(err).__name__}); the log says more.")
    else:
        _say(f"Runs, adapters and corrections are kept in the private repository '{store.repo_id}'.", logging.INFO)
        return True
    return False


def _keep(store: HubStore, lock: FileLock) -> None:
    """Copies as long as `lock` is held."""
    failures = 0 if store.is_filled else 1
    while True:
        time.sleep(min(SECONDS_BETWEEN_LOOKS * 2.0**failures, LONGEST_PAUSE_S))
        if not lock.is_locked:
            return
        if store.is_filled:
            is_done = attempt(store, store.save)
        else:
            is_done = attempt(store, store.fill)
            if is_done:
                runs.keep_recovering()
        failures = 0 if is_done else min(failures + 1, 10)


def _say(sentence: str, level: int = logging.WARNING) -> None:
    if status() != sentence:
        log.log(level, "%s", sentence)
        _said[:] = [sentence]
