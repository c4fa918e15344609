"""Who is asking, over HTTP: cookies, signing in, and what Gradio's events see of them."""

import time
from hashlib import sha256
from http.cookies import SimpleCookie

import gradio as gr
import pytest
from gradio_client import Client
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from playground import access
from playground.errors import AccessError
from playground.ui import serving, visitors
from playground.ui.visitors import COOKIE, SECURE_COOKIE, Visitors

SECRET = "s" * 43
KEY = sha256(SECRET.encode()).hexdigest()
PASSWORD = "correct horse"
LOGIN = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("HOST", "GRADIO_SERVER_NAME", "SPACE_ID", "SPACE_AUTHOR_NAME", "PLAYGROUND_ALLOWED_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PLAYGROUND_OWNER_PASSWORD", PASSWORD)
    monkeypatch.setattr(access, "_known_by", [])


def page(base_url="http://testserver"):
    routes = [Route(path, lambda _: PlainTextResponse("page"), methods=["GET", "POST"]) for path in ("/", "/upload")]
    return TestClient(Starlette(routes=routes, middleware=serving.middleware("0.0.0.0")), base_url=base_url)


def cookie_in(answer):
    (found,) = SimpleCookie(answer.headers["set-cookie"]).values()
    return found


def test_the_page_gives_each_browser_a_lasting_secret_that_scripts_can_not_read():
    first, second = cookie_in(page().get("/")), cookie_in(page().get("/"))
    assert first.key == COOKIE
    assert first.value != second.value
    assert len(first.value) >= 22  # 128 bits in base64
    assert first["httponly"]
    assert first["samesite"] == "Lax"
    assert int(first["max-age"]) > 30 * 24 * 3600


def test_a_secret_is_kept_and_one_that_is_not_ours_is_replaced():
    assert cookie_in(page().get("/", headers={"Cookie": f"{COOKIE}={SECRET}"})).value == SECRET
    assert cookie_in(page().get("/", headers={"Cookie": f"{COOKIE}=short"})).value != "short"


def test_only_the_page_itself_sets_a_secret():
    assert "set-cookie" not in page().post("/").headers
    assert "set-cookie" not in page().get("/upload").headers


def test_over_https_the_cookie_is_this_hosts_alone_and_another_one_does_not_count():
    client = page("https://testserver")
    found = cookie_in(client.get("/", headers={"Cookie": f"{COOKIE}={SECRET}"}))
    assert found.key == SECURE_COOKIE
    assert found["secure"]
    assert found.value != SECRET


def test_on_a_space_the_cookie_works_in_its_frame_and_in_no_other(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "someone/playground")
    sent = page().get("/").headers["set-cookie"]
    for part in (SECURE_COOKIE, "Secure", "HttpOnly", "SameSite=None", "Partitioned", "Path=/"):
        assert part in sent


def test_on_a_machine_of_ones_own_there_is_no_cookie(monkeypatch):
    monkeypatch.delenv("PLAYGROUND_OWNER_PASSWORD")
    assert "set-cookie" not in page().get("/").headers


@pytest.fixture
def asked():
    """``asked(event, *values, secret=SECRET)``: what a served page answers to the one with that secret."""
    known = Visitors()
    known.recognise()

    def told():
        person = access.current()
        return "owner" if person.is_owner else person.key or "nobody"

    def who() -> str:
        return told()

    def growing():
        yield told()
        yield told()

    def sign_in(password: str) -> str:
        try:
            known.sign_in(password)
        except AccessError as err:
            return str(err)
        return told()

    def sign_out() -> str:
        known.sign_out()
        return told()

    with gr.Blocks(analytics_enabled=False) as blocks:
        for function in (who, sign_in, sign_out):
            gr.api(function, api_name=function.__name__)
        shown = gr.Textbox()
        gr.Button().click(growing, outputs=shown, api_name="growing")
        gr.Button().click(who, outputs=shown, api_name="unqueued", queue=False)
    _, address, _ = blocks.launch(prevent_thread_lock=True, quiet=True, _frontend=False)

    def ask(event, *values, secret=SECRET):
        client = Client(address, verbose=False, headers={"Cookie": f"{COOKIE}={secret}"} if secret else {})
        return client.predict(*values, api_name=f"/{event}")

    yield ask
    blocks.close()


@pytest.mark.parametrize("event", ["who", "growing"])
def test_events_know_who_asks(asked, event):
    assert asked(event) == KEY
    assert asked(event, secret="t" * 43) == sha256(b"t" * 43).hexdigest()
    for stranger in ("", "short", "s" * 44, "../" + "s" * 40):
        assert asked(event, secret=stranger) == "nobody"


def test_outside_of_events_there_is_nobody(asked):
    assert access.current() == access.NOBODY


def test_the_password_makes_this_browser_the_owners_until_it_signs_out(asked):
    assert asked("sign_in", "wrong") == "This is not the owner's password."
    assert asked("who") == KEY
    assert asked("sign_in", PASSWORD) == "owner"
    assert asked("who") == "owner"
    assert asked("who", secret="t" * 43) != "owner"
    assert asked("sign_out") == KEY


def test_without_a_password_or_a_cookie_nobody_signs_in(asked, monkeypatch):
    assert "cookie" in asked("sign_in", PASSWORD, secret="")
    monkeypatch.delenv("PLAYGROUND_OWNER_PASSWORD")
    assert "PLAYGROUND_OWNER_PASSWORD" in asked("sign_in", "")
    assert asked("who") == KEY


def guess(asked, number, sender="g"):
    """Sends so many wrong passwords; a visitor for each sign in `sender`, in turns."""
    for n in range(number):
        asked("sign_in", "wrong", secret=sender[n % len(sender)] * 43)


@pytest.fixture
def few_guesses(monkeypatch):
    monkeypatch.setattr(visitors, "MAX_WRONG_EACH", 2)


def test_who_guesses_passwords_has_to_wait_and_keeps_nobody_else_out(asked, few_guesses, monkeypatch):
    guess(asked, 2)
    assert "Too many wrong passwords" in asked("sign_in", PASSWORD, secret="g" * 43)
    assert asked("sign_in", PASSWORD) == "owner"
    monkeypatch.setattr(visitors, "WRONG_PASSWORDS_S", 0.0)
    assert asked("sign_in", PASSWORD, secret="g" * 43) == "owner"


@pytest.mark.parametrize("limit", ["MAX_WRONG_FROM_ADDRESS", "MAX_WRONG"])
def test_new_cookies_give_no_more_guesses_and_a_browser_of_the_owners_still_gets_in(
    asked, few_guesses, monkeypatch, limit
):
    monkeypatch.setattr(visitors, limit, 3)
    asked("sign_in", PASSWORD)
    asked("sign_out")
    guess(asked, 3, "abc")
    assert "Too many wrong passwords" in asked("sign_in", PASSWORD, secret="n" * 43)
    assert asked("sign_in", PASSWORD) == "owner"
    guess(asked, 2, SECRET[0])
    assert "Too many wrong passwords" in asked("sign_in", PASSWORD)


@pytest.fixture
def with_login(monkeypatch):
    monkeypatch.setenv("SYSTEM", "spaces")
    monkeypatch.setenv("SPACE_ID", "ann/playground")
    monkeypatch.setenv("SPACE_AUTHOR_NAME", "ann")
    for name in LOGIN:
        monkeypatch.setenv(name, "given")
    monkeypatch.setattr(visitors, "find_spec", lambda library: library)


def session(name, expires_in_s=60.0):
    info = {"userinfo": {"preferred_username": name}, "expires_at": time.time() + expires_in_s}
    return {"session": {"oauth_info": info}}


def test_the_author_of_a_space_is_its_owner_once_logged_in(with_login):
    assert visitors.is_author(session("ann"))
    assert not visitors.is_author(session("bob"))
    assert not visitors.is_author(session("ann", expires_in_s=-1))
    assert not visitors.is_author({"session": {}})
    assert not visitors.is_author({})


@pytest.mark.parametrize("missing", ["SYSTEM", "SPACE_ID", "SPACE_AUTHOR_NAME", *LOGIN])
def test_a_login_counts_only_where_the_platform_vouches_for_it(with_login, missing, monkeypatch):
    monkeypatch.delenv(missing)
    assert not visitors.is_author(session("ann"))
