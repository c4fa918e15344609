"""How the answers of one event, given bit by bit, reach the browser."""

from typing import Any

import gradio as gr


class WholeUpdates(gr.Blocks):
    """A page of which no update is lost when the next one comes at once.

    Gradio sends each update as edits of the one before, and the browser edits in place: a component whose next update
    says nothing new loses the one before if the browser had not shown that yet. Whole updates stay as they came; the
    growing text of an answer is still sent as what was added.
    """

    def handle_streaming_diffs(self, block_fn: Any, data: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """`data`, one item for each output, with edits (``[action, path, value]``) in place of what was sent before."""
        whole = list(data)
        edits = super().handle_streaming_diffs(block_fn, data, *args, **kwargs)
        return [_replaced(*pair) for pair in zip(edits, whole, strict=True)]


def _replaced(edits: Any, whole: Any) -> Any:
    is_edited = isinstance(whole, dict) and isinstance(edits, list) and edits
    return [["replace", [], whole]] if is_edited else edits
