import re
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from playground.chat import conversation
from playground.chat.conversation import Message, Reply
from playground.chat.intent import Context
from playground.chat.router import route
from playground.engine.startup import LoadStatus
from playground.training import corrections
from playground.ui import chat_tab, correction, stopping
from playground.ui.chat_examples import EXAMPLES

HOSTILE = "<img src=x onerror=alert(1)> <script>alert(2)</script> &lt;b&gt; ![p](//evil/?q) <form action=//evil>"
TAG = re.compile(r"<[a-zA-Z/!?]|&[a-zA-Z#]")
PAGE = SimpleNamespace(session_hash="page")


def user(content):
    return {"role": "user", "content": content}


def html_of(content):
    return "".join(part.value for part in content if isinstance(part, gr.HTML))


def text_of(content):
    return "".join(part for part in content if isinstance(part, str))


@pytest.fixture
def answers(monkeypatch):
    """Replies that the chat gives, whatever it is told; ``asked`` are the (history, message) pairs."""
    state = SimpleNamespace(replies=[Reply("Hello", done=False), Reply("Hello there")], asked=[], closed=False)

    def respond(engine, history, message, *, talker=None):
        state.asked.append((list(history), message))
        try:
            yield from state.replies
        finally:
            state.closed = True

    monkeypatch.setattr(chat_tab, "respond", respond)
    monkeypatch.setattr(chat_tab, "SECONDS_BETWEEN_UPDATES", 0.0)
    return state


@pytest.mark.parametrize("text", [HOSTILE, "1 < 2 && 3 > 2", "plain", "<", "a<b", "&amp;", ""])
def test_inert_text_has_no_tag_and_comes_back_unchanged(text):
    assert not TAG.search(chat_tab.inert(text))
    assert chat_tab.plain(chat_tab.inert(text)) == text


def test_what_a_model_writes_is_shown_inert():
    content = chat_tab.view(Reply(HOSTILE, answered_by=f"Answered by {HOSTILE}"))
    assert not TAG.search(text_of(content))
    assert "<img" not in html_of(content)
    assert "&lt;img" in html_of(content)


@pytest.mark.parametrize(
    ("task", "row"),
    [
        ("sentiment", {"text": HOSTILE, "label": HOSTILE, "scores": {HOSTILE: 1.0}}),
        ("ner", {"text": HOSTILE, "entities": [{"start": 0, "end": 9, "label": HOSTILE, "score": 1.0}]}),
        (
            "qa",
            {"context": HOSTILE, "question": HOSTILE, "answer": {"text": HOSTILE, "start": 0, "end": 9, "score": 1.0}},
        ),
    ],
)
def test_rich_results_escape_hostile_text(predicted, task, row):
    content = chat_tab.view(Reply("x", task=task, prediction=predicted(row, note=HOSTILE, backbone=HOSTILE)))
    assert "&lt;script" in html_of(content)
    assert not re.search(r"<(img|script|form)", html_of(content))


def test_generated_text_stays_text_and_names_the_adapter(predicted):
    prediction = predicted({"document": "d", "summary": "A <b>summary</b>"})
    reply = Reply("A <b>summary</b>", task="summarize", prediction=prediction, answered_by="Answered by the adapter m.")
    content = chat_tab.view(reply)
    assert chat_tab.plain(text_of(content)) == "A <b>summary</b>"
    assert "the adapter m" in html_of(content)


@pytest.mark.usefixtures("adapters")
def test_conversation_grows_under_the_messages(loader, answers):
    turns = [user("first"), {"role": "assistant", "content": [{"type": "text", "text": "1 <\u20602"}]}, user("second")]
    shown = [turns for turns, _ in chat_tab.conversations(loader, turns, None, "page")]
    assert [text_of(state[-1]["content"]) for state in shown] == ["Hello", "Hello there"]
    assert all(state[:-1] == turns for state in shown)
    assert answers.asked == [([Message("user", "first"), Message("assistant", "1 <2")], "second")]


@pytest.mark.usefixtures("adapters")
def test_stop_ends_the_answer_with_a_mark(loader, answers):
    shown = chat_tab.conversations(loader, [user("go")], None, "page")
    next(shown)
    stopping._under_way["page"].stops.set()
    rest = list(shown)
    turns, reply = rest[-1]
    assert stopping.STOPPED in html_of(turns[-1]["content"])
    assert "there" not in text_of(turns[-1]["content"])
    assert reply is None
    assert answers.closed
    assert not stopping.is_under_way("page")


@pytest.mark.usefixtures("adapters")
def test_closing_the_page_closes_the_answer(loader, answers):
    shown = chat_tab.conversations(loader, [user("go")], None, "page")
    next(shown)
    shown.close()
    assert answers.closed
    assert not stopping.is_under_way("page")


@pytest.mark.usefixtures("adapters")
def test_fast_replies_are_shown_together(loader, answers, monkeypatch):
    monkeypatch.setattr(chat_tab, "SECONDS_BETWEEN_UPDATES", 3600.0)
    answers.replies = [Reply(str(number), done=False) for number in range(500)] + [Reply("end")]
    shown = list(chat_tab.contents(loader, [user("go")], None))
    assert [text_of(content) for content, _ in shown] == ["0", "end"]


@pytest.mark.usefixtures("adapters")
def test_a_backbone_that_is_not_ready_is_an_answer(loader):
    loader.current = LoadStatus("loading", 0.4, "Converting")
    ((content, _),) = chat_tab.contents(loader, [user("hello")], None)
    assert "still being prepared (40%)" in html_of(content)


@pytest.mark.usefixtures("adapters")
def test_an_empty_message_is_not_sent():
    _, box, notice = chat_tab.sent([], "  \n", PAGE)
    assert "empty" in notice
    assert box == gr.skip()


def test_a_message_is_added_inert_and_the_box_emptied():
    turns, box, notice = chat_tab.sent([user("a")], HOSTILE, PAGE)
    assert (box, notice) == ("", "")
    assert chat_tab.text_of(turns[-1]) == HOSTILE
    assert not TAG.search(turns[-1]["content"])


def test_nothing_is_sent_while_an_answer_is_being_written():
    with stopping.stoppable("page"):
        turns, box, notice = chat_tab.sent([user("a")], "b", PAGE)
    assert turns == box == gr.skip()
    assert "still being written" in notice


TURNS = [user("a"), {"role": "assistant", "content": "A"}, user("b"), {"role": "assistant", "content": "B"}]


@pytest.mark.parametrize("index", [2, [2, 0], (2, 0)])
def test_retry_goes_back_to_its_question(index):
    assert chat_tab.retried(TURNS, SimpleNamespace(index=index), PAGE) == TURNS[:3]


@pytest.mark.parametrize("index", [0, [0, 0]])
def test_an_edited_message_drops_what_followed(index):
    edited = chat_tab.edited(TURNS, SimpleNamespace(index=index, value=chat_tab.inert("c < d")), PAGE)
    assert [chat_tab.text_of(turn) for turn in edited] == ["c < d"]


@pytest.fixture
def to_correct():
    """The box under the conversation, and what its button does."""
    with gr.Blocks() as page:
        box = correction.build_for_any()
    return box, next(event.fn for event in page.fns.values() if event.name == "keep")


@pytest.mark.parametrize(
    ("reply", "begins_with", "right", "kept"),
    [
        (
            Reply("Ahoi!", task="instruct", adapter="pirate"),
            *("Ahoi!", "Arr!"),
            ("instruct", {"prompt": "say hello", "completion": "Arr!", "adapter": "pirate"}),
        ),
        (
            Reply("sunny", task="sentiment", adapter="mine"),
            *("positive", "neutral"),
            ("sentiment", {"text": "say hello", "label": "neutral", "adapter": "mine"}),
        ),
    ],
    ids=["free conversation", "a task"],
)
def test_the_last_answer_can_be_corrected_whatever_its_task(to_correct, predicted, reply, begins_with, right, kept):
    box, keep = to_correct
    if reply.task == "sentiment":
        row = {"text": "say hello", "label": "positive", "scores": {"positive": 1.0}}
        reply = replace(reply, prediction=predicted(row))
    updates = chat_tab._offered(box, "say hello", reply)
    assert updates[box.value].value == begins_with
    *_, told, _ = keep(updates[box.answered], right)
    assert "you have 1 correction" in told[box.outcome]
    task, row = kept
    assert corrections.rows_of("", task) == [row]


@pytest.mark.parametrize(
    "reply",
    [None, Reply("half a", done=False, task="instruct"), Reply("/help shows what I can do.")],
    ids=["an error", "a stopped answer", "the chat's own words"],
)
def test_nothing_else_is_offered_to_be_corrected(to_correct, reply):
    box, _ = to_correct
    assert chat_tab._offered(box, "hello", reply)[box.area].visible is False


@pytest.mark.parametrize(("title", "message"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_each_example_carries_its_own_text(title, message):
    intent = route(message, Context())
    assert intent.task in conversation.TEXT_FIELDS
    assert intent.text
    assert not intent.problem


@pytest.mark.usefixtures("adapters")
def test_nothing_of_the_tab_is_public(loader):
    with gr.Blocks() as page, gr.Tabs():
        chat_tab.build(loader)
    assert {dependency["api_visibility"] for dependency in page.config["dependencies"]} == {"private"}


@pytest.mark.usefixtures("adapters")
def test_messages_are_neither_markdown_nor_unsanitised(loader):
    with gr.Blocks() as page, gr.Tabs():
        chat_tab.build(loader)
    (chatbot,) = [block for block in page.blocks.values() if isinstance(block, gr.Chatbot)]
    assert not chatbot.render_markdown
    assert chatbot.sanitize_html
    assert chatbot.buttons == ["copy"]


def test_the_first_adapter_for_conversation_is_chosen_by_itself(adapters):
    before = chat_tab.talkers(None)
    assert not before.visible
    adapters.append(replace(adapters[1], task="instruct", shape="generate", name="shop"))
    now = chat_tab.talkers(before.value)
    assert now.visible
    assert now.value == "instruct/shop"
    assert chat_tab.talkers("none").value == "none"
