"""What is refused of what people send, and what is deleted of it."""

import os
import time

import gradio as gr
import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from playground import access, settings
from playground.errors import QuotaError
from playground.ui import allowance, serving, uploads
from playground.ui.visitors import COOKIE, Visitors

CONTENT = "a" * 64
COOKIE_OF_A = [(b"cookie", f"{COOKIE}={'a' * 43}".encode())]


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    for name in ("HOST", "GRADIO_SERVER_NAME", "SPACE_ID", "PLAYGROUND_ALLOWED_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setenv("PLAYGROUND_MAX_UPLOADS_MB", "1")
    return tmp_path


@pytest.fixture(autouse=True)
def nothing_brought(monkeypatch):
    monkeypatch.setattr(allowance, "_shares", [])


def page(visitors=None):
    async def read(request):
        return PlainTextResponse(f"{len(await request.body())}")

    routes = [Route(path, read, methods=["GET", "POST"]) for path in ("/", "/upload")]
    return TestClient(Starlette(routes=routes, middleware=serving.middleware("0.0.0.0", visitors)))


def chunks(size_bytes):
    """A body whose length is not said before."""
    part = b"0" * 50_000
    yield from (part for _ in range(size_bytes // len(part)))


def test_uploads_are_refused_while_the_files_of_all_take_too_much(folder):
    assert page().post("/upload").status_code == 200
    (folder / "rows.csv").write_bytes(b"0" * (settings.MEGABYTE + 1))
    refused = page().post("/upload")
    assert refused.status_code == 413
    assert "PLAYGROUND_MAX_UPLOADS_MB" in refused.text
    assert page().get("/upload").status_code == 200


def test_an_upload_that_would_take_too_much_is_refused_before_it_comes_in(folder):
    (folder / "rows.csv").write_bytes(b"0" * (settings.MEGABYTE // 2))
    assert page().post("/upload", content=b"0" * (settings.MEGABYTE // 4)).status_code == 200
    assert page().post("/upload", content=b"0" * (settings.MEGABYTE // 4 * 3)).status_code == 413


def test_an_upload_of_unknown_length_ends_when_there_is_no_more_room(folder, monkeypatch):
    monkeypatch.setattr(uploads, "LOOK_EVERY_BYTES", 100_000)
    (folder / "rows.csv").write_bytes(b"0" * settings.MEGABYTE)
    assert page().post("/upload", content=chunks(50_000)).status_code == 200
    (folder / "of somebody else.csv").write_bytes(b"0")
    monkeypatch.setattr(uploads, "_announced_bytes", lambda _: -1)  # there was room when it began
    assert "PLAYGROUND_MAX_UPLOADS_MB" in page().post("/upload", content=chunks(200_000)).text


@pytest.fixture
def one_megabyte_each(monkeypatch):
    monkeypatch.setenv("PLAYGROUND_MAX_UPLOADS_MB", "100")
    monkeypatch.setenv("PLAYGROUND_MAX_UPLOADS_MB_EACH", "1")
    monkeypatch.setattr(uploads, "LOOK_EVERY_BYTES", 100_000)


def send(shared, body, secret="a"):
    return shared.post("/upload", content=body, headers={"Cookie": f"{COOKIE}={secret * 43}"} if secret else {})


@pytest.mark.parametrize("secret", ["a", ""], ids=["visitor", "without a cookie"])
@pytest.mark.parametrize("made", [lambda size: b"0" * size, chunks], ids=["told", "untold"])
def test_one_visitor_has_an_allowance_and_leaves_the_others_theirs(one_megabyte_each, secret, made):
    shared = page(Visitors())
    assert send(shared, made(800_000), secret).status_code == 200
    refused = send(shared, made(400_000), secret)
    assert refused.status_code == 413
    for said in ("take 0.8 MB", "PLAYGROUND_MAX_UPLOADS_MB_EACH", "tomorrow"):
        assert said in refused.text
    assert send(shared, made(800_000), "b").status_code == 200


def test_what_was_refused_takes_nothing_of_the_allowance_and_after_a_day_it_is_whole_again(
    one_megabyte_each, monkeypatch
):
    shared = page(Visitors())
    assert send(shared, b"0" * 1_200_000).status_code == 413
    assert send(shared, b"0" * 1_000_000).status_code == 200
    assert send(shared, b"0" * 1_000_000).status_code == 413
    monkeypatch.setattr(allowance, "DAY_S", 0)
    assert send(shared, b"0" * 1_000_000).status_code == 200


def test_the_owner_has_no_allowance(one_megabyte_each):
    known = Visitors()
    for _ in range(2):
        assert send(page(), b"0" * 1_000_000).status_code == 200
    known._owners.add(known.person_in({"type": "http", "scheme": "", "headers": COOKIE_OF_A}).key)
    for _ in range(2):
        assert send(page(known), b"0" * 1_000_000).status_code == 200


def test_exports_are_in_the_allowance_too(one_megabyte_each):
    with access.acting_as(access.Person("a" * 64)):
        uploads.take_room(800_000)
        with pytest.raises(QuotaError, match="PLAYGROUND_MAX_UPLOADS_MB_EACH"):
            uploads.take_room(400_000)


@pytest.mark.parametrize("body", [b"0" * 200_000, chunks(200_000)], ids=["told", "untold"])
def test_a_request_with_many_files_is_no_way_around_the_limit_of_one(monkeypatch, body):
    monkeypatch.setattr(settings, "MAX_UPLOAD_BYTES", 100_000)
    refused = page().post("/upload", content=body)
    assert refused.status_code == 413
    assert "PLAYGROUND_MAX_UPLOAD_MB" in refused.text


def test_files_that_fit_one_by_one_but_not_together_are_refused_by_the_page(monkeypatch, folder):
    monkeypatch.setattr(settings, "MAX_UPLOAD_BYTES", 300_000)
    with gr.Blocks() as blocks:
        gr.File()
    options = serving.launch_options("127.0.0.1", None) | {"prevent_thread_lock": True, "quiet": True}
    _, address, _ = blocks.launch(**options)
    try:
        files = [("files", (f"{number}.csv", b"0" * 250_000)) for number in range(4)]
        assert httpx.post(f"{address}gradio_api/upload", files=files[:1]).status_code == 200
        assert httpx.post(f"{address}gradio_api/upload", files=files).status_code == 413
    finally:
        blocks.close()
    assert len(list(folder.rglob("*.csv"))) == 1


@pytest.mark.parametrize("body", [b"0" * 200_000, chunks(200_000)], ids=["told", "untold"])
def test_a_message_has_a_limit_of_its_own(monkeypatch, body):
    monkeypatch.setattr(uploads, "MAX_MESSAGE_BYTES", 100_000)
    assert page().post("/", content=b"0" * 100_000).text == "100000"
    assert page().post("/", content=body).status_code == 413


def test_what_a_killed_app_and_uploads_broken_off_left_behind_is_deleted(folder):
    whole, unfinished, foreign = folder / CONTENT / "rows.csv", folder / "tmpx7d2", folder / "examples" / "one.csv"
    for path in (whole, unfinished, foreign):
        path.parent.mkdir(exist_ok=True)
        path.write_text("text")
        os.utime(path, (0, 0))  # a copy has the time of what was copied
    uploads.sweep()
    assert whole.exists()
    assert unfinished.exists()
    uploads.sweep(time.time() + uploads.KEEP_UNFINISHED_S + 1)
    assert whole.exists()
    assert not unfinished.exists()
    uploads.sweep(time.time() + uploads.KEEP_FILES_S + 1)
    assert not whole.parent.exists()
    assert foreign.exists()


def test_a_home_without_uploads_has_nothing_to_delete(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "none"))
    uploads.sweep()
