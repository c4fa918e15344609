"""The Chat tab: messages in plain language, answered by the adapter of the task they ask for."""

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from playground.chat.conversation import Message, Reply, respond
from playground.chat.phrases import COMMAND_LIST
from playground.engine.startup import EngineLoader
from playground.errors import PlaygroundError
from playground.tasks import get_task
from playground.types import Stream
from playground.ui import chat_examples, correction, picker, render, stopping
from playground.ui.events import QUIET
from playground.ui.notices import Updates, guarded, sentence_of
from playground.ui.task_tab import TaskTab

SECONDS_BETWEEN_UPDATES = 0.1
PLACEHOLDER = "Paste a text and say what you want: “summarize this”, “übersetze es ins Englische”, “谁创立了它？”"
EMPTY = (
    "Paste a text in any language and say what you want with it: its sentiment, its names, an answer, a summary, a "
    "translation. Then go on asking."
)
JOINER = "\u2060"
"""Word joiner: takes no room."""
_ACTIVE = re.compile("[<&]")

Turns = list[dict[str, Any]]
"""The chatbot's value: messages with ``role`` and ``content``, text or components."""


@dataclass(frozen=True)
class Parts:
    chatbot: gr.Chatbot
    box: gr.Textbox
    send: gr.Button
    stop: gr.Button
    clear: gr.Button
    talker: gr.Dropdown
    notice: gr.HTML
    to_correct: correction.CorrectionBox


def build(loader: EngineLoader) -> TaskTab:
    with gr.Tab("Chat", id="chat") as tab:
        gr.HTML(f'<p class="pg-lead">{escape(EMPTY)} <code>{escape(COMMAND_LIST)}</code></p>')
        parts = _parts()
    _wire(loader, parts)
    tab.select(talkers, parts.talker, parts.talker, **QUIET)
    return TaskTab(tab, parts.talker, talkers)


def _parts() -> Parts:
    chatbot = gr.Chatbot(
        label="Conversation",
        show_label=False,
        placeholder=None,
        examples=[{"display_text": title, "text": text} for title, text in chat_examples.EXAMPLES],
        # Without Markdown no picture of a link in an answer is fetched; `inert` keeps tags from being tags.
        render_markdown=False,
        sanitize_html=True,
        allow_tags=False,
        latex_delimiters=[],
        editable="user",
        buttons=["copy"],
        group_consecutive_messages=False,
        height="min(62vh, 44rem)",
        elem_id="chat-messages",
    )
    notice = gr.HTML()
    to_correct = correction.build_for_any()
    box = gr.Textbox(
        label="Message",
        placeholder=PLACEHOLDER,
        info="Enter sends, Shift+Enter begins a new line.",
        lines=1,
        max_lines=12,
        elem_id="chat-message",
    )
    with gr.Row(elem_classes="pg-actions"):
        send = gr.Button("Send", variant="primary")
        stop = gr.Button("Stop", variant="stop", visible=False)
        clear = gr.Button("Clear")
    return Parts(chatbot, box, send, stop, clear, talkers(None), notice, to_correct)


def talkers(key: str | None) -> gr.Dropdown:
    """Adapters that may take free conversation; hidden, and without a choice, while there is none."""
    task = get_task("instruct")
    records = picker.offered(task)
    pairs = picker.choices(records)
    usual = picker.default_key(task) if records else None
    value = key if records and key in {known for _, known in pairs} else usual
    return gr.Dropdown(
        choices=pairs,
        value=value,
        label="Adapter for free conversation",
        info="Takes what is not about a text, and what the text does not answer.",
        filterable=False,
        visible=bool(records),
        elem_id="chat-talker",
    )


def _wire(loader: EngineLoader, parts: Parts) -> None:
    def idle() -> Updates:
        return {parts.send: gr.Button(interactive=True), parts.stop: gr.Button(visible=False)}

    def answer(turns: Turns, key: str | None, session: str) -> Stream[Updates]:
        yield {
            parts.send: gr.Button(interactive=False),
            parts.stop: gr.Button(visible=True),
            parts.notice: "",
            **correction.hidden(parts.to_correct),
        }
        last: Reply | None = None
        for shown, reply in conversations(loader, turns, key, session):
            yield {parts.chatbot: shown}
            last = reply
        yield _offered(parts.to_correct, text_of(turns[-1]), last)

    guarded_answer = guarded(answer, parts.notice, idle)

    def handle(turns: Turns, key: str | None, request: gr.Request) -> Stream[Updates]:
        session = str(request.session_hash)
        if _awaits_answer(turns) and not stopping.is_under_way(session):
            yield from guarded_answer(turns, key, session)
        else:
            yield {parts.notice: gr.skip()}

    def clear(request: gr.Request) -> Updates:
        stop_answer(request)
        return {parts.chatbot: [], parts.notice: "", **correction.hidden(parts.to_correct)}

    asking = [
        gr.on(
            [parts.send.click, parts.box.submit],
            sent,
            [parts.chatbot, parts.box],
            [parts.chatbot, parts.box, parts.notice],
            **QUIET,
        ),
        parts.chatbot.retry(retried, parts.chatbot, parts.chatbot, **QUIET),
        parts.chatbot.edit(edited, parts.chatbot, parts.chatbot, **QUIET),
        parts.chatbot.example_select(example_chosen, outputs=parts.chatbot, **QUIET),
    ]
    for event in asking:
        event.success(
            handle,
            [parts.chatbot, parts.talker],
            [parts.chatbot, parts.notice, parts.send, parts.stop, *parts.to_correct.shown],
            show_progress="hidden",
            api_visibility="private",
        )
    parts.stop.click(stop_answer, **QUIET)
    gr.on(
        [parts.clear.click, parts.chatbot.clear],
        clear,
        outputs=[parts.chatbot, parts.notice, *parts.to_correct.shown],
        **QUIET,
    )


def sent(turns: Turns, message: str, request: gr.Request) -> tuple[Any, Any, str]:
    """The conversation with `message` at its end, and an empty box."""
    if not message.strip():
        return gr.skip(), gr.skip(), render.problem("The message is empty; type something or paste a text.")
    if stopping.is_under_way(str(request.session_hash)):
        return gr.skip(), gr.skip(), render.info("An answer is still being written; wait for it or stop it first.")
    return [*turns, _user(message)], "", ""


def retried(turns: Turns, event: gr.RetryData, request: gr.Request) -> Turns:
    """The conversation up to the message whose answer is wanted again."""
    stopping.stop(str(request.session_hash))
    return turns[: _place(event.index) + 1]


def edited(turns: Turns, event: gr.EditData, request: gr.Request) -> Turns:
    """The conversation up to the changed message, which is asked anew."""
    stopping.stop(str(request.session_hash))
    return [*turns[: _place(event.index)], _user(plain(str(event.value)))]


def example_chosen(event: gr.SelectData) -> Turns:
    return [_user(event.value["text"])]


def stop_answer(request: gr.Request) -> None:
    stopping.stop(str(request.session_hash))


def conversations(
    loader: EngineLoader, turns: Turns, key: str | None, session: str
) -> Stream[tuple[Turns, Reply | None]]:
    """`turns` with the growing answer to the last one, until it is finished or stopped, and what `contents` gives."""
    content: list[Any] = []
    with stopping.stoppable(session) as this, closing(contents(loader, turns, key)) as growing:
        for content, reply in growing:
            yield [*turns, _assistant(content)], reply
            if this.stops.is_set():
                break
        if this.stops.is_set():
            yield [*turns, _assistant([*content, _html(render.hint(stopping.STOPPED))])], None


def contents(loader: EngineLoader, turns: Turns, key: str | None) -> Stream[tuple[list[Any], Reply | None]]:
    """The growing content of the answer to the last of `turns`, at most ten times a second, and the reply it shows.

    What has not changed is yielded too, since closing this, which stops the work, takes effect at a yield.
    """
    *earlier, last = turns
    due = 0.0
    try:
        talker = picker.chosen(get_task("instruct"), key)
        with closing(respond(loader.engine(), messages(earlier), text_of(last), talker=talker)) as replies:
            for reply in replies:
                if reply.done or time.monotonic() >= due:
                    yield view(reply), reply
                    due = time.monotonic() + SECONDS_BETWEEN_UPDATES
    except PlaygroundError as error:
        yield [_html(render.problem(sentence_of(error)))], None


def _offered(box: correction.CorrectionBox, message: str, reply: Reply | None) -> Updates:
    """The box for a reply that is done and that an adapter, or the backbone, gave."""
    if reply is None or not reply.done or reply.task is None or (reply.prediction and reply.prediction.error):
        return correction.hidden(box)
    task = get_task(reply.task)
    row = reply.prediction.row if reply.prediction else {task.inputs[0].name: message, task.output: reply.text}
    return correction.offered_as_text(box, task, row, reply.adapter or "")


def view(reply: Reply) -> list[Any]:
    """What the chat shows of `reply`: results with a view of their own as escaped HTML, texts as plain text."""
    task = get_task(reply.task) if reply.task else None
    if reply.prediction is None or task is None or reply.prediction.error:
        return _plain(reply)
    if task.shape == "generate":
        return _plain(reply)
    if not reply.done:
        return [_html(render.NOTHING_YET)]
    return [_html(render.answer(task, reply.prediction))]


def _plain(reply: Reply) -> list[Any]:
    text = reply.text or ("" if reply.done else "…")
    named = [_html(f'<p class="pg-stats" dir="auto">{escape(reply.answered_by)}</p>')] if reply.answered_by else []
    return [inert(text), *named]


def _html(html: str) -> gr.HTML:
    return gr.HTML(html, padding=False)


def _user(message: str) -> dict[str, Any]:
    return {"role": "user", "content": inert(message)}


def _assistant(content: list[Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def inert(text: str) -> str:
    """`text` as the chatbot shows it letter by letter: it puts even plain text into the page as HTML, where a "<" or
    "&" without a letter behind it means itself.
    """
    return _ACTIVE.sub(rf"\g<0>{JOINER}", text)


def plain(text: str) -> str:
    """The text behind an `inert` one."""
    return text.replace(f"<{JOINER}", "<").replace(f"&{JOINER}", "&")


def messages(turns: Turns) -> list[Message]:
    """The conversation as plain texts; views of results have none."""
    return [Message(turn["role"], text_of(turn)) for turn in turns if turn["role"] in ("user", "assistant")]


def text_of(turn: Mapping[str, Any]) -> str:
    texts = [part if isinstance(part, str) else part["text"] for part in _parts_of(turn) if _is_text(part)]
    return plain("\n".join(texts))


def _parts_of(turn: Mapping[str, Any]) -> list[Any]:
    content = turn["content"]
    return list(content) if isinstance(content, Sequence) and not isinstance(content, str) else [content]


def _is_text(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, Mapping) and part.get("type") == "text")


def _awaits_answer(turns: Turns) -> bool:
    return bool(turns) and turns[-1]["role"] == "user"


def _place(index: Any) -> int:
    return int(index[0] if isinstance(index, (list, tuple)) else index)
