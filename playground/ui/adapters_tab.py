"""The Adapters tab: what there is, what it is worth, and moving adapters in and out."""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from playground import access, settings
from playground.adapters import edit, store, transfer
from playground.adapters.record import REPORT_FILE, AdapterRecord
from playground.engine.startup import EngineLoader
from playground.errors import DataError
from playground.training import quota
from playground.types import Stream
from playground.ui import (
    adapter_actions,
    adapter_arrival,
    adapters_compare,
    adapters_hub,
    picker,
    render,
    report_panel,
)
from playground.ui.adapter_actions import Undo
from playground.ui.adapter_card import card
from playground.ui.events import QUIET
from playground.ui.notices import Updates, guarded
from playground.ui.reported import Reported

ALL_TASKS = "all"
SCROLL_TO_REPORT = "() => document.getElementById('adapters-report')?.scrollIntoView({block: 'start'})"


@dataclass(frozen=True)
class Shelf:
    """What the cards act on."""

    notice: gr.HTML
    revision: gr.State
    report: report_panel.ReportPanel
    reported: gr.State
    """Key of the adapter whose report is open."""


def build(loader: EngineLoader) -> gr.Tab:
    tab = gr.Tab("Adapters", id="adapters")
    with tab:
        gr.HTML(
            '<p class="pg-lead">An adapter is a few megabytes that teach the backbone one task. '
            "Make your own under Fine-tune, or import one that somebody gave you.</p>"
        )
        revision = gr.State("")
        notice, refusal = gr.HTML(), gr.HTML(elem_id="adapters-refusal")
        adapters_hub.build_login()
        undo = Undo(notice, revision, _revision)
        with gr.Row(equal_height=False):
            shown_task = gr.Dropdown(_task_choices(), value=ALL_TASKS, label="Task", filterable=False, min_width=200)
            named = gr.Textbox(
                label="Name for what is imported",
                placeholder="its own",
                max_lines=1,
                min_width=160,
                visible=not settings.is_read_only(),
            )
            adapters_hub.build_import(loader, named, notice, revision, _revision)
            archive = gr.File(
                label="Import a .zip file",
                elem_id="adapters-import",
                file_types=[".zip"],
                height=140,
                min_width=200,
                visible=not settings.is_read_only(),
            )
        shelf = Shelf(notice, revision, report_panel.build("adapters-report", can_close=True), gr.State(""))
        report_panel.wire(shelf.report, [shelf.reported], reported)
        adapters_compare.build(loader)
        _wire_import(loader, archive, named, notice, revision)
        tab.select(lambda: _allowed(archive, named, refusal), outputs=[archive, named, refusal], **QUIET)
        _cards(tab, shown_task, shelf, undo)
    return tab


def _allowed(archive: gr.File, named: gr.Textbox, refusal: gr.HTML) -> Updates:
    """What the present person may do here, and if not, why."""
    problem = access.problem()
    return {
        archive: gr.File(visible=not problem),
        named: gr.Textbox(visible=not problem),
        refusal: render.hint(problem) if problem else "",
    }


def _task_choices() -> list[tuple[str, str]]:
    return [("All tasks", ALL_TASKS), *picker.task_choices()]


def _wire_import(
    loader: EngineLoader, archive: gr.File, named: gr.Textbox, notice: gr.HTML, revision: gr.State
) -> None:
    def bring_in(path: str | None, name: str, arrived: list[AdapterRecord]) -> Stream[Updates]:
        access.must_change()
        if path is None:
            raise DataError("No file arrived; choose the .zip file of an adapter.")
        yield {notice: render.working("Checking the adapter…")}
        quota.check_disk(Path(path).stat().st_size)
        record = transfer.import_zip(Path(path), loader.backbone_id, name=name.strip() or None)
        adapter_arrival.must_fit(record)
        arrived.append(record)
        yield {notice: render.working("Waiting for its check…"), revision: _revision(), named: ""}

    waiting = gr.State([])
    importing = archive.upload(
        guarded(bring_in, notice, lambda: {archive: None}),
        [archive, named, waiting],
        [notice, revision, archive, named],
        show_progress="hidden",
        api_visibility="private",
    )
    adapter_arrival.check_after(importing, waiting, notice, revision, _revision)


def _revision() -> str:
    """Another one whenever there are other adapters to show."""
    usable = [
        f"{picker.key_of(record)} {record.origin} {record.created} {store.is_unchecked(record)}"
        for record in store.list_adapters()
    ]
    broken = [f"{folder} {reason}" for folder, reason in store.list_broken()]
    return "\n".join(["adapters", *usable, *broken, *(str(removed.path) for removed in edit.list_removed())])


def _cards(tab: gr.Tab, shown_task: gr.Dropdown, shelf: Shelf, undo: Undo) -> None:
    # Cards are only drawn anew when others are there: a click on one that is being replaced would fail. What sets the
    # revision is queued, since only then does the page hear that it has changed.
    tab.select(_revision, outputs=shelf.revision, show_progress="hidden", api_visibility="private")

    @gr.render(  # type: ignore[untyped-decorator]
        inputs=[shown_task],
        triggers=[shown_task.change, shelf.revision.change],
        show_progress="hidden",
        queue=False,
    )
    def show(task: str) -> None:
        found = store.list_adapters(None if task == ALL_TASKS else task)
        # What one made oneself is what one comes for.
        records = sorted(found, key=lambda record: record.origin == "shipped")
        if not records:
            gr.HTML(render.empty("There is no adapter for this task yet. Train one under Fine-tune, or import a file."))
        with gr.Row(equal_height=False):
            for record in records:
                _one(record, shelf, undo)
        for folder, reason in store.list_broken():
            adapter_actions.build_broken(folder, reason, shelf.notice, shelf.revision, undo, _revision)
        adapter_actions.build_removed(shelf.notice, shelf.revision, _revision)


def _one(record: AdapterRecord, shelf: Shelf, undo: Undo) -> None:
    with gr.Column(elem_classes="pg-card", min_width=420, key=picker.key_of(record)):
        gr.HTML(card(record))
        outcome = gr.HTML("")
        download = gr.File(label="Download", visible=False, interactive=False, height=70)
        with gr.Row(elem_classes="pg-actions"):
            adapter_actions.build_export(record, outcome, download)
            adapter_actions.build_check(record, outcome, shelf.notice, shelf.revision, _revision)
            if REPORT_FILE in record.files:
                _report_button(record, shelf, outcome)
            if record.origin == "own" and not access.problem():
                adapter_actions.build_deletion(record, shelf.notice, shelf.revision, undo, _revision)
        adapters_hub.build_push(record, outcome)
        if not access.problem():
            adapter_actions.build_names(record, outcome, shelf.notice, shelf.revision, _revision)


def _report_button(record: AdapterRecord, shelf: Shelf, outcome: gr.HTML) -> None:
    key = picker.key_of(record)

    def show(request: gr.Request) -> Stream[Updates]:
        updates = report_panel.opened(shelf.report, reported(request, key), is_open=True)
        yield updates | {shelf.reported: key, outcome: ""}

    guarded_show = guarded(show, outcome)

    def on_click(request: gr.Request) -> Stream[Updates]:
        yield from guarded_show(request)

    asked = gr.Button("Report", size="sm").click(
        on_click, outputs=[*shelf.report.outputs, shelf.reported, outcome], **QUIET
    )
    asked.then(None, js=SCROLL_TO_REPORT, **QUIET)


def reported(request: gr.Request, key: str) -> Reported:
    """The adapter of that key, with its rows for the one who made it, or who is at this very machine: others uploaded
    theirs in trust.

    Raises:
        AdapterError: it is gone.
    """
    task, _, name = key.partition("/")
    record, person = store.find(task, name), access.current()
    is_theirs = bool(person.key) and record.owner == person.key
    return Reported(record, shows_rows=is_theirs or (person.is_owner and is_owners_browser(request)))


def is_owners_browser(request: gr.Request) -> bool:
    return settings.is_shared() or is_at_this_machine(request)


def is_at_this_machine(request: gr.Request) -> bool:
    """Whether the browser runs where the app does; behind a proxy nobody can tell."""
    host = request.client.host if request.client else ""
    is_forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    return host in ("127.0.0.1", "::1") and not is_forwarded and not settings.on_space()
