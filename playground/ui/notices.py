"""The one place that turns errors into what the page shows."""

import logging
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.blocks import Block

from playground.errors import PlaygroundError
from playground.types import Stream
from playground.ui import render

logger = logging.getLogger(__name__)

Updates = dict[Block, Any]
"""New values by component, as Gradio's event handlers return them."""

UNEXPECTED = "Something went wrong on our side; the log of the server says more. Your text is still here: try again."


def sentence_of(error: Exception) -> str:
    """What the person reads. The text of an unexpected error may hold paths or secrets, so it only goes to the log."""
    if isinstance(error, PlaygroundError):
        return str(error)
    logger.error("Unexpected error in a request", exc_info=error)
    return UNEXPECTED


def guarded(
    handler: Callable[..., Stream[Updates]], notice: gr.HTML, idle: Callable[[], Updates] = dict
) -> Callable[..., Stream[Updates]]:
    """Wraps an event handler so that it ends with `idle` and its errors show in `notice`.

    Closing the returned generator (a cancelled event, a closed page) closes `handler`'s, which stops its work.
    """

    def handle(*values: Any) -> Stream[Updates]:
        try:
            yield from handler(*values)
        except Exception as error:  # noqa: BLE001 - the boundary of the page: nothing may pass it as a traceback
            yield {notice: render.problem(sentence_of(error)), **idle()}
        else:
            yield idle() or {notice: gr.skip()}

    handle.__name__ = handler.__name__
    return handle
