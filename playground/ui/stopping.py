"""Stopping an answer from another event of the same page.

Gradio's own ``cancels`` leaves an error over the outputs when it meets an update on its way, so the answer looks for
the wish to stop by itself and ends in order.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from playground.types import Stream
from playground.ui import render
from playground.ui.notices import Updates, guarded

STOPPED = "Stopped."
LONGEST_WAIT_S = 5.0
"""The answer looks several times a second; only a stuck one takes longer."""


@dataclass
class Answer:
    """An answer under way."""

    stops: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)


_under_way: dict[str, Answer] = {}


@contextmanager
def stoppable(session: str) -> Iterator[Answer]:
    """Makes the work inside known under `session`, one key for each open page."""
    answer = _under_way[session] = Answer()
    try:
        yield answer
    finally:
        if _under_way.get(session) is answer:
            del _under_way[session]
        answer.ended.set()


def is_under_way(session: str) -> bool:
    return session in _under_way


def stop(session: str) -> None:
    """Asks the answer of `session` to end and waits until it has; nothing happens where there is none."""
    answer = _under_way.get(session)
    if answer is not None:
        answer.stops.set()
        answer.ended.wait(LONGEST_WAIT_S)


def until_stopped(
    place: str, handler: Callable[..., Stream[Updates]], notice: gr.HTML, idle: Callable[[], Updates]
) -> Callable[..., Stream[Updates]]:
    """The guarded `handler` of an event; `stopper` of the same `place` of the page ends it between two updates."""
    steps_of = guarded(handler, notice, idle)

    def handle(request: gr.Request, *values: Any) -> Stream[Updates]:
        with stoppable(_key(request, place)) as this:
            with closing(steps_of(*values)) as steps:
                for step in steps:
                    yield step
                    if this.stops.is_set():
                        break
            if this.stops.is_set():
                yield {notice: render.info(STOPPED), **idle()}

    return handle


def stopper(place: str) -> Callable[[gr.Request], None]:
    """An event handler that stops what `until_stopped` runs at `place` of the same page."""

    def handle(request: gr.Request) -> None:
        stop(_key(request, place))

    return handle


def _key(request: gr.Request, place: str) -> str:
    return f"{request.session_hash}/{place}"
