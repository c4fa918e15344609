"""What a training would take, told before it is started."""

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block

from playground.training.config import RunConfig
from playground.training.estimate import estimate
from playground.training.worker import NICENESS
from playground.types import Stream
from playground.ui import render
from playground.ui.notices import Updates

WAIT = "Trying a few steps and predictions; this takes about a minute…"


@dataclass(frozen=True)
class EstimateBox:
    ask: gr.Button
    outcome: gr.HTML
    take: gr.Button
    """Puts the settings that would fit into the form."""
    offer: gr.State
    """Those settings."""

    @property
    def shown(self) -> list[Block]:
        return [self.outcome, self.take, self.offer]


def told(box: EstimateBox, config: RunConfig) -> Stream[Updates]:
    """What the run of `config` would take or, where it can't fit, which settings would."""
    yield {box.outcome: render.working(WAIT), box.take: gr.Button(visible=False), box.offer: {}}
    found = estimate(config, NICENESS)
    tell = render.info if found.fits else render.problem
    yield {
        box.outcome: tell(found.in_words()),
        box.take: gr.Button(visible=bool(found.offer)),
        box.offer: dict[str, Any](found.offer or {}),
    }
