import gradio as gr
import pytest

from playground import settings
from playground.adapters import store
from playground.errors import PlaygroundError, QuotaError
from playground.ui import adapter_arrival

pytestmark = pytest.mark.usefixtures("no_shipped_adapters")
REFUSAL = "it says something else"


@pytest.fixture
def arrive(monkeypatch):
    """``arrive(record, meanwhile=None)``: what a failing check shows; it calls `meanwhile` first."""

    def failing(*_):
        yield {}
        raise PlaygroundError(REFUSAL)

    def run(record, meanwhile=lambda: None):
        monkeypatch.setenv("PLAYGROUND_RELOAD", "1")
        monkeypatch.setattr(adapter_arrival, "watched", failing)
        with gr.Blocks():
            steps = adapter_arrival.checked(record, gr.HTML())
            next(steps)
            meanwhile()
            return list(steps)

    return run


def test_an_adapter_that_fails_its_check_is_not_kept(save_tiny_adapter, arrive):
    with pytest.raises(PlaygroundError, match=REFUSAL):
        arrive(save_tiny_adapter())
    assert store.list_adapters() == []


def test_nobody_hears_of_the_check_of_an_adapter_that_was_deleted_meanwhile(save_tiny_adapter, arrive):
    record = save_tiny_adapter()
    last = arrive(record, lambda: store.remove(record))[-1]
    assert list(last.values()) == [""]


def test_an_adapter_that_is_larger_than_its_archive_has_to_fit(save_tiny_adapter, monkeypatch):
    first = save_tiny_adapter()
    monkeypatch.setenv("PLAYGROUND_MAX_DISK_MB", "1")
    adapter_arrival.must_fit(first)
    record = save_tiny_adapter(name="large")
    (record.path / "README.md").write_bytes(b" " * settings.MEGABYTE)
    with pytest.raises(QuotaError, match="PLAYGROUND_MAX_DISK_MB"):
        adapter_arrival.must_fit(record)
    assert store.list_adapters() == [first]
