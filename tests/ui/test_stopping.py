import threading
from types import SimpleNamespace

import gradio as gr
import pytest

from playground.ui import stopping


def test_stop_reaches_the_work_and_waits_for_its_end():
    began, order = threading.Event(), []

    def work():
        with stopping.stoppable("page") as this:
            began.set()
            this.stops.wait(10)
            order.append("ended")

    worker = threading.Thread(target=work)
    worker.start()
    began.wait(10)
    assert stopping.is_under_way("page")
    stopping.stop("page")
    order.append("stopped")
    worker.join()
    assert order == ["ended", "stopped"]
    assert not stopping.is_under_way("page")


def test_pages_do_not_stop_each_other():
    with stopping.stoppable("one") as one, stopping.stoppable("two") as two:
        two.ended.set()
        stopping.stop("two")
        assert not one.stops.is_set()
        assert two.stops.is_set()


def test_nothing_happens_without_work():
    stopping.stop("nobody")
    assert not stopping.is_under_way("nobody")


def test_failed_work_is_forgotten():
    with pytest.raises(ZeroDivisionError), stopping.stoppable("page"):
        1 / 0  # noqa: B018
    assert not stopping.is_under_way("page")


@pytest.fixture
def count():
    """An event that counts to three unless it is stopped; lists what happened to it."""
    notice, happened = gr.HTML(render=False), []

    def work(first):
        try:
            for number in range(first, first + 3):
                happened.append(number)
                yield {notice: number}
        finally:
            happened.append("closed")

    return stopping.until_stopped("tab", work, notice, lambda: {"button": "idle"}), happened


PAGE, OTHER_PAGE = SimpleNamespace(session_hash="one"), SimpleNamespace(session_hash="two")


def test_an_event_that_nobody_stops_goes_to_its_end(count):
    event, happened = count
    updates = list(event(PAGE, 5))
    assert happened == [5, 6, 7, "closed"]
    assert updates[-1] == {"button": "idle"}


def test_a_stopped_event_closes_its_work_says_so_and_becomes_idle(count):
    event, happened = count
    running = event(PAGE, 1)
    next(running)
    stopping._under_way["one/tab"].stops.set()
    (last,) = running
    assert happened == [1, "closed"]
    assert last["button"] == "idle"
    assert "Stopped" in next(value for part, value in last.items() if isinstance(part, gr.HTML))


@pytest.mark.parametrize(("page", "place"), [(OTHER_PAGE, "tab"), (PAGE, "other tab")])
def test_the_stop_of_another_page_or_place_changes_nothing(count, page, place):
    event, happened = count
    running = event(PAGE, 1)
    next(running)
    stopping.stopper(place)(page)
    list(running)
    assert happened == [1, 2, 3, "closed"]


def test_a_closed_page_closes_the_work(count):
    event, happened = count
    running = event(PAGE, 1)
    next(running)
    running.close()
    assert happened == [1, "closed"]
    assert not stopping.is_under_way("one/tab")
