"""The head of the page: its name, and how far the backbone is."""

from typing import Any

import gradio as gr

from playground.engine.startup import EngineLoader, LoadStatus
from playground.ui import render

SECONDS_BETWEEN_LOOKS = 1.0
TITLE = "Polyglot Playground"
HEAD = f"""<header class="pg-head"><h1>{TITLE}</h1>
<p>One small pretrained backbone, many tasks, your language.</p></header>"""


def build(page: gr.Blocks, loader: EngineLoader) -> None:
    """Adds the head; call it outside the tabs, because a timer in a closed tab does not tick."""
    gr.HTML(HEAD)
    banner = gr.HTML(elem_id="backbone-status")
    timer = gr.Timer(SECONDS_BETWEEN_LOOKS)

    def look() -> tuple[Any, gr.Timer]:
        status = loader.status()
        return gr.HTML(banner_of(status), visible=status.state != "ready"), gr.Timer(active=status.state == "loading")

    for moment in (page.load, timer.tick):
        moment(look, outputs=[banner, timer], queue=False, show_progress="hidden", api_visibility="private")


def banner_of(status: LoadStatus) -> str:
    if status.state == "ready":
        return ""
    if status.state == "failed":
        return render.problem(status.message)
    doing = status.message.rstrip(".")
    sentence = f"The backbone is being prepared, {status.fraction:.0%}: {doing}. You can look around meanwhile."
    return f'<div class="pg-notice pg-info">{render.progress(status.fraction, sentence)}</div>'
