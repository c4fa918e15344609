"""What is done with an adapter that was just imported: it is loaded in a fresh process, and goes again if it fails."""

from collections.abc import Callable

import gradio as gr
from gradio.events import Dependency

from playground import settings
from playground.adapters import store
from playground.adapters.record import AdapterRecord
from playground.errors import PlaygroundError, QuotaError
from playground.tasks import must_be_known
from playground.training import quota
from playground.types import Stream
from playground.ui import picker, render
from playground.ui.adapter_actions import HEAVY, watched
from playground.ui.adapter_card import size_bytes
from playground.ui.notices import Updates, guarded


def check_after(
    importing: Dependency, arrived: gr.State, notice: gr.HTML, revision: gr.State, now: Callable[[], str]
) -> None:
    """Checks what the event `importing` appended to the list in `arrived`.

    The cards are free to use meanwhile. An event that lasts and may change `revision` would have them drawn anew
    whenever another one changed it.

    Args:
        now: says what is there to show, for `revision`.
    """

    def check(waiting: list[AdapterRecord]) -> Stream[Updates]:
        while waiting:
            yield from checked(waiting.pop(0), notice)

    checking = importing.then(guarded(check, notice), arrived, [notice], **HEAVY)
    checking.then(now, outputs=revision, show_progress="hidden", api_visibility="private")


def must_fit(record: AdapterRecord) -> None:
    """Takes the adapter, just imported, away again where it is more than its person may store, archives being smaller,
    or nothing that can be done here.

    Raises:
        QuotaError: it is too large.
        AdapterError: it is for no task of this program.
    """
    must_be_known(record)
    try:
        quota.check_disk(0)
    except QuotaError:
        needed_bytes = size_bytes(record)
        store.remove(record)
        quota.check_disk(needed_bytes)
        raise


def checked(record: AdapterRecord, notice: gr.HTML) -> Stream[Updates]:
    """Keeps an imported adapter if its outputs are what they should be, and says so.

    Raises:
        PlaygroundError: they are others, or it can't be loaded; it is not installed any more then.
    """
    said = ""
    if settings.reloads_saved():
        try:
            printed = yield from watched(["adapters", "verify", picker.key_of(record)], notice)
        except (PlaygroundError, RuntimeError):
            if not record.path.exists():  # whoever imported it renamed or deleted it meanwhile
                yield {notice: ""}
                return
            store.remove(record)
            raise
        said = " " + printed.splitlines()[-1]
    yield {
        notice: render.info(f"{record.name} was imported and is now in every picker for the task {record.task}.{said}")
    }
