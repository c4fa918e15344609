"""A small box to try the adapter of a run, whatever its task."""

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from playground.adapters import store
from playground.chat.talk import heard
from playground.engine.startup import EngineLoader
from playground.errors import InputError
from playground.tasks import get_task
from playground.training import runs
from playground.training.run_files import RunState
from playground.types import Stream
from playground.ui import render, stopping, task_fields, task_tab
from playground.ui.notices import Updates
from playground.ui.task_fields import TaskFields

PLACE = "fine-tune"


@dataclass(frozen=True)
class TryBox:
    area: gr.Column
    inputs: TaskFields
    ask: gr.Button
    stop: gr.Button
    notice: gr.HTML
    answer: gr.HTML

    @property
    def fields(self) -> list[Component]:
        return self.inputs.parts


def build() -> TryBox:
    with gr.Column(visible=False) as area, gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            inputs = task_fields.build("finetune-try")
            with gr.Row(elem_classes="pg-actions"):
                ask = gr.Button("Try it", variant="primary", elem_id="finetune-try")
                stop = gr.Button("Cancel", variant="stop", visible=False)
        with gr.Column(min_width=300):
            notice = gr.HTML()
            answer = gr.HTML(elem_id="finetune-try-result")
    return TryBox(area, inputs, ask, stop, notice, answer)


def shown(box: TryBox, state: RunState, *, is_new: bool) -> Updates:
    """The box with the inputs of the run's task; hidden while there is no adapter to use.

    A translation begins with the commonest languages of the rows, as long as the person has chosen none: when the run
    is new to the page, or its adapter was just saved.
    """
    if not state.has_usable_adapter:
        return {box.area: gr.Column(visible=False), box.answer: ""}
    task = get_task(state.config.task)
    begins = is_new or not state.report
    return {
        box.area: gr.Column(visible=True),
        box.ask: gr.Button(task.action, interactive=True),
        **task_fields.shown(box.inputs, task, state.material.get("direction", ()) if begins else ()),
    }


def wire(box: TryBox, loader: EngineLoader, run_key: gr.BrowserState) -> None:
    def idle() -> Updates:
        return {box.ask: gr.Button(interactive=True), box.stop: gr.Button(visible=False)}

    def answer(run_id: str | None, *values: Any) -> Stream[Updates]:
        yield {
            box.ask: gr.Button(interactive=False),
            box.stop: gr.Button(visible=True),
            box.notice: render.working("Working…"),
        }
        for view in views(box, loader, run_id, values):
            yield {box.answer: view}
        yield {box.notice: ""}

    outputs = [box.answer, box.notice, box.ask, box.stop]
    gr.on(
        [box.ask.click, box.inputs.line.submit],
        stopping.until_stopped(PLACE, answer, box.notice, idle),
        [run_key, *box.fields],
        outputs,
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="once",
    )
    box.stop.click(stopping.stopper(PLACE), queue=False, show_progress="hidden", api_visibility="private")


def views(box: TryBox, loader: EngineLoader, run_id: str | None, values: tuple[Any, ...]) -> Stream[str]:
    """The growing answer of the run's adapter, then the base's beside it where the base can answer."""
    state = runs.read_run(run_id or "")
    if state.adapter is None:
        raise InputError("This run has no adapter to try.")
    task = get_task(state.config.task)
    row = task_fields.row_of(box.inputs, task, values)
    adapter = store.find(task.name, state.adapter)
    if task.name == "instruct":
        row = {"messages": heard([{"role": "user", "content": row["prompt"]}], adapter)}
    # The base knows labels of one's own from a prompt with rows of the run, which only the run has.
    knows_labels = task.shape != "classify" or set(adapter.labels) <= set(task.labels)
    has_base = knows_labels and bool(state.report and state.report["base"])
    yield from task_tab.views(task, loader, row, adapter, compares=has_base)
