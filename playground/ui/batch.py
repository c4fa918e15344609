"""Batch mode of a task's tab: a file of texts in, a file of answers out, in the same order."""

import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import gradio as gr
from gradio.components import Component

from playground.data.batch import read_inputs, write_rows
from playground.engine.predict import Prediction, predict_many
from playground.engine.startup import EngineLoader
from playground.errors import InputError
from playground.tasks import Task
from playground.types import Row, Stream
from playground.ui import picker, render, stopping
from playground.ui.notices import Updates

FILE_TYPES = [".csv", ".tsv", ".jsonl", ".json", ".txt", ".xlsx", ".parquet", ".gz"]
FORMATS = [("JSON Lines", "jsonl"), ("CSV", "csv")]
SECONDS_BETWEEN_UPDATES = 0.3
NUM_PREVIEW_ROWS = 5


def build(task: Task, loader: EngineLoader, choice: gr.Dropdown, languages: Mapping[str, Component]) -> None:
    """The batch part; it uses the tab's adapter `choice`, and its `languages` where a row names none."""
    with gr.Accordion("Many texts at once", open=False):
        gr.HTML(f'<p class="pg-lead">{_how_to(task)}</p>')
        with gr.Row(equal_height=False):
            with gr.Column(min_width=260):
                source = gr.File(label="File", file_types=FILE_TYPES, height=130, elem_id=f"{task.name}-batch-file")
                form = gr.Radio(FORMATS, value="jsonl", label="Format of the answers")
                with gr.Row(elem_classes="pg-actions"):
                    run = gr.Button("Process file", variant="primary")
                    stop = gr.Button("Cancel", variant="stop", visible=False)
            with gr.Column(min_width=260):
                notice = gr.HTML(render.empty("Progress and the file with the answers appear here."))
                result = gr.File(label="Answers", visible=False, interactive=False, elem_id=f"{task.name}-batch-result")
                preview = gr.HTML()

    def idle() -> Updates:
        return {run: gr.Button(interactive=True), stop: gr.Button(visible=False)}

    def process(path: str | None, extension: str, key: str, *codes: str) -> Stream[Updates]:
        if path is None:
            raise InputError("No file was chosen; drop a CSV, JSONL or TXT file first.")
        yield {
            run: gr.Button(interactive=False),
            stop: gr.Button(visible=True),
            notice: render.working("Reading the file…"),
            result: gr.File(value=None, visible=False),
            preview: "",
        }
        defaults = dict(zip(languages, codes, strict=True))
        rows = [_with_languages(row, defaults) for row in read_inputs(Path(path), task.name)]
        answered: list[Prediction] = []
        for status in _answers(task, loader, rows, key, answered):
            yield {notice: status}
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / f"{Path(path).name.split('.')[0]}-{task.name}.{extension}"
            write_rows(target, [output_row(prediction) for prediction in answered], extension)
            # Gradio copies the file to its cache while it handles this value, before the folder goes.
            yield {
                notice: render.info(_report(answered)),
                result: gr.File(value=str(target), visible=True),
                preview: _preview(task, answered),
            }

    place = f"{task.name} batch"
    run.click(
        stopping.until_stopped(place, process, notice, idle),
        [source, form, choice, *languages.values()],
        [notice, result, preview, run, stop],
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="once",
    )
    stop.click(stopping.stopper(place), queue=False, show_progress="hidden", api_visibility="private")


def _answers(task: Task, loader: EngineLoader, rows: list[Row], key: str, answered: list[Prediction]) -> Stream[str]:
    """Fills `answered` and yields the progress line now and then."""
    adapter = picker.chosen(task, key)
    start = shown = time.monotonic()
    with closing(predict_many(loader.engine(), task, rows, adapter)) as stream:
        for _, prediction in stream:
            if prediction.done:
                answered.append(prediction)
            now = time.monotonic()
            if now - shown >= SECONDS_BETWEEN_UPDATES:
                shown = now
                yield render.progress(len(answered) / len(rows), _pace(len(answered), len(rows), now - start))


def _with_languages(row: Row, defaults: Mapping[str, str]) -> Row:
    return row | {name: row.get(name) or code for name, code in defaults.items()}


def output_row(prediction: Prediction) -> Row:
    """The row as it goes to the file; what went wrong while reading it says more than what followed from that."""
    if not prediction.error:
        return prediction.row
    return prediction.row | {"error": prediction.row.get("error") or prediction.error}


def _pace(num_done: int, num_rows: int, elapsed_s: float) -> str:
    line = f"{num_done:,} of {num_rows:,} rows"
    if not num_done:
        return line
    left_s = (num_rows - num_done) * elapsed_s / num_done
    left = f"{left_s:.0f} s" if left_s < 90 else f"{left_s / 60:.0f} min"
    return f"{line} · {num_done / elapsed_s:.1f} a second · about {left} left"


def _report(answered: list[Prediction]) -> str:
    num_failed = sum(prediction.error is not None for prediction in answered)
    rows = "1 row was" if len(answered) == 1 else f"{len(answered):,} rows were"
    whose = "its" if num_failed == 1 else "their"
    failed = f" {num_failed:,} could not be answered; {whose} field 'error' says why." if num_failed else ""
    return f"{rows} processed, in the order of your file.{failed}"


def _preview(task: Task, answered: list[Prediction]) -> str:
    first = task.inputs[0]
    rows = [(str(item.row.get(first.name, "")), _short(task, item)) for item in answered[:NUM_PREVIEW_ROWS]]
    return render.table((first.label, task.output.capitalize()), rows)


def _short(task: Task, prediction: Prediction) -> str:
    """The answer of one row in a few words."""
    if prediction.error:
        return str(output_row(prediction)["error"])
    row = prediction.row
    value = row.get(task.output)
    if task.shape == "tag":
        return ", ".join(f"{row['text'][e['start'] : e['end']]} ({e['label']})" for e in value or []) or "none"
    if task.shape == "span":
        return value["text"] if value else "no answer"
    return str(value or "")


def _how_to(task: Task) -> str:
    fields = " and ".join(field.name for field in task.inputs if field.kind != "language")
    has_one_text = sum(field.kind != "language" for field in task.inputs) == 1
    plain = ", or a TXT file with one text in each line" if has_one_text else ""
    languages = any(field.kind == "language" for field in task.inputs)
    codes = "; rows without source_lang and target_lang take the languages chosen above" if languages else ""
    return f"CSV, TSV, JSONL, JSON, XLSX or Parquet with the column {fields}{plain}{codes}."
