"""What can be done with the adapter of one card: check, export, rename, duplicate, delete and undo."""

import tempfile
import zipfile
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from playground import access
from playground.adapters import edit, store
from playground.adapters.edit import Removed
from playground.adapters.record import AdapterRecord
from playground.errors import AdapterError
from playground.exporting.formats import FORMATS, check, get_format
from playground.training import quota
from playground.types import Stream
from playground.ui import picker, render, uploads
from playground.ui.adapter_card import size_bytes
from playground.ui.commands import run_command
from playground.ui.events import QUIET
from playground.ui.notices import Updates, guarded

HEAVY: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "concurrency_limit": 1,
    "concurrency_id": "copies",
}
"""Of events that load the backbone a second time: one at a time, over all visitors."""


def must_be_seen(record: AdapterRecord) -> None:
    """Raises AdapterError unless the one who asks sees `record`: buttons answer to whoever names a page's session."""
    store.find(record.task, record.name)


def build_check(
    record: AdapterRecord, outcome: gr.HTML, notice: gr.HTML, revision: gr.State, now: Callable[[], str]
) -> None:
    def verify() -> Stream[Updates]:
        try:
            must_be_seen(record)
        except AdapterError as err:  # renamed or deleted on another page; its card goes now
            yield {notice: render.problem(str(err))}
            return
        is_drawn_anew = store.is_unchecked(record)
        yield {outcome: render.working("Checking the files…")}
        store.verify(record)
        printed = yield from watched(["adapters", "verify", picker.key_of(record)], outcome)
        yield {notice if is_drawn_anew else outcome: render.info(printed.replace("\n", " "))}

    checking = gr.Button("Verify", size="sm").click(guarded(verify, outcome), outputs=[outcome, notice], **HEAVY)
    # In an event of its own: see `adapter_arrival.check_after`.
    checking.then(now, outputs=revision, show_progress="hidden", api_visibility="private")


def build_export(record: AdapterRecord, outcome: gr.HTML, download: gr.File) -> None:
    chosen = gr.Dropdown(
        [(one.title, one.name) for one in FORMATS.values()],
        value="zip",
        label="Export as",
        filterable=False,
        interactive=True,
        min_width=160,
        scale=2,
    )

    def export(format_name: str) -> Stream[Updates]:
        must_be_seen(record)
        wanted = get_format(format_name)
        check(record, wanted)
        with tempfile.TemporaryDirectory() as folder:
            yield {outcome: render.working("Waiting for its turn…"), download: gr.File(visible=False)}
            words = ["adapters", "export", picker.key_of(record), "--format", wanted.name, "--output", folder]
            path = Path((yield from watched(words, outcome)))
            if path.is_dir():
                yield {outcome: render.working("Packing the folder…")}
                path = _packed(path)
            uploads.take_room(path.stat().st_size)
            done = f"{wanted.title}: {wanted.summary}. It was loaded again and gives the adapter's own outputs."
            # Gradio copies the file to its cache while it handles this value, before the folder goes.
            yield {outcome: render.info(done), download: gr.File(value=str(path), visible=True)}

    gr.Button("Export", size="sm").click(guarded(export, outcome), chosen, [outcome, download], **HEAVY)


def watched(
    words: list[str], outcome: gr.HTML, environment: Mapping[str, str] | None = None
) -> Generator[Updates, None, str]:
    """Runs a command and shows what it says; returns what it prints. See `run_command`."""
    command = run_command(words, environment)
    try:
        while True:
            yield {outcome: render.working(f"{next(command)}…")}
    except StopIteration as end:
        return str(end.value)
    finally:
        command.close()


def _packed(folder: Path) -> Path:
    """The files of `folder` as one archive, stored as they are: weights don't get smaller."""
    archive = folder.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for path in sorted(folder.iterdir()):
            packed.write(path, f"{folder.name}/{path.name}")
    return archive


def build_names(
    record: AdapterRecord, outcome: gr.HTML, notice: gr.HTML, revision: gr.State, now: Callable[[], str]
) -> None:
    """A field for another name, to rename one's own adapter or to duplicate any.

    Args:
        now: says what is there to show, for `revision`.
    """
    with gr.Accordion("Rename or duplicate" if record.origin == "own" else "Duplicate", open=False):
        name = gr.Textbox("", label="New name", max_lines=1, placeholder=f"{record.name}-2")
        with gr.Row(elem_classes="pg-actions"):

            def changed(change: Callable[[AdapterRecord, str], AdapterRecord], word: str) -> Callable[..., Any]:
                def handle(wanted: str) -> Stream[Updates]:
                    access.must_change()
                    must_be_seen(record)
                    if change is edit.duplicate:
                        quota.check_disk(size_bytes(record))
                    made = change(record, wanted.strip())
                    yield {notice: render.info(f"{record.name} was {word} {made.name}."), revision: now()}

                return guarded(handle, outcome)

            options: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
            outputs = [outcome, notice, revision]
            if record.origin == "own":
                renamed = changed(edit.rename, "renamed to")
                gr.Button("Rename", size="sm").click(renamed, name, outputs, **options)
            copied = changed(edit.duplicate, "duplicated as")
            gr.Button("Duplicate", size="sm").click(copied, name, outputs, **options)


def build_deletion(
    record: AdapterRecord, notice: gr.HTML, revision: gr.State, undo: "Undo", now: Callable[[], str]
) -> None:
    ask = gr.Button("Delete", size="sm")
    sure = gr.Button(f"Delete {record.name}", size="sm", variant="stop", visible=False)
    keep = gr.Button("Keep", size="sm", visible=False)

    def delete() -> Stream[Updates]:
        access.must_change()
        removed = edit.take_away(record)
        told = render.info(f"{record.name} was deleted; for a day it can be put back.")
        yield {notice: told, revision: now(), undo.removed: removed, undo.button: undo.offered(removed)}

    def asked(*, is_asked: bool) -> tuple[gr.Button, gr.Button, gr.Button]:
        return gr.Button(visible=not is_asked), gr.Button(visible=is_asked), gr.Button(visible=is_asked)

    ask.click(lambda: asked(is_asked=True), outputs=[ask, sure, keep], **QUIET)
    keep.click(lambda: asked(is_asked=False), outputs=[ask, sure, keep], **QUIET)
    sure.click(
        guarded(delete, notice),
        outputs=[notice, revision, undo.removed, undo.button],
        show_progress="hidden",
        api_visibility="private",
    )


def build_broken(
    folder: Path, reason: str, notice: gr.HTML, revision: gr.State, undo: "Undo", now: Callable[[], str]
) -> None:
    """What is wrong with a folder that holds no usable adapter, and a button that clears it away."""
    title = f"{folder.parent.name}/{folder.name}"
    gr.HTML(render.problem(f"{title} can't be used: {reason}"))
    if not store.is_own_folder(folder) or access.problem():
        return

    def delete() -> Stream[Updates]:
        access.must_change()
        removed = edit.take_away_broken(folder)
        told = render.info(f"{title} was deleted; for a day it can be put back.")
        yield {notice: told, revision: now(), undo.removed: removed, undo.button: undo.offered(removed)}

    gr.Button(f"Delete {title}", size="sm").click(
        guarded(delete, notice),
        outputs=[notice, revision, undo.removed, undo.button],
        show_progress="hidden",
        api_visibility="private",
    )


def build_removed(notice: gr.HTML, revision: gr.State, now: Callable[[], str]) -> None:
    """A button for each adapter that was deleted in the last day, on whichever page, to put it back."""
    deleted = edit.list_removed()
    if not deleted or access.problem():
        return
    with gr.Accordion("Deleted in the last day", open=False):
        for removed in deleted:
            _build_return(removed, notice, revision, now)


def _build_return(removed: Removed, notice: gr.HTML, revision: gr.State, now: Callable[[], str]) -> None:
    def put_back() -> Stream[Updates]:
        yield {notice: _put_back(removed), revision: now()}

    gr.Button(f"Put {removed.key} back", size="sm").click(
        guarded(put_back, notice), outputs=[notice, revision], show_progress="hidden", api_visibility="private"
    )


def _put_back(removed: Removed) -> str:
    access.must_change()
    quota.check_disk(quota.size_of(removed.path), returning=removed.path)
    return render.info(f"{edit.put_back(removed).name} is back.")


class Undo:
    """A button that puts back what this page deleted last."""

    def __init__(self, notice: gr.HTML, revision: gr.State, now: Callable[[], str]) -> None:
        self.removed = gr.State(None)
        self.button = gr.Button("Undo", size="sm", visible=False)

        def put_back(removed: Removed | None) -> Stream[Updates]:
            if removed is None:
                raise AdapterError("There is nothing to undo.")
            yield {
                notice: _put_back(removed),
                revision: now(),
                self.removed: None,
                self.button: gr.Button(visible=False),
            }

        self.button.click(
            guarded(put_back, notice),
            self.removed,
            [notice, revision, self.removed, self.button],
            show_progress="hidden",
            api_visibility="private",
        )

    @staticmethod
    def offered(removed: Removed) -> gr.Button:
        return gr.Button(f"Undo: put {removed.name} back", visible=True)
