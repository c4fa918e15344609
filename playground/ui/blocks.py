"""What this page does otherwise than those of Gradio."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.blocks import BlocksConfig

SECONDS_BETWEEN_LOOKS = 0.01
"""Gradio's queue looks a thousand times a second whether somebody asked something, which takes 8 % of a slow processor
as long as nobody does."""


class Page(gr.Blocks):
    """A page of which no update is lost when the next one comes at once, and whose sessions cost next to nothing."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.default_config = _PageConfig(self)

    def queue(self, *args: Any, **options: Any) -> "Page":
        super().queue(*args, **options)
        self._queue.sleep_when_free = SECONDS_BETWEEN_LOOKS
        self._queue.progress_update_sleep_when_free = 10 * SECONDS_BETWEEN_LOOKS
        return self

    def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
        """Refuses too few inputs, and files that are named by an address: Gradio would fetch them, however large.

        Raises:
            gr.Error: there is such a file; its address is not asked for anything.
        """
        super().validate_inputs(block_fn, inputs)
        if any(path.strip().lower().startswith(("http://", "https://")) for path in _paths(inputs)):
            raise gr.Error("Files are not fetched from an address; upload the file itself.", print_exception=False)

    def handle_streaming_diffs(self, block_fn: Any, data: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """`data`, one item for each output, with edits (``[action, path, value]``) in place of what was sent before.

        Gradio sends each update as edits of the one before, and the browser edits in place: a component whose next
        update says nothing new loses the one before if the browser had not shown that yet. Whole updates stay as they
        came; the growing text of an answer is still sent as what was added.
        """
        whole = list(data)
        edits = super().handle_streaming_diffs(block_fn, data, *args, **kwargs)
        return [_replaced(*pair) for pair in zip(edits, whole, strict=True)]


def _paths(given: Any) -> Iterator[str]:
    """Those of all files in what an event was given."""
    if isinstance(given, dict) and "meta" in given and isinstance(given.get("path"), str):
        yield given["path"]
    elif isinstance(given, dict | list):
        for inner in given.values() if isinstance(given, dict) else given:
            yield from _paths(inner)


def _replaced(edits: Any, whole: Any) -> Any:
    is_edited = isinstance(whole, dict) and isinstance(edits, list) and edits
    return [["replace", [], whole]] if is_edited else edits


class _PageConfig(BlocksConfig):
    """The components and events of the page; each session gets a copy."""

    def __copy__(self) -> BlocksConfig:
        made: BlocksConfig = super().__copy__()  # type: ignore[no-untyped-call]
        made.__class__ = _SessionConfig
        return made


class _SessionConfig(BlocksConfig):
    """Does not describe components that a session shares with the page.

    Gradio keeps their descriptions for links to the state of a page, which this page does not offer. To make them takes
    40 ms of the one thread that serves everybody, and 1 MB, for each session, which each request of a program is.
    """

    @staticmethod
    def config_for_block(_id: int, rendered_ids: list[int], block: Any, renderable: Any = None) -> dict[str, Any]:
        return BlocksConfig.config_for_block(_id, rendered_ids, block, renderable) if renderable else {}
