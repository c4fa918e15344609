"""The text of a file that was opened for, or dropped on, a text box."""

from pathlib import Path

import gradio as gr

from playground import settings
from playground.data.decoding import open_text
from playground.data.text import clean_text
from playground.data.unpacking import check_size
from playground.errors import DataError
from playground.types import Stream
from playground.ui import render
from playground.ui.notices import Updates, guarded

TABLES = (".csv", ".tsv", ".jsonl", ".json", ".parquet", ".xlsx", ".conll", ".iob", ".bio", ".gz", ".zip")


def read_text(path: Path) -> str:
    """The whole text of a plain text file in whatever encoding.

    Raises:
        DataError: it is a table or no text.
        InputError: it is empty or too long.
    """
    if path.suffix.lower() in TABLES:
        raise DataError(f"{path.name} is a table, not one text; open it under 'Many texts at once' instead.")
    check_size(path)
    return clean_text(open_text(path, path.name).read(settings.MAX_TEXT_CHARS), f"text in {path.name}")


def build(box: gr.Textbox, notice: gr.HTML) -> None:
    """Adds the button that fills `box` from a file; the page's script sends files dropped on the box through it."""
    button = gr.UploadButton(
        "Open a text file", type="filepath", size="sm", variant="secondary", elem_classes="pg-open"
    )

    def fill(path: str | None) -> Stream[Updates]:
        if path is None:
            raise DataError("No file arrived; choose one again.")
        name = Path(path).name
        yield {box: read_text(Path(path)), notice: render.info(f"{name} was opened.")}

    button.upload(
        guarded(fill, notice), button, [box, notice], show_progress="hidden", api_visibility="private", queue=False
    )
