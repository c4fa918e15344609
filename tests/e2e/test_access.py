"""Many people at once: what each sees, what the owner sees, and a page for trying only."""

import io
import json
import re
import shutil
import zipfile
from dataclasses import replace

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import expect

from playground.adapters import store
from playground.adapters.record import write_record

PASSWORD = "correct horse"
ROWS = "text,label\n" + "".join(f"lamp {n} is fine,keep\nlamp {n} is broken,return\n" for n in range(30))
FORBIDDEN = "for trying only"
UNCHECKED = {"PLAYGROUND_RELOAD": "0"}
"""Whose adapters they are does not depend on loading each of them again, which takes a process of its own."""


@pytest.fixture(scope="module")
def shared(start_server):
    return start_server("shared", PLAYGROUND_OWNER_PASSWORD=PASSWORD, PLAYGROUND_MAX_RUNS_EACH="1", **UNCHECKED)


@pytest.fixture(scope="module")
def read_only(start_server):
    return start_server("read-only", PLAYGROUND_READ_ONLY="1", PLAYGROUND_OWNER_PASSWORD=PASSWORD, **UNCHECKED)


@pytest.fixture
def zipped(tmp_path):
    """``zipped(name)``: the shipped sentiment adapter under another name, as a zip."""

    def pack(name):
        shipped = store.default_adapter("sentiment")
        folder = tmp_path / name
        shutil.copytree(shipped.path, folder, dirs_exist_ok=True)
        write_record(replace(shipped, name=name), folder)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, f"{name}/{path.name}")
        return packed.getvalue()

    return pack


def bring(visitor, content):
    visitor.tab("Adapters")
    file = {"name": "adapter.zip", "mimeType": "application/zip", "buffer": content}
    visitor.page.get_by_role("tabpanel").locator("visible=true").locator("input[type=file]").first.set_input_files(file)


def names(visitor):
    """Names of the adapters that have a card, without the shipped ones.

    On a page opened anew all cards are drawn at once, and no older ones can be there.
    """
    visitor.open("?__theme=light&tab=adapters")
    cards = visitor.page.locator(".pg-card")
    expect(cards.locator("h3 bdi").last).to_be_visible()
    return cards.filter(has_not_text=re.compile("shipped")).locator("h3 bdi").all_inner_texts()


def sign_in(visitor, password):
    visitor.tab("About")
    visitor.page.get_by_label("Owner's password").fill(password)
    visitor.button("Sign in as the owner").click()


def signed_in(visitor, password=PASSWORD):
    with visitor.page.expect_navigation():
        sign_in(visitor, password)
    expect(visitor.page.get_by_role("tab", selected=True)).to_be_visible()
    visitor.tab("About")
    expect(visitor.page.locator("#access-who")).to_contain_text("signed in as the owner")
    return visitor


def cookie_of(visitor):
    (cookie,) = [one for one in visitor.page.context.cookies() if "playground-visitor" in one["name"]]
    return cookie


def begin_run(visitor, name):
    visitor.tab("Fine-tune")
    visitor.give("finetune-file", "lamps.csv", ROWS.encode())
    expect(visitor.page.locator("#finetune-start")).to_be_enabled()
    visitor.box("finetune-name").fill(name)
    visitor.button("Start training").click()


def test_two_people_at_once_see_their_own_adapters_and_the_owner_sees_both(visit, shared, zipped, picture):
    ann, bob = visit(at=shared), visit(at=shared)
    for visitor, name in ((ann, "anns"), (bob, "bobs")):
        bring(visitor, zipped(name))
        expect(visitor.page.get_by_text(f"{name} was imported")).to_be_visible()
    assert names(ann) == ["anns"]
    assert names(bob) == ["bobs"]
    picture(bob, "access-adapters-of-bob")

    bob.tab("Sentiment")
    bob.picker("Adapter").click()
    expect(bob.page.get_by_role("option", name="bobs (yours)")).to_be_visible()
    expect(bob.page.get_by_role("option", name="anns")).to_have_count(0)
    bob.page.keyboard.press("Escape")

    bring(bob, zipped("anns"))
    expect(bob.page.get_by_text("anns-2 was imported")).to_be_visible()
    assert set(names(bob)) == {"bobs", "anns-2"}

    owner = signed_in(visit(at=shared))
    picture(owner, "access-owner")
    assert set(names(owner)) == {"anns", "anns-2", "bobs"}
    picture(owner, "access-adapters-of-owner")
    expect(owner.page.locator(".pg-card").filter(has_text="bobs")).to_contain_text("a visitor's")


def test_others_adapters_are_unknown_to_the_endpoints(visit, shared, zipped):
    ann, bob = visit(at=shared), visit(at=shared)
    bring(ann, zipped("secret"))
    expect(ann.page.get_by_text("secret was imported")).to_be_visible()

    def asking(visitor):
        cookie = cookie_of(visitor)
        return Client(shared.address, verbose=False, headers={"Cookie": f"{cookie['name']}={cookie['value']}"})

    given = {"text": "Molto bello.", "api_name": "/classify"}
    assert asking(ann).predict(adapter="secret", **given)["adapter"] == "secret"
    for stranger in (asking(bob), Client(shared.address, verbose=False)):
        with pytest.raises(AppError) as refused:
            stranger.predict(adapter="secret", **given)
        with pytest.raises(AppError) as unknown:
            stranger.predict(adapter="sincere", **given)
        assert "There is no adapter 'secret'" in str(refused.value)
        assert str(refused.value).replace("secret", "sincere") == str(unknown.value)


def test_who_one_is_survives_a_reload_and_a_closed_browser(visit, shared, zipped):
    first = visit(at=shared)
    bring(first, zipped("lasting"))
    expect(first.page.get_by_text("lasting was imported")).to_be_visible()
    cookie = cookie_of(first)
    assert cookie["httpOnly"]
    assert cookie["expires"] > 0
    assert len(cookie["value"]) == 43
    first.open()
    assert cookie_of(first)["value"] == cookie["value"]
    again = visit(at=shared, storage_state=first.page.context.storage_state())
    assert "lasting" in names(again)
    kept = [path.read_text() for path in shared.home.rglob("owner.json")]
    assert kept
    assert not any(cookie["value"] in text for text in kept)


def test_a_run_is_its_own_persons_and_each_has_a_limit(visit, shared, picture):
    ann, bob = visit(at=shared), visit(at=shared)
    begin_run(ann, "anns-lamps")
    expect(ann.page.locator("#finetune-run .pg-badge").first).to_be_visible()
    link = ann.page.get_by_role("link", name="link to this run").get_attribute("href")

    bob.open(link)
    expect(bob.page.get_by_role("alert").locator("visible=true")).to_contain_text("There is no run at this address")
    bob.tab("About")
    expect(bob.page.locator("#access-who")).to_contain_text("Your runs: 0; your adapters: 0")
    picture(bob, "access-visitor")

    owner = signed_in(visit(at=shared))
    expect(owner.page.locator("#access-run-list")).to_contain_text("classify/anns-lamps")
    owner.open(link)
    expect(owner.page.locator("#finetune-run .pg-badge").first).to_be_visible()

    second = visit(at=shared, storage_state={"cookies": ann.page.context.cookies(), "origins": []})
    begin_run(second, "one-more")
    expect(second.page.get_by_role("alert").locator("visible=true")).to_contain_text("PLAYGROUND_MAX_RUNS_EACH")
    picture(second, "access-limit")

    owner.button("Discard").click()
    owner.button("Discard for good").click()
    expect(ann.page.locator("#finetune-run .pg-badge").first).to_have_text("stopped")
    ann.tab("About")
    ann.choose("Delete a run and its rows", "classify/anns-lamps")
    picture(ann, "access-own-runs")
    ann.page.set_viewport_size({"width": 390, "height": 844})
    assert ann.sticking_out() == []
    picture(ann, "access-own-runs-narrow")
    ann.button("Delete the run for good").click()
    expect(ann.page.locator("#access-who")).to_contain_text("Your runs: 0")


def test_a_wrong_password_opens_nothing(visit, shared):
    visitor = visit(at=shared)
    sign_in(visitor, "wrong")
    expect(visitor.page.locator("#access-notice")).to_contain_text("not the owner's password")
    visitor.open()
    visitor.tab("About")
    expect(visitor.page.locator("#access-who")).to_contain_text("Your runs: 0")


def pressed(address, elem_id, moment="click"):
    """What the server answers when the event of a part is sent to it without the page."""
    session = "direct" + elem_id
    client = httpx.Client(base_url=address, timeout=60)
    client.get("/")
    config = client.get("/config").json()
    (part,) = [one["id"] for one in config["components"] if one["props"].get("elem_id") == elem_id]
    event = next(one for one in config["dependencies"] if [part, moment] in one["targets"])
    values = {one["id"]: one["props"].get("value") for one in config["components"]}
    sent = {"data": [values[number] for number in event["inputs"]], "fn_index": event["id"], "session_hash": session}
    client.post("/gradio_api/queue/join", json=sent).raise_for_status()
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as lines:
        return json.dumps([line for line in lines.iter_lines() if "process_" in line])


def test_a_page_for_trying_lets_nobody_train_import_or_delete(visit, read_only, zipped, picture):
    visitor = visit(at=read_only)
    visitor.tab("Sentiment")
    visitor.box("sentiment-text").fill("Molto bello.")
    expect(visitor.run("sentiment", "Analyse").locator(".pg-stats")).to_contain_text("adapter multilingual")

    visitor.tab("Fine-tune")
    expect(visitor.page.locator("#finetune-refusal")).to_contain_text(FORBIDDEN)
    expect(visitor.page.locator("#finetune-start")).to_be_hidden()
    picture(visitor, "access-read-only-finetune")
    visitor.tab("Adapters")
    expect(visitor.page.locator("#adapters-refusal")).to_contain_text(FORBIDDEN)
    expect(visitor.page.get_by_text("Import a .zip file")).to_be_hidden()
    picture(visitor, "access-read-only-adapters")

    for elem_id in ("finetune-start", "finetune-estimate", "finetune-resume", "finetune-pause"):
        assert FORBIDDEN in pressed(read_only.address, elem_id), elem_id
    assert FORBIDDEN in pressed(read_only.address, "adapters-import", "upload")
    assert not list((read_only.home / "adapters").glob("*/*"))


def test_the_owner_of_a_page_for_trying_can_change_it(visit, read_only, zipped):
    owner = signed_in(visit(at=read_only))
    bring(owner, zipped("not-for-all"))
    expect(owner.page.get_by_text("not-for-all was imported")).to_be_visible()
    owner.tab("Fine-tune")
    expect(owner.page.locator("#finetune-start")).to_be_visible()
    assert names(visit(at=read_only)) == []
