"""What a browser is sent while an event answers bit by bit, and what a session is made of."""

import asyncio
import json
import threading

import gradio as gr
import httpx
import pytest
from gradio.state_holder import SessionState

from playground.ui.blocks import Page


@pytest.fixture(scope="module")
def page():
    with Page() as page:
        ask = gr.Button()
        shown, notice = gr.Textbox(visible=False), gr.HTML()

        def answer():
            yield {shown: gr.Textbox(visible=False), notice: "One"}
            yield {notice: "One two"}
            yield {shown: gr.Textbox(value="all", visible=True), notice: "Done"}
            yield {notice: "Done."}

        ask.click(answer, outputs=[shown, notice])
    return page


@pytest.fixture(scope="module")
def address(page):
    page.queue()
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield address.rstrip("/")
    page.close()


@pytest.fixture(scope="module")
def messages(address):
    call = {"data": [], "fn_index": 0, "session_hash": "one"}
    httpx.post(f"{address}/gradio_api/queue/join", json=call).raise_for_status()
    with httpx.stream("GET", f"{address}/gradio_api/queue/data?session_hash=one", timeout=30) as stream:
        sent = [json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line.startswith("data: ")]
    return [message["output"]["data"] for message in sent if message["msg"] == "process_generating"]


def test_an_update_is_sent_whole(messages):
    (edits, _) = messages[2]
    assert [[action, path] for action, path, _ in edits] == [["replace", []]]
    assert edits[0][2]["value"] == "all"
    assert edits[0][2]["visible"] is True


def test_no_update_edits_the_one_before_it(messages):
    for message in messages[1:]:
        assert all(path == [] for edits in message for _, path, _ in edits)


def test_a_text_that_grows_is_sent_as_what_was_added(messages):
    assert messages[1][1] == [["append", [], " two"]]
    assert messages[3][1] == [["append", [], "."]]


def test_a_session_knows_all_components_and_describes_none(page):
    session = SessionState(page)
    assert session.blocks_config.blocks == page.blocks
    assert session.blocks_config.fns == page.fns
    assert not list(session.components)
    assert len(page.get_config_file()["components"]) >= 3


@pytest.mark.parametrize("watching", ["start_processing", "start_progress_updates"])
def test_a_queue_that_nobody_asks_looks_now_and_then_only(monkeypatch, watching):
    queue, looks, asleep = Page()._queue, [], asyncio.sleep

    async def sleep(seconds):
        if threading.current_thread() is not threading.main_thread():  # the one of the page above
            await asleep(seconds)
            return
        looks.append(seconds)
        queue.stopped = sum(looks) >= 1.0

    monkeypatch.setattr(asyncio, "sleep", sleep)
    asyncio.run(getattr(queue, watching)())
    assert 10 <= len(looks) <= 101


@pytest.mark.parametrize("address", ["http://example.com/rows.csv", "HTTPS://example.com/rows.csv"])
@pytest.mark.parametrize("is_listed", [False, True])
def test_a_file_is_not_fetched_from_an_address(monkeypatch, address, is_listed):
    fetched = []

    async def fetch(url, cache_dir):
        fetched.append(url)
        return __file__

    monkeypatch.setattr("gradio.processing_utils.async_ssrf_protected_download", fetch)
    with Page() as page:
        file = gr.File(file_count="multiple" if is_listed else "single")
        file.upload(lambda file: None, file)
    given = {"path": address, "meta": {"_type": "gradio.FileData"}, "orig_name": "rows.csv"}
    with pytest.raises(gr.Error, match="upload the file itself"):
        asyncio.run(page.preprocess_data(page.fns[0], [[given] if is_listed else given], None))
    assert fetched == []
