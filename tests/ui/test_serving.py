import subprocess
import sys

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from playground import settings
from playground.ui import serving


def page(host):
    routes = [Route("/", lambda _: PlainTextResponse("page"), methods=["GET", "POST"])]
    return TestClient(Starlette(routes=routes, middleware=serving.middleware(host)), base_url="http://localhost")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("HOST", "PORT", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "SPACE_ID", "PLAYGROUND_ALLOWED_HOSTS"):
        monkeypatch.delenv(name, raising=False)


def test_only_this_machine_is_served_unless_asked_otherwise(monkeypatch):
    assert serving.default_host() == "127.0.0.1"
    monkeypatch.setenv("SPACE_ID", "someone/playground")
    assert serving.default_host() == "0.0.0.0"
    monkeypatch.setenv("HOST", "192.168.0.5")
    assert serving.default_host() == "192.168.0.5"


def test_port_comes_from_the_environment(monkeypatch):
    assert serving.default_port() is None
    monkeypatch.setenv("GRADIO_SERVER_PORT", "8123")
    assert serving.default_port() == 8123


def test_foreign_host_names_are_refused_on_this_machine():
    client = page("127.0.0.1")
    assert client.get("/").status_code == 200
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_chosen_host_names_are_served(monkeypatch):
    monkeypatch.setenv("PLAYGROUND_ALLOWED_HOSTS", "play.example, localhost")
    client = page("0.0.0.0")
    assert client.get("/", headers={"Host": "play.example"}).status_code == 200
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


def test_foreign_origins_are_not_reflected():
    answer = page("0.0.0.0").get("/", headers={"Origin": "http://evil.example", "Host": "play.example"})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost.evil.example", "file://"])
def test_forms_of_foreign_pages_are_refused_on_this_machine(origin):
    client = page("127.0.0.1")
    assert client.post("/", headers={"Origin": origin}).status_code == 403
    assert client.post("/", headers={"Origin": "http://localhost:7860"}).status_code == 200
    assert client.post("/").status_code == 200


def test_pages_of_other_sites_can_not_act_for_a_visitor_of_a_page_with_any_name():
    client = page("0.0.0.0")
    own = {"Host": "someone-playground.hf.space", "Origin": "https://someone-playground.hf.space"}
    assert client.post("/", headers=own | {"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert client.post("/", headers=own).status_code == 200
    for site in ("cross-site", "same-site"):
        foreign = own | {"Origin": "https://evil.hf.space", "Sec-Fetch-Site": site}
        assert client.post("/", headers=foreign).status_code == 403


def test_pages_of_chosen_host_names_may_send_forms(monkeypatch):
    monkeypatch.setenv("PLAYGROUND_ALLOWED_HOSTS", "*.play.example, localhost")
    client = page("0.0.0.0")
    assert client.post("/", headers={"Origin": "https://my.play.example"}).status_code == 200
    assert client.post("/", headers={"Origin": "https://notplay.example"}).status_code == 403


def test_pictures_from_other_servers_are_forbidden():
    policy = page("127.0.0.1").get("/").headers["content-security-policy"]
    assert "img-src 'self' data: blob:" in policy
    assert "form-action 'self'" in policy


def test_what_would_leak_is_switched_off():
    options = serving.launch_options("127.0.0.1", None)
    assert not any(options[name] for name in ("run_history", "share", "show_error", "enable_monitoring", "ssr_mode"))
    assert options["footer_links"] == ["api"]


def test_the_engine_says_when_too_many_wait_and_not_the_threads():
    assert serving.launch_options("127.0.0.1", None)["max_threads"] > settings.MAX_WAITING_REQUESTS


def test_the_page_needs_no_heavy_library_to_open():
    heavy = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "polars", "sacrebleu", "scipy")
    code = f"import sys, playground.ui.serving; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.check_output([sys.executable, "-c", code], cwd=settings.REPOSITORY, text=True)
    assert found.strip() == "[]"
