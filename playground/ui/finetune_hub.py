"""The Fine-tune tab takes a dataset of the Hugging Face Hub by its id, where the settings allow going online."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import gradio as gr

from playground import access, settings
from playground.training import hub_dataset
from playground.types import Stream
from playground.ui import adapters_hub, render, uploads
from playground.ui.notices import Updates

INFO = "Its usual config and its rows for training, unless you add @config/split."


@dataclass(frozen=True)
class HubSource:
    wanted: gr.Textbox
    use: gr.Button
    outcome: gr.HTML
    fetched: gr.State
    """Name of the last dataset asked for, if it came and can be read."""


def build() -> HubSource | None:
    if not settings.offers_hub_import():
        return None
    with gr.Accordion("Or a dataset of the Hugging Face Hub", open=False, elem_id="finetune-hub"):
        wanted = gr.Textbox(
            label="Dataset",
            info=INFO,
            placeholder=hub_dataset.EXAMPLE,
            max_lines=1,
            elem_id="finetune-hub-id",
        )
        use = gr.Button("Use these rows", size="sm", elem_id="finetune-use-hub")
        outcome = gr.HTML(elem_id="finetune-hub-outcome")
        fetched = gr.State("")
    return HubSource(wanted, use, outcome, fetched)


def take(source: HubSource, file: gr.File, text: str) -> Stream[Updates]:
    """The dataset that `text` names, as the uploaded `file`.

    Raises:
        PlaygroundError: the person may not, there is no room for it, or it can't be had; see `hub_dataset`.
    """
    yield {source.fetched: "", source.outcome: render.working("Looking for the dataset…")}
    access.must_change()
    uploads.must_have_room()
    api = adapters_hub.connect_to_read()
    found = hub_dataset.find(text, api)
    yield {source.outcome: render.working(f"Fetching {found}")}
    with TemporaryDirectory() as folder:
        path = hub_dataset.fetch(found, Path(folder), api)
        uploads.take_room(path.stat().st_size)
        # Gradio copies the file to its cache while it handles this value, before the folder goes.
        yield {file: str(path), source.fetched: f"{settings.HUB}{found.name}", source.outcome: render.info(str(found))}
