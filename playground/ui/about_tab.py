"""The About tab: what runs here, with whose weights, and what happens to the visitor's texts."""

from html import escape

import gradio as gr

from playground import access, settings
from playground.backbones.catalogue import CATALOGUE
from playground.engine.startup import EngineLoader
from playground.errors import PlaygroundError
from playground.tasks import list_tasks
from playground.training import hub_keeper
from playground.ui import access_box
from playground.ui.visitors import Visitors


def build(loader: EngineLoader, visitors: Visitors | None) -> gr.Tab:
    tab = gr.Tab("About", id="about")
    with tab:
        if visitors:
            access_box.build(tab, visitors)
        text = gr.HTML(about(loader))
    tab.select(lambda: about(loader), outputs=text, queue=False, show_progress="hidden", api_visibility="private")
    return tab


def about(loader: EngineLoader) -> str:
    return f'<article class="pg-prose">{INTRODUCTION}{_backbone(loader)}{_programs()}{_privacy()}{LICENCE}</article>'


INTRODUCTION = """<h2>What this is</h2>
<p>One pretrained language model, the <em>backbone</em>, is loaded once and never changed. Small <em>adapters</em> of a
few megabytes teach it tasks: sentiment, entities, question answering, summaries, translation, or whatever you train
it for under Fine-tune. Each answer names the backbone and the adapter that gave it, and you can always compare with
the answer that the backbone gives alone.</p>
<p>The model is small and makes mistakes. Don't decide anything about people by its answers alone.</p>"""


def _backbone(loader: EngineLoader) -> str:
    try:
        backbone = loader.engine().backbone
    except PlaygroundError as error:
        return f"<h2>Backbone</h2><p>{escape(str(error))}</p>"
    known = CATALOGUE.get(backbone.id)
    licence = known.licence if known else "see its model card"
    weights = "full precision" if backbone.quantization == "none" else f"{backbone.quantization} weights"
    rows = (("Name", backbone.title), ("Identifier", backbone.id), ("Kind", backbone.family), ("Precision", weights))
    facts = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in (*rows, ("Licence", licence)))
    return f'<h2>Backbone</h2><dl class="pg-facts">{facts}</dl>'


def _programs() -> str:
    names = sorted({task.endpoint for task in list_tasks()} | {"chat"})
    listing = ", ".join(f"<code>/{escape(name)}</code>" for name in names)
    return f"""<h2>From your own programs</h2>
<p>The same answers come over HTTP with <code>gradio_client</code>: {listing}. The link "Use via API" at the foot of the
page shows how. On the command line: <code>python -m playground --help</code>.</p>"""


def _privacy() -> str:
    where = "on the server that hosts this page" if settings.is_shared() else "on this computer"
    return f"""<h2>Your texts</h2>
<p>Everything is computed {where}. Texts that you try are not stored, and none is sent anywhere else; uploaded files are
deleted after a day. Adapters that you train or import, runs with the rows that they learn from, and answers that you
correct stay until you delete them.</p>{_copy()}"""


def _copy() -> str:
    """What goes to the Hub, where the owner wants that."""
    if not settings.runs_repository():
        return ""
    state = f" {escape(hub_keeper.status())}" if access.current().is_owner else ""
    return f"""<p>One exception: runs with the rows that they learn from, corrections and adapters are copied to a
private repository that the owner of this page has on the Hugging Face Hub, so that a restart loses nothing. What is
deleted here is deleted there.{state}</p>"""


LICENCE = """<h2>Licence of the weights</h2>
<p>The embedded backbone is Gemma 3 270M. Gemma is provided under and subject to the Gemma Terms of Use found at
<a href="https://ai.google.dev/gemma/terms" target="_blank" rel="noopener noreferrer">ai.google.dev/gemma/terms</a>;
they also apply to the adapters made from it.</p>"""
