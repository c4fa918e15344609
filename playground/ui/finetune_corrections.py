"""The Fine-tune tab takes the answers that a person corrected as its rows, to train the adapter again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import Block

from playground import access
from playground.adapters import store
from playground.adapters.report_rows import answer_text, input_text
from playground.adapters.store import NO_ADAPTER
from playground.data.batch import write_rows
from playground.data.text import in_one_line
from playground.errors import DataError, InputError
from playground.tasks import Task, get_task, list_tasks
from playground.training import corrections
from playground.types import Row, Stream
from playground.ui import picker, render
from playground.ui.notices import Updates, guarded

LEAD = "What you corrected under the answers of the other tabs, and in reports."
NONE_YET = "Nothing yet: open “Wrong? Correct it” under an answer in the other tabs, or correct a row of a report."
ONE_INFO = "Each with what you said is right, the newest first."
MOST_SHOWN = 200
TITLE_CHARS = 60
FEW_ROWS = 300
"""With fewer, an answer, a summary or a translation is learnt from an adapter that can do it already."""
FRESH = ("A fresh adapter", "")
START_INFO = (
    "With few rows go on from an adapter of the task: a fresh one has everything to learn. Going on keeps what it can "
    "do: rows that it learnt from are repeated where they are still here, and the two are compared at the end on rows "
    "that neither learnt from."
)


@dataclass(frozen=True)
class CorrectionSource:
    task: gr.Dropdown
    use: gr.Button
    one: gr.Dropdown
    """Key of a correction."""
    withdraw: gr.Button
    forget: gr.Button
    undo: gr.Button
    gone: gr.State
    """Task and rows of the corrections that were deleted last."""
    outcome: gr.HTML

    @property
    def shown(self) -> list[Block]:
        return [self.task, self.one, self.withdraw, self.undo, self.gone, self.outcome]


def build() -> CorrectionSource:
    with gr.Accordion("Or take your corrections", open=False, elem_id="finetune-corrections") as area:
        gr.HTML(f'<p class="pg-lead">{LEAD}</p>')
        task = gr.Dropdown([], label="Corrections of", filterable=False, elem_id="finetune-corrected-task")
        use = gr.Button("Use these rows", size="sm", elem_id="finetune-use-corrections")
        one = gr.Dropdown([], label="One of them", info=ONE_INFO, visible=False, elem_id="finetune-correction")
        with gr.Row(elem_classes="pg-actions"):
            withdraw = gr.Button("Delete this one", size="sm", visible=False, elem_id="finetune-withdraw")
            forget = gr.Button("Delete them", size="sm")
            undo = gr.Button("Undo: put them back", size="sm", visible=False)
        outcome = gr.HTML()
    source = CorrectionSource(task, use, one, withdraw, forget, undo, gr.State(None), outcome)

    def deleted(name: str, rows: list[Row], said: str) -> Updates:
        undoing = gr.Button(visible=bool(rows))
        return {**refreshed(source, name), undo: undoing, source.gone: (name, rows), outcome: render.info(said)}

    def delete(name: str | None) -> Stream[Updates]:
        access.must_change()
        if not name:
            raise InputError(NONE_YET)
        yield deleted(name, corrections.forget(access.current().key, name), "The corrections are deleted.")

    def delete_one(name: str | None, key: str | None) -> Stream[Updates]:
        access.must_change()
        if not (name and key):
            raise InputError("No correction is chosen; choose one of them first.")
        yield deleted(name, [corrections.withdraw(access.current().key, name, key)], "The correction is deleted.")

    def put_back(gone: tuple[str, list[Row]] | None) -> Stream[Updates]:
        access.must_change()
        name, rows = gone or (None, [])
        if not name:
            raise InputError("There is nothing to put back.")
        corrections.put_back(access.current().key, name, rows)
        yield {**refreshed(source, name), source.gone: None, outcome: render.info("They are back.")}

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    area.expand(lambda: {**refreshed(source), outcome: ""}, outputs=source.shown, **quiet)
    task.input(lambda name: {**refreshed(source, name), outcome: ""}, task, source.shown, **quiet)
    withdraw.click(guarded(delete_one, outcome), [task, one], source.shown, **quiet)
    forget.click(guarded(delete, outcome), task, source.shown, **quiet)
    undo.click(guarded(put_back, outcome), source.gone, source.shown, **quiet)
    return source


def refreshed(source: CorrectionSource, name: str | None = None) -> Updates:
    """The tasks with corrections of the person at the page, how many there are, and those for the task called `name`.

    Without any for that one, the first task takes its place.
    """
    tasks = [] if access.problem() else list_tasks()
    rows = {task.name: corrections.rows_of(access.current().key, task.name) for task in tasks}
    choices = [(f"{task.title} ({len(rows[task.name]):,})", task.name) for task in tasks if rows[task.name]]
    names = [key for _, key in choices]
    chosen = name if name in names else next(iter(names), None)
    newest = rows[chosen][: -MOST_SHOWN - 1 : -1] if chosen else []
    ones = [(_title(get_task(chosen), row), corrections.key_of(row)) for row in newest] if chosen else []
    return {
        source.task: gr.Dropdown(choices=choices, value=chosen, info=None if choices else NONE_YET),
        source.one: gr.Dropdown(choices=ones, value=None, visible=bool(ones)),
        source.withdraw: gr.Button(visible=bool(ones)),
        source.undo: gr.Button(visible=False),
    }


def _title(task: Task, row: Row) -> str:
    """A correction in a line: how its input begins, and what is right."""
    given = in_one_line(input_text({field.name: row.get(field.name, "") for field in task.inputs}))
    right = in_one_line(answer_text(row.get(task.target), str(row.get("text", ""))))
    return f"{given[:TITLE_CHARS]} → {right[:TITLE_CHARS]}"


def as_file(name: str | None, folder: Path) -> Path:
    """The corrections for a task as a file.

    Raises:
        DataError: there are none.
    """
    access.must_change()
    owner = access.current().key
    rows = corrections.learnable(corrections.rows_of(owner, name)) if name else []
    if not (name and rows):
        raise DataError("There are no corrections yet; correct an answer under its result first.")
    path = folder / corrections.file_of(owner, name).name
    write_rows(path, rows, "jsonl")
    return path


def starts(task: str) -> list[tuple[str, str]]:
    """What a training for `task` may begin with."""
    return [FRESH, *((f"{one.name} ({picker.whose(one)})", one.name) for one in store.adapters_for((task,)))]


def usual_start(task: str) -> str:
    """What corrections are for: the adapter that was corrected last, or the one that answers by itself."""
    last = corrections.corrected_last(access.current().key, task)
    if last and last in (name for _, name in starts(task)):
        return last
    key = picker.default_key(get_task(task))
    return "" if key == NO_ADAPTER else key.partition("/")[2]


def start_for(task: str, num_rows: int) -> str:
    """What so many rows of an upload had best begin with; empty: a fresh adapter.

    A new head learns new labels from a few rows; to find, write or translate text takes many more.
    """
    is_head = get_task(task).shape in ("classify", "tag")
    return "" if is_head or task == "instruct" or num_rows >= FEW_ROWS else usual_start(task)


def with_starts(parent: gr.Dropdown, task: str, value: str = "") -> Updates:
    return {parent: gr.Dropdown(choices=starts(task), value=value)}
