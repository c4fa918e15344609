"""A small box to try the adapter of a finished run, whatever its task."""

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from playground.adapters import store
from playground.engine.startup import EngineLoader
from playground.errors import InputError
from playground.tasks import Field, Task, get_task
from playground.training import runs
from playground.training.run_files import RunState
from playground.types import Stream
from playground.ui import languages, render, rows, stopping, task_tab
from playground.ui.notices import Updates

PLACE = "fine-tune"


@dataclass(frozen=True)
class TryBox:
    area: gr.Column
    text: gr.Textbox
    line: gr.Textbox
    source: gr.Dropdown
    target: gr.Dropdown
    ask: gr.Button
    stop: gr.Button
    notice: gr.HTML
    answer: gr.HTML

    @property
    def fields(self) -> list[Component]:
        return [self.text, self.line, self.source, self.target]


def build() -> TryBox:
    with gr.Column(visible=False) as area, gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            text = gr.Textbox(label="Text", lines=4, max_lines=12, elem_id="finetune-try-text")
            line = gr.Textbox(label="Question", max_lines=1, elem_id="finetune-try-line")
            with gr.Row():
                source = gr.Dropdown(languages.choices(), value="en", label="From", min_width=140)
                target = gr.Dropdown(languages.choices(), value="es", label="To", min_width=140)
            with gr.Row(elem_classes="pg-actions"):
                ask = gr.Button("Try it", variant="primary", elem_id="finetune-try")
                stop = gr.Button("Cancel", variant="stop", visible=False)
        with gr.Column(min_width=300):
            notice = gr.HTML()
            answer = gr.HTML(elem_id="finetune-try-result")
    return TryBox(area, text, line, source, target, ask, stop, notice, answer)


def shown(box: TryBox, state: RunState) -> Updates:
    """The box with the inputs of the run's task; hidden while there is no adapter."""
    if state.is_active or state.adapter is None:
        return {box.area: gr.Column(visible=False), box.answer: ""}
    task = get_task(state.config.task)
    updates: Updates = {box.area: gr.Column(visible=True), box.ask: gr.Button(task.action, interactive=True)}
    for part, field in _placed(box, task):
        updates[part] = _look(part, field)
    return updates


def _look(part: Component, field: Field | None) -> Any:
    kind: Any = gr.Textbox if isinstance(part, gr.Textbox) else gr.Dropdown
    if field is None:
        return kind(visible=False)
    more: dict[str, Any] = {"placeholder": field.placeholder} if kind is gr.Textbox else {}
    return kind(label=field.label, visible=True, **more)


def _placed(box: TryBox, task: Task) -> list[tuple[Component, Field | None]]:
    """Each part of the box with the input of `task` that it takes."""
    texts = [field for field in task.inputs if field.kind != "language"]
    spoken = [field for field in task.inputs if field.kind == "language"]
    pairs = zip(box.fields, (*_padded(texts), *_padded(spoken)), strict=True)
    return list(pairs)


def _padded(fields: list[Field]) -> tuple[Field | None, Field | None]:
    first, second, *_ = [*fields, None, None]
    return first, second


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
        [box.ask.click, box.line.submit],
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
    by_name = {
        field.name: value for (_, field), value in zip(_placed(box, task), values, strict=True) if field is not None
    }
    row = rows.row_of(task, [by_name[field.name] for field in task.inputs])
    adapter = store.find(task.name, state.adapter)
    # The base knows labels of one's own from a prompt with rows of the run, which only the run has.
    knows_labels = task.shape != "classify" or set(adapter.labels) <= set(task.labels)
    has_base = knows_labels and bool(state.report and state.report["base"])
    yield from task_tab.views(task, loader, row, adapter, compares=has_base)
