"""The Fine-tune tab takes the answers that a person corrected as its rows, to train the adapter again."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from playground import access
from playground.adapters import store
from playground.adapters.store import NO_ADAPTER
from playground.errors import DataError
from playground.tasks import get_task, list_tasks
from playground.training import corrections
from playground.ui import picker, render
from playground.ui.notices import Updates

LEAD = "What you corrected under the answers of the other tabs, and in reports."
NONE_YET = "Nothing yet: open “Wrong? Correct it” under an answer in the other tabs, or correct a row of a report."
FRESH = ("A fresh adapter", "")
START_INFO = (
    "Going on from an adapter keeps what it can do: rows that it learnt from are repeated where they are still here, "
    "and the two are compared at the end."
)


@dataclass(frozen=True)
class CorrectionSource:
    task: gr.Dropdown
    use: gr.Button
    forget: gr.Button
    outcome: gr.HTML


def build() -> CorrectionSource:
    with gr.Accordion("Or take your corrections", open=False, elem_id="finetune-corrections") as area:
        gr.HTML(f'<p class="pg-lead">{LEAD}</p>')
        task = gr.Dropdown([], label="Corrections of", filterable=False, elem_id="finetune-corrected-task")
        with gr.Row(elem_classes="pg-actions"):
            use = gr.Button("Use these rows", size="sm", elem_id="finetune-use-corrections")
            forget = gr.Button("Delete them", size="sm")
        outcome = gr.HTML()
    source = CorrectionSource(task, use, forget, outcome)

    def delete(name: str | None) -> Updates:
        if name:
            access.must_change()
            corrections.forget(access.current().key, get_task(name).name)
        return {**refreshed(source), outcome: render.info("The corrections are deleted.") if name else ""}

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    area.expand(lambda: {**refreshed(source), outcome: ""}, outputs=[task, outcome], **quiet)
    forget.click(delete, task, [task, outcome], **quiet)
    return source


def refreshed(source: CorrectionSource) -> Updates:
    """The tasks with corrections of the person at the page, and how many there are."""
    tasks = [] if access.problem() else list_tasks()
    counts = [(task, len(corrections.rows_of(access.current().key, task.name))) for task in tasks]
    choices = [(f"{task.title} ({count:,})", task.name) for task, count in counts if count]
    first = choices[0][1] if choices else None
    return {source.task: gr.Dropdown(choices=choices, value=first, info=None if choices else NONE_YET)}


def as_file(name: str | None, folder: Path) -> Path:
    """A copy of the corrections for a task.

    Raises:
        DataError: there are none.
    """
    access.must_change()
    path = corrections.file_of(access.current().key, name) if name else None
    if path is None or not path.is_file():
        raise DataError("There are no corrections yet; correct an answer under its result first.")
    return Path(shutil.copy(path, folder))


def starts(task: str) -> list[tuple[str, str]]:
    """What a training for `task` may begin with."""
    return [FRESH, *((f"{one.name} ({picker.whose(one)})", one.name) for one in store.adapters_for((task,)))]


def usual_start(task: str) -> str:
    """What corrections are for: the adapter that answers when nothing else is chosen."""
    key = picker.default_key(get_task(task))
    return "" if key == NO_ADAPTER else key.partition("/")[2]


def with_starts(parent: gr.Dropdown, task: str, value: str = "") -> Updates:
    return {parent: gr.Dropdown(choices=starts(task), value=value)}
