"""Any number of adapters and runs of one task beside each other: figures, settings that differ, and answers to the same
text.
"""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import gradio as gr

from playground.adapters.comparison import NOTHING, differences, measured_on, metrics_table, titles
from playground.adapters.record import AdapterRecord
from playground.adapters.store import NO_ADAPTER
from playground.engine.predict import predict_stream
from playground.engine.startup import EngineLoader
from playground.errors import InputError, PlaygroundError
from playground.tasks import Task, get_task, list_tasks
from playground.training import compared_settings
from playground.training.run_files import RunState
from playground.types import Row, Stream
from playground.ui import compared_runs, picker, render, stopping, task_fields
from playground.ui.events import QUIET
from playground.ui.notices import Updates, guarded, sentence_of
from playground.ui.task_tab import languages_for

PLACE = "compare"
OTHER_ROWS = (
    "These figures come from different rows, so they compare only roughly. Measure all on the same file (on the "
    "command line: adapters measure), or ask them the same text below."
)
NO_DIFFERENCE = "They are set up and trained alike."
Wanted = Sequence[AdapterRecord | None]
"""Adapters; None is the base alone."""


def build(loader: EngineLoader) -> None:
    with gr.Accordion("Compare adapters", open=False, elem_id="adapters-compare") as box:
        with gr.Row(equal_height=False):
            first = list_tasks()[0]
            task = gr.Dropdown(
                picker.task_choices(), value=first.name, label="Compare for", filterable=False, min_width=160, scale=1
            )
            adapters = gr.Dropdown([], multiselect=True, label="Adapters and runs to compare", min_width=260, scale=3)
        with gr.Row(elem_classes="pg-actions"):
            compare = gr.Button("Compare", variant="primary", elem_id="adapters-compare-run")
        tables = gr.HTML(elem_id="adapters-compare-tables")
        fields = task_fields.build("adapters-compare")
        with gr.Row(elem_classes="pg-actions"):
            ask = gr.Button("Ask all of them", elem_id="adapters-compare-ask")
            stop = gr.Button("Cancel", variant="stop", visible=False)
        notice = gr.HTML()
        answers = gr.HTML(elem_id="adapters-compare-answers")

    def refreshed(name: str, chosen: list[str]) -> Updates:
        pairs = [*picker.choices(picker.offered(get_task(name))), *compared_runs.choices(get_task(name))]
        kept = [key for _, key in pairs if key in chosen]
        return {adapters: gr.Dropdown(choices=pairs, value=kept), **task_fields.shown(fields, get_task(name))}

    def show(name: str, keys: list[str]) -> Stream[Updates]:
        records = [one for one in wanted(get_task(name), keys) if one is not None]
        yield {tables: view(records, compared_runs.chosen(keys)), notice: ""}

    def idle() -> Updates:
        return {ask: gr.Button(interactive=True), stop: gr.Button(visible=False)}

    def answer(name: str, keys: list[str], *values: Any) -> Stream[Updates]:
        found = get_task(name)
        asked = wanted(found, keys)
        if not asked:
            raise InputError("Runs without an adapter can't answer; choose adapters to ask.")
        yield {ask: gr.Button(interactive=False), stop: gr.Button(visible=True), notice: render.working("Working…")}
        for sides in answered(loader, found, task_fields.row_of(fields, found, values), asked):
            yield {answers: sides}
        yield {notice: ""}

    def speak(name: str, keys: list[str], *codes: str) -> list[Any]:
        adapters_alone = (key for key in keys if key != NO_ADAPTER and not key.startswith(compared_runs.PREFIX))
        return languages_for(get_task(name), next(adapters_alone, None), *codes)

    spoken = [fields.source, fields.target]
    gr.on([task.input, box.expand], refreshed, [task, adapters], [adapters, *fields.parts], **QUIET)
    adapters.input(speak, [task, adapters, *spoken], spoken, **QUIET)
    task.input(lambda: ("", "", ""), outputs=[tables, answers, notice], **QUIET)
    compare.click(guarded(show, notice), [task, adapters], [tables, notice], **QUIET)
    ask.click(
        stopping.until_stopped(PLACE, answer, notice, idle),
        [task, adapters, *fields.parts],
        [answers, notice, ask, stop],
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="once",
    )
    stop.click(stopping.stopper(PLACE), **QUIET)


def wanted(task: Task, keys: Sequence[str]) -> Wanted:
    """The adapters among those keys.

    Raises:
        AdapterError: one is gone or not for `task`; InputError: there are fewer than two keys.
    """
    if len(keys) < 2:
        raise InputError("There is nothing to compare yet; choose at least two adapters or runs.")
    return picker.all_chosen(task, [key for key in keys if not key.startswith(compared_runs.PREFIX)])


def view(records: Sequence[AdapterRecord], states: Sequence[RunState] = ()) -> str:
    """Figures and differences of adapters, then of runs without one.

    Raises:
        AdapterError: the settings of one can't be read.
    """
    _, *lines = metrics_table(records)
    columns = [*titles(records), *map(compared_runs.title, states)]
    lines = [[*line, *[NOTHING] * len(states)] for line in lines]
    standings = [compared_runs.standing(state) for state in states]
    for name in dict.fromkeys(name for one in standings for name in one):
        lines.append([name, *[NOTHING] * len(records), *(one.get(name, NOTHING) for one in standings)])
    hint = render.hint(OTHER_ROWS) if len(set(map(measured_on, records))) > 1 else ""
    of_adapter = compared_settings.of_adapter_beside_runs if states else compared_settings.of_adapter
    settings = [*map(of_adapter, records), *map(compared_settings.of_run, states)]
    names, *other = differences(columns, settings)
    apart = render.table(names, other) if other else f'<p class="pg-lead">{NO_DIFFERENCE}</p>'
    return (
        f'<section class="pg-result"><h3>What they reach</h3>{hint}{render.table(["", *columns], lines)}</section>'
        f'<section class="pg-result"><h3>What differs</h3>{apart}</section>'
    )


def answered(loader: EngineLoader, task: Task, row: Row, adapters: Wanted) -> Stream[str]:
    """The growing answers to the same row, one adapter after the other; one that can't answer says why in its place.

    Raises:
        PlaygroundError: the backbone is not ready.
    """
    engine = loader.engine()
    named = iter(titles([one for one in adapters if one is not None]))
    headings = ["No adapter" if one is None else next(named) for one in adapters]
    sides = [render.waiting(heading) for heading in headings]
    for place, (heading, adapter) in enumerate(zip(headings, adapters, strict=True)):
        try:
            with closing(predict_stream(engine, task, row, adapter)) as stream:
                for prediction in stream:
                    sides[place] = render.answer(task, prediction, heading)
                    yield render.sides(sides)
        except PlaygroundError as err:
            sides[place] = render.refused(heading, sentence_of(err))
            yield render.sides(sides)
