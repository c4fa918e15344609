"""Who you are on a shared page: what is kept of you, your runs, and the way in for the owner."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

import gradio as gr
from gradio.blocks import Block

from playground import access, settings
from playground.adapters import store
from playground.training import quota, runs
from playground.training.run_files import RunState
from playground.types import Stream
from playground.ui import render
from playground.ui.events import QUIET
from playground.ui.notices import Updates, guarded
from playground.ui.visitors import Visitors, has_login

NUM_RUNS_SHOWN = 100
KEPT = (
    "Your runs and adapters belong to this browser, by a cookie that lasts a year; other visitors don't see them. "
    "Whoever runs this page does. Export what you want to keep."
)
RELOAD_UNLESS_REFUSED = "said => { if (!said) window.location.reload(); }"


def build(tab: gr.Tab, visitors: Visitors) -> None:
    """Adds the box to the page; what it says is read anew whenever `tab` is opened."""
    who = gr.HTML(elem_id="access-who")
    with gr.Row(visible=False, elem_classes="pg-door") as cleaning:
        doomed = gr.Dropdown([], label="Delete a run and its rows", min_width=260, elem_id="access-runs")
        delete = gr.Button("Delete the run for good", variant="stop", size="sm")
    notice = gr.HTML(elem_id="access-notice")
    with gr.Row(visible=False, elem_classes="pg-door") as door:
        password = gr.Textbox(label="Owner's password", type="password", max_lines=1, max_length=200, min_width=260)
        enter = gr.Button("Sign in as the owner", size="sm")
    if has_login():
        gr.LoginButton("Sign in as the author of this Space", size="sm", elem_classes="pg-open")
    leave = gr.Button("Sign out", size="sm", visible=False, elem_classes="pg-open")

    def look() -> Updates:
        is_owner, found = access.current().is_owner, runs.list_runs()[:NUM_RUNS_SHOWN]
        return {
            who: who_you_are(found),
            cleaning: gr.Row(visible=bool(found) and not access.problem()),
            doomed: gr.Dropdown(choices=[(_title(state), state.run_id) for state in found], value=None),
            door: gr.Row(visible=bool(settings.owner_password()) and not is_owner),
            leave: gr.Button(visible=visitors.has_signed_in()),
        }

    def sign_in(word: str | None) -> Stream[Updates]:
        visitors.sign_in(word)
        yield {notice: "", password: ""}

    def remove(run_id: str | None) -> Stream[Updates]:
        runs.delete_run(run_id or "")
        yield {notice: render.info("The run was deleted; its adapter is still under Adapters."), **look()}

    shown: Sequence[Block] = [who, cleaning, doomed, door, leave]
    tab.select(look, outputs=shown, **QUIET)
    entering = gr.on([enter.click, password.submit], guarded(sign_in, notice), password, [notice, password], **QUIET)
    entering.then(None, notice, js=RELOAD_UNLESS_REFUSED, **QUIET)
    leave.click(visitors.sign_out, **QUIET).then(None, js="() => window.location.reload()", **QUIET)
    delete.click(guarded(remove, notice), doomed, [notice, *shown], **QUIET)


def who_you_are(found: Sequence[RunState]) -> str:
    """What the present person is told about themselves, with their runs."""
    person = access.current()
    if person.is_owner:
        sentence = "You are signed in as the owner: you see, use and manage the runs and adapters of all visitors."
    elif access.problem():
        sentence = access.problem()
    else:
        each = settings.max_disk_bytes_each()
        limit = f" of {each / settings.MEGABYTE:,.0f} MB" if each else ""
        used = quota.used_bytes(person.key) / settings.MEGABYTE
        own = sum(record.origin == "own" for record in store.list_adapters())
        sentence = f"Your runs: {len(found)}; your adapters: {own}; together {used:,.1f} MB{limit}. {KEPT}"
    lines = [_line(state) for state in found]
    table = f'<ul id="access-run-list">{"".join(lines)}</ul>' if lines else ""
    return f'<article class="pg-prose"><h2>You here</h2><p>{escape(sentence)}</p>{table}</article>'


def _title(state: RunState) -> str:
    begun = datetime.fromtimestamp(state.created).strftime("%Y-%m-%d %H:%M")  # noqa: DTZ006 - the server's own time
    whose = f", visitor {state.owner[:8]}" if access.current().is_owner and state.owner else ""
    return f"{state.config.task}/{state.config.name}, {state.state}, {begun}{whose}"


def _line(state: RunState) -> str:
    return f'<li><a href="?run={escape(state.run_id)}">{escape(_title(state))}</a></li>'
