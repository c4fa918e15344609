import gradio as gr
import pytest

from playground.errors import InputError
from playground.ui import notices


@pytest.fixture
def notice():
    with gr.Blocks():
        return gr.HTML()


def test_our_errors_are_shown_as_they_are(notice):
    def handler():
        raise InputError("The text is empty; type or paste some text.")
        yield

    (update,) = notices.guarded(handler, notice)()
    assert "The text is empty; type or paste some text." in update[notice]


def test_unexpected_errors_are_logged_and_not_shown(notice, caplog):
    def handler():
        raise RuntimeError("/secret/path")
        yield

    (update,) = notices.guarded(handler, notice)()
    assert notices.UNEXPECTED in update[notice]
    assert "/secret/path" not in update[notice]
    assert "/secret/path" in caplog.text


def test_what_came_before_the_error_stays(notice):
    def handler():
        yield {notice: "first"}
        raise InputError("then this")

    updates = list(notices.guarded(handler, notice)())
    assert updates[0] == {notice: "first"}
    assert "then this" in updates[1][notice]


@pytest.mark.parametrize("fails", [True, False])
def test_the_page_is_idle_again_after_success_and_failure(notice, fails):
    def handler():
        yield {notice: "working"}
        if fails:
            raise InputError("no")

    last = list(notices.guarded(handler, notice, lambda: {"button": "ready"})())[-1]
    assert last["button"] == "ready"


def test_closing_closes_the_work_below(notice):
    closed = []

    def handler():
        try:
            yield {notice: "working"}
            yield {notice: "never"}
        finally:
            closed.append(True)

    running = notices.guarded(handler, notice)()
    next(running)
    running.close()
    assert closed == [True]
