import threading

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
