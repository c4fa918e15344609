"""The Hub in the Adapters tab: pushing an adapter, and taking one by its id where that is allowed.

A visitor of a Space pushes as themselves, after a login; elsewhere the token of this machine is used. A Space's own
token is nobody's to use.
"""

from collections.abc import Callable

import gradio as gr
from huggingface_hub import HfApi, get_token

from playground import access, settings
from playground.adapters.hub import check_id, connect, connect_as_nobody, import_from_hub, parse_source
from playground.adapters.record import AdapterRecord
from playground.engine.startup import EngineLoader
from playground.errors import InputError
from playground.training import quota
from playground.types import Stream
from playground.ui import picker, render
from playground.ui.adapter_actions import HEAVY, must_be_seen, watched
from playground.ui.adapter_arrival import check_after, must_fit
from playground.ui.notices import Updates, guarded


def can_push() -> bool:
    """Whether there may be somebody to push as; the token of this machine is its owner's."""
    is_at_home = access.current().is_owner and not settings.on_space()
    return settings.has_space_login() or (is_at_home and get_token() is not None)


def connect_to_read() -> HfApi:
    """The Hub as the person at the page may see it: visitors must not reach what only the owner may."""
    is_at_home = access.current().is_owner and not settings.on_space()
    return connect() if is_at_home else connect_as_nobody()


def build_login() -> None:
    if settings.has_space_login():
        gr.LoginButton(size="sm")


def build_push(record: AdapterRecord, outcome: gr.HTML) -> None:
    if not can_push():
        return
    with gr.Accordion("Push to the Hub", open=False):
        repository = gr.Textbox("", label="Repository", max_lines=1, placeholder="your-name/my-adapter")
        public = gr.Checkbox(label="Public: everybody may see it", value=False)
        button = gr.Button("Push", size="sm")

    def push(wanted: str, is_public: bool, token: str | None) -> Stream[Updates]:
        must_be_seen(record)
        repo_id = check_id(wanted)
        if token is None and (settings.on_space() or not access.current().is_owner):
            raise InputError("Log in first: the button is at the top of this tab.")
        words = ["adapters", "push", picker.key_of(record), repo_id, *(["--public"] if is_public else [])]
        printed = yield from watched(words, outcome, {"HF_TOKEN": token} if token else {})
        yield {outcome: render.info(printed)}

    handle = guarded(push, outcome)

    def push_as(wanted: str, is_public: bool, token: gr.OAuthToken | None) -> Stream[Updates]:
        yield from handle(wanted, is_public, token.token if token else None)

    button.click(push_as, [repository, public], [outcome], **HEAVY)


def build_import(
    loader: EngineLoader,
    named: gr.Textbox,
    notice: gr.HTML,
    revision: gr.State,
    now: Callable[[], str],
) -> None:
    """A field for the id of an adapter on the Hub, where the settings allow going online."""
    if not settings.offers_hub_import():
        return
    wanted = gr.Textbox(
        label="Import from the Hub",
        info="Its newest version, unless you add @ and a tag, branch or commit.",
        placeholder="your-name/my-adapter",
        max_lines=1,
        min_width=200,
    )
    button = gr.Button("Import", size="sm", min_width=80)

    def bring_in(text: str, name: str, arrived: list[AdapterRecord]) -> Stream[Updates]:
        access.must_change()
        quota.check_disk(0)
        parse_source(text)
        yield {notice: render.working(f"Fetching {text.strip()}…")}
        record = import_from_hub(text, connect_to_read(), loader.backbone_id, name=name.strip() or None)
        must_fit(record)
        arrived.append(record)
        yield {notice: render.working("Waiting for its check…"), revision: now(), named: ""}

    waiting = gr.State([])
    importing = gr.on(
        [button.click, wanted.submit],
        guarded(bring_in, notice),
        [wanted, named, waiting],
        [notice, revision, named],
        show_progress="hidden",
        api_visibility="private",
    )
    check_after(importing, waiting, notice, revision, now)
