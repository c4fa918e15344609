"""What is done with an adapter that was just imported: it is loaded in a fresh process, and goes again if it fails."""

from collections.abc import Callable

import gradio as gr

from playground import settings
from playground.adapters import store
from playground.adapters.record import AdapterRecord
from playground.errors import PlaygroundError
from playground.types import Stream
from playground.ui import picker, render
from playground.ui.adapter_actions import watched
from playground.ui.notices import Updates


def checked(record: AdapterRecord, notice: gr.HTML, revision: gr.State, now: Callable[[], str]) -> Stream[Updates]:
    """Shows the adapter at once, and keeps it if its outputs are what they should be.

    Args:
        now: says what is there to show, for `revision`.

    Raises:
        PlaygroundError: they are others, or it can't be loaded; it is not installed any more then.
    """
    yield {revision: now()}
    said = ""
    if settings.reloads_saved():
        try:
            printed = yield from watched(["adapters", "verify", picker.key_of(record)], notice)
        except (PlaygroundError, RuntimeError):
            if not record.path.exists():  # whoever imported it deleted it meanwhile
                yield {notice: ""}
                return
            store.remove(record)
            yield {revision: now()}
            raise
        said = " " + printed.splitlines()[-1]
    yield {
        notice: render.info(f"{record.name} was imported and is now in every picker for the task {record.task}.{said}")
    }
