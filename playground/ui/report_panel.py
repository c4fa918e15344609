"""The report of an adapter in the page: its figures, the held-out rows to look through, and both to take away."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from playground.adapters.record import REPORT_FILE, AdapterRecord
from playground.adapters.report import PAGE_FILE, read_report
from playground.adapters.report_page import page
from playground.adapters.report_rows import KINDS, ORDERS, DetailedRow, labels_of, row_list, selected
from playground.adapters.report_view import sections
from playground.adapters.store import read_verified
from playground.errors import AdapterError
from playground.tasks.languages import LANGUAGES
from playground.types import Stream
from playground.ui import render, report_corrections
from playground.ui.events import QUIET
from playground.ui.notices import Updates, guarded
from playground.ui.report_corrections import RowCorrection
from playground.ui.reported import Reported

ANY = ""
NUM_ROWS_SHOWN = 100
NO_ROWS = "The rows that it was measured on are not on this machine, or not for everybody; the figures are."
TAKING_ALONG = "The page to download holds these rows too; an exported adapter holds the figures only."


@dataclass(frozen=True)
class ReportPanel:
    area: gr.Column
    figures: gr.HTML
    browser: gr.Row
    """The choices below, hidden where there are no rows."""
    kind: gr.Dropdown
    label: gr.Dropdown
    language: gr.Dropdown
    order: gr.Dropdown
    rows: gr.HTML
    correction: RowCorrection
    download: gr.Button
    close: gr.Button
    files: gr.File
    notice: gr.HTML

    @property
    def choices(self) -> list[Component]:
        return [self.kind, self.label, self.language, self.order]

    @property
    def outputs(self) -> list[Block]:
        own = [getattr(self, name) for name in self.__dataclass_fields__ if name != "correction"]
        return [*own, *self.correction.shown]


def build(elem_id: str, *, can_close: bool = False) -> ReportPanel:
    def choice(name: str, label: str, choices: Sequence[tuple[str, str]]) -> gr.Dropdown:
        return gr.Dropdown(
            choices,
            value=choices[0][1],
            label=label,
            filterable=False,
            min_width=160,
            elem_id=f"{elem_id}-{name}",
        )

    with gr.Column(visible=False, elem_id=elem_id) as area:
        figures = gr.HTML()
        with gr.Row(visible=False) as browser:
            kind = choice("kind", "Rows", [(title, name) for name, title in KINDS.items()])
            label = choice("label", "Label", [("Any", ANY)])
            language = choice("language", "Language", [("Any", ANY)])
            order = choice("order", "Order", [(title, name) for name, title in ORDERS.items()])
        rows = gr.HTML(elem_id=f"{elem_id}-rows")
        correction = report_corrections.build(elem_id)
        with gr.Row(elem_classes="pg-actions"):
            download = gr.Button("Download the report", size="sm")
            close = gr.Button("Close the report", size="sm", visible=can_close)
        files = gr.File(label="Report", file_count="multiple", visible=False, interactive=False, height=140)
        notice = gr.HTML()
    return ReportPanel(
        area, figures, browser, kind, label, language, order, rows, correction, download, close, files, notice
    )


def wire(panel: ReportPanel, inputs: Sequence[Component], reported: Callable[..., Reported]) -> None:
    """Lets the choices and the download act on the adapter that `reported` gives for the values of `inputs`.

    Args:
        reported: also gets the request; raises PlaygroundError where there is nothing to see.
    """

    def narrow(request: gr.Request, *values: str) -> Stream[Updates]:
        about = reported(request, *values[: len(inputs)])
        yield _rows_shown(panel, about, *values[len(inputs) :])

    def take(request: gr.Request, *values: str) -> Stream[Updates]:
        with tempfile.TemporaryDirectory() as folder:
            # Gradio copies the files to its cache while it handles this value, before the folder goes.
            paths = write_files(reported(request, *values), Path(folder))
            yield {panel.files: gr.File(value=[str(path) for path in paths], visible=True)}

    changed = guarded(narrow, panel.notice)
    taken = guarded(take, panel.notice)

    # Gradio hands the request over by the annotation of the function that it calls.
    def on_choice(request: gr.Request, *values: str) -> Stream[Updates]:
        yield from changed(request, *values)

    def on_download(request: gr.Request, *values: str) -> Stream[Updates]:
        yield from taken(request, *values)

    narrowed = [panel.rows, *panel.correction.shown]
    for part in (panel.kind, panel.label, panel.language, panel.order):
        part.input(on_choice, [*inputs, *panel.choices], [*narrowed, panel.notice], **QUIET)
    panel.download.click(on_download, list(inputs), [panel.files, panel.notice], **QUIET)
    report_corrections.wire(panel.correction, inputs, reported)
    panel.close.click(lambda: closed(panel), outputs=[panel.area, panel.figures, panel.rows], **QUIET)


def opened(panel: ReportPanel, about: Reported, *, is_open: bool) -> Updates:
    """The panel with the report.

    Args:
        is_open: whether its first part is unfolded.

    Raises:
        AdapterError: there is none, or it was changed or damaged.
    """
    report = _report_of(about.record)
    rows = about.rows
    labels = sorted({label for row in rows for label in labels_of(row, about.record.shape)})
    languages = sorted({str(row["lang"]) for row in rows if row["lang"]})
    return {
        panel.area: gr.Column(visible=True),
        panel.figures: _figures_view(about.record, sections(report), is_open=is_open),
        panel.browser: gr.Row(visible=bool(rows)),
        panel.kind: next(iter(KINDS)),
        panel.label: _choice(labels, {}),
        panel.language: _choice(languages, LANGUAGES),
        panel.order: next(iter(ORDERS)),
        **_rows_shown(panel, about),
        panel.files: gr.File(value=None, visible=False),
        panel.notice: "",
    }


def closed(panel: ReportPanel) -> Updates:
    return {panel.area: gr.Column(visible=False), panel.figures: "", panel.rows: ""}


def write_files(about: Reported, folder: Path) -> list[Path]:
    """The report as a page, with the rows that the person may see, and as figures.

    Raises:
        AdapterError: there is none, or it was changed or damaged.
    """
    record = about.record
    made = page(f"{record.task}/{record.name}", _report_of(record), selected(about.rows, record.shape))
    contents = {PAGE_FILE: made.encode(), REPORT_FILE: read_verified(record, REPORT_FILE)}
    paths = []
    for name, content in contents.items():
        path = folder / f"{record.task}-{record.name}-{name}"
        path.write_bytes(content)
        paths.append(path)
    return paths


def _report_of(record: AdapterRecord) -> dict[str, object]:
    report = read_report(record)
    if report is None:
        raise AdapterError(f"{record.title} has no report; measure it with `adapters measure` to get one.")
    return report


def _choice(names: Sequence[str], titles: dict[str, str]) -> gr.Dropdown:
    choices = [("Any", ANY), *((titles.get(name, name), name) for name in names)]
    return gr.Dropdown(choices=choices, value=ANY, visible=len(names) > 1)


def _figures_view(record: AdapterRecord, parts: Sequence[tuple[str, str]], *, is_open: bool) -> str:
    head = f"<h3>Report: <bdi>{escape(record.name)}</bdi></h3>"
    unfolded = [" open" if is_open and not place else "" for place in range(len(parts))]
    return head + "".join(
        f'<details class="pg-part"{flag}><summary>{escape(title)}</summary>{body}</details>'
        for flag, (title, body) in zip(unfolded, parts, strict=True)
    )


def _rows_shown(
    panel: ReportPanel,
    about: Reported,
    kind: str = "all",
    label: str = ANY,
    language: str = ANY,
    order: str = "worst",
) -> Updates:
    """The rows that are chosen, and the box to correct one of them."""
    rows = about.rows
    found = selected(rows, about.record.shape, kind=kind, label=label, language=language, order=order)
    offered = report_corrections.offered(panel.correction, about, found[:NUM_ROWS_SHOWN])
    return {panel.rows: _rows_view(rows, found, about.before), **offered}


def _rows_view(rows: Sequence[DetailedRow], found: Sequence[DetailedRow], before: str) -> str:
    if not rows:
        return f'<p class="pg-lead">{NO_ROWS}</p>'
    shown = found[:NUM_ROWS_SHOWN]
    count = f"{len(found):,} of {len(rows):,} rows" + (f", {len(shown)} shown" if len(shown) < len(found) else "")
    lead = f'<p class="pg-lead">{count}; {before.lower()} → adapter, from 0 to 100. {TAKING_ALONG}</p>'
    return (
        f'{lead}<div class="pg-rows">{row_list(shown, before)}</div>'
        if shown
        else lead + render.empty("No row is like this.")
    )
