"""The Adapters tab: cards, verifying, and moving adapters out and in."""

import io
import json
import pickle
import re
import shutil
import zipfile
from dataclasses import replace
from hashlib import sha256

import pytest
from playwright.sync_api import expect

from playground.adapters import store
from playground.adapters.record import RECORD_FILE, REPORT_FILE, WEIGHTS_FILE, write_record
from playground.adapters.report import PAGE_FILE
from playground.evaluation.report import compare
from playground.tasks import get_task


@pytest.fixture(scope="module")
def unchecked(start_server):
    """A server that doesn't load each import again, which takes a process of its own."""
    return start_server("adapters", PLAYGROUND_RELOAD="0")


@pytest.fixture
def zipped(tmp_path):
    """``zipped(name, changed={}, **fields)``: the shipped sentiment adapter under another name, as a zip."""

    def pack(name, changed=None, **fields):
        shipped = store.default_adapter("sentiment")
        folder = tmp_path / name
        shutil.copytree(shipped.path, folder)
        write_record(replace(shipped, name=name, **fields), folder)
        for file_name, content in (changed or {}).items():
            (folder / file_name).write_bytes(content)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, f"{name}/{path.name}")
        return packed.getvalue()

    return pack


def opened(visit, at=None):
    visitor = visit(at=at)
    visitor.tab("Adapters")
    expect(visitor.page.locator(".pg-card")).not_to_have_count(0)
    return visitor


def bring(visitor, content, name="adapter.zip"):
    file = {"name": name, "mimeType": "application/zip", "buffer": content}
    visitor.page.get_by_role("tabpanel").locator("visible=true").locator("input[type=file]").first.set_input_files(file)


def alert(visitor):
    return visitor.page.get_by_role("alert").locator("visible=true")


def card(visitor, name):
    return visitor.page.locator(".pg-card").filter(has=visitor.page.locator("h3 bdi", has_text=re.compile(f"^{name}$")))


def delete(visitor, name):
    card(visitor, name).get_by_role("button", name="Delete", exact=True).click()
    card(visitor, name).get_by_role("button", name=f"Delete {name}", exact=True).click()
    expect(card(visitor, name)).to_have_count(0)


def test_every_shipped_adapter_has_a_card_that_says_what_it_is(visit):
    visitor = opened(visit)
    shipped = [record for record in store.list_adapters() if record.origin == "shipped"]
    assert shipped
    for record in shipped:
        one = card(visitor, record.name).filter(has_text=record.description)
        expect(one).to_have_count(1)
        expect(one).to_contain_text("shipped")
        for fact in ("Quality", "Trained on", "Licence of the data", "Backbone", "Size"):
            expect(one.get_by_role("term").filter(has_text=fact).first).to_be_visible()
        expect(one.get_by_role("button", name="Delete")).to_have_count(0)
        expect(one.get_by_role("link", name="Try it")).to_be_visible()


def test_the_task_picker_narrows_the_list(visit):
    visitor = opened(visit)
    num_all = visitor.page.locator(".pg-card").count()
    visitor.choose("Task", "Entities")
    expect(visitor.page.locator(".pg-card")).to_have_count(len(store.list_adapters("ner")))
    visitor.choose("Task", "All tasks")
    expect(visitor.page.locator(".pg-card")).to_have_count(num_all)


@pytest.mark.slow
def test_a_shipped_adapter_can_be_verified_and_exported(visit):
    visitor = opened(visit)
    record = store.default_adapter("sentiment")
    one = card(visitor, record.name).filter(has_text=record.description)
    one.get_by_role("button", name="Verify").click()
    expect(one.get_by_role("status")).to_contain_text("as they were saved. Loaded again: same outputs")
    one.get_by_role("button", name="Export", exact=True).click()
    expect(one.get_by_role("status")).to_contain_text("gives the adapter's own outputs")
    name, content = visitor.take(one.get_by_test_id("download-link"))
    assert name == f"sentiment-{record.name}.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for file_name in record.files:
            assert archive.read(f"{record.name}/{file_name}") == (record.path / file_name).read_bytes()


def test_an_adapter_comes_in_goes_out_and_is_deleted(visit, zipped, picture):
    visitor = opened(visit)
    bring(visitor, zipped("guest"))
    expect(card(visitor, "guest")).to_contain_text("yours")
    expect(visitor.page.get_by_text("guest was imported")).to_contain_text("Loaded again: same outputs on 3 probe rows")
    picture(visitor, "adapters-imported")
    visitor.tab("Sentiment")
    visitor.choose("Adapter", "guest (yours)")
    visitor.box("sentiment-text").fill("Molto bello.")
    expect(visitor.run("sentiment", "Analyse").locator(".pg-stats")).to_contain_text("adapter guest")

    visitor.tab("Adapters")
    card(visitor, "guest").get_by_role("button", name="Export", exact=True).click()
    expect(card(visitor, "guest").get_by_role("status")).to_contain_text("gives the adapter's own outputs")
    _, content = visitor.take(card(visitor, "guest").get_by_test_id("download-link"))
    bring(visitor, content)
    expect(alert(visitor)).to_contain_text("already an adapter 'sentiment/guest'")
    card(visitor, "guest").get_by_role("button", name="Delete", exact=True).click()
    card(visitor, "guest").get_by_role("button", name="Keep").click()
    delete(visitor, "guest")

    visitor.tab("Sentiment")
    visitor.button("Analyse").click()
    visitor.picker("Adapter").click()
    expect(visitor.page.get_by_role("option", name="No adapter")).to_be_visible()
    expect(visitor.page.get_by_role("option", name="guest (yours)")).to_have_count(0)


def renamed_badly(one, name):
    one.get_by_role("button", name="Rename or duplicate").click()
    one.get_by_label("New name").fill(name)
    one.get_by_role("button", name="Rename", exact=True).click()
    expect(one.get_by_role("alert")).to_contain_text(f"'{name}' can't be the name")


def test_an_adapter_is_renamed_duplicated_deleted_and_put_back(visit, unchecked, zipped):
    visitor = opened(visit, unchecked)
    visitor.page.get_by_label("Name for what is imported").fill("first")
    bring(visitor, zipped("multilingual"))
    expect(card(visitor, "first")).to_be_visible()
    expect(visitor.page.get_by_label("Name for what is imported")).to_have_value("")
    one = card(visitor, "first")
    renamed_badly(one, "Bad Name")
    one.get_by_label("New name").fill("second")
    one.get_by_role("button", name="Rename", exact=True).click()
    expect(card(visitor, "second")).to_be_visible()
    expect(card(visitor, "first")).to_have_count(0)

    two = card(visitor, "second")
    two.get_by_role("button", name="Rename or duplicate").click()
    two.get_by_label("New name").fill("third")
    two.get_by_role("button", name="Duplicate", exact=True).click()
    expect(card(visitor, "third")).to_be_visible()
    delete(visitor, "third")
    visitor.page.get_by_role("button", name="Undo: put third back").click()
    expect(card(visitor, "third")).to_be_visible()
    delete(visitor, "third")
    visitor = opened(visit, unchecked)
    visitor.page.get_by_role("button", name="Deleted in the last day").click()
    visitor.page.get_by_role("button", name="Put sentiment/third back").first.click()
    expect(card(visitor, "third")).to_be_visible()
    for name in ("second", "third"):
        renamed_badly(card(visitor, name), "Bad Name")
    delete(visitor, "third")
    expect(card(visitor, "third")).to_have_count(0)
    # What was said and typed in a card does not move to the one that takes its place.
    expect(visitor.page.get_by_role("alert").locator("visible=true")).to_have_count(0)
    expect(card(visitor, "second").get_by_label("New name")).to_have_value("")
    delete(visitor, "second")


def test_a_broken_folder_is_named_and_can_be_cleared_away(visit, server):
    folder = server.home / "adapters" / "sentiment" / "halved"
    folder.mkdir(parents=True)
    visitor = opened(visit)
    expect(alert(visitor)).to_contain_text("sentiment/halved can't be used: Adapter folder halved has no file")
    visitor.page.get_by_role("button", name="Delete sentiment/halved").click()
    expect(visitor.page.get_by_text("sentiment/halved was deleted")).to_be_visible()
    expect(visitor.page.get_by_role("button", name="Delete sentiment/halved")).to_have_count(0)
    assert not folder.exists()


@pytest.mark.slow
def test_the_other_formats_are_downloaded_as_one_file(visit):
    visitor = opened(visit)
    record = store.default_adapter("translate")
    one = card(visitor, record.name).filter(has_text=record.description)
    one.get_by_label("Export as").click()
    visitor.page.get_by_role("option", name="GGUF").click()
    one.get_by_role("button", name="Export", exact=True).click()
    expect(one.get_by_role("status")).to_contain_text("gives the adapter's own outputs", timeout=300_000)
    name, content = visitor.take(one.get_by_test_id("download-link"))
    assert name == f"translate-{record.name}.gguf"
    assert content.startswith(b"GGUF")


def test_gguf_of_a_classifier_is_refused_with_what_to_choose_instead(visit):
    visitor = opened(visit)
    record = store.default_adapter("sentiment")
    one = card(visitor, record.name).filter(has_text=record.description)
    one.get_by_label("Export as").click()
    visitor.page.get_by_role("option", name="GGUF").click()
    one.get_by_role("button", name="Export", exact=True).click()
    expect(one.get_by_role("alert")).to_contain_text("export it as ONNX or as merged safetensors")


def test_an_adapter_with_tags_in_its_card_stays_a_text(visit, unchecked, zipped, hostile):
    visitor = opened(visit, unchecked)
    labels = tuple(f"{hostile}{number}" for number in range(3))
    training = store.default_adapter("sentiment").training | {"data": hostile, "licence": hostile, "command": hostile}
    bring(visitor, zipped("sly", description=hostile, labels=labels, training=training))
    expect(card(visitor, "sly")).to_contain_text(hostile)
    visitor.expect_inert()
    visitor.tab("Sentiment")
    visitor.choose("Adapter", "sly (yours)")
    visitor.box("sentiment-text").fill("Fine.")
    expect(visitor.run("sentiment", "Analyse").locator(".pg-bars")).to_contain_text(labels[0])
    visitor.expect_inert()
    visitor.tab("Adapters")
    delete(visitor, "sly")


def report_on(labels):
    """The report of an adapter that never errs on rows with these labels."""
    rows = [{"text": f"row {number}", "label": label, "lang": "en"} for number, label in enumerate(labels * 3)]
    return json.dumps(
        {"schema_version": 1, **compare(get_task("sentiment"), rows, rows[:1] * len(rows), rows)}
    ).encode()


def test_a_report_comes_along_and_is_shown_beside_other_adapters(visit, unchecked, zipped, hostile, picture):
    shipped = store.default_adapter("sentiment")
    report = report_on(["good", "bad", hostile])
    files = shipped.files | {REPORT_FILE: sha256(report).hexdigest()}
    visitor = opened(visit, unchecked)
    bring(visitor, zipped("told", {REPORT_FILE: report, PAGE_FILE: b"<script>window.pwned=3</script>"}, files=files))
    card(visitor, "told").get_by_role("button", name="Report").click()
    panel = visitor.page.locator("#adapters-report")
    expect(panel).to_contain_text("unlikely to be chance")
    expect(panel).to_contain_text("not on this machine")
    panel.locator("summary", has_text="Which labels it mistakes for which").click()
    expect(panel.locator(".pg-matrix")).to_contain_text(hostile[:20])
    panel.get_by_role("button", name="Download the report").click()
    _, page = visitor.take(panel.get_by_test_id("download-link").first)
    assert b"window.pwned=3" not in page
    visitor.expect_inert()
    assert visitor.sticking_out() == []
    picture(visitor, "adapters-report")
    panel.get_by_role("button", name="Close the report").click()
    expect(panel.locator(".pg-part")).to_have_count(0)

    visitor.page.get_by_role("button", name="Compare adapters").click()
    for name in (f"{shipped.name} (shipped)", "told (yours)"):
        visitor.choose("Adapters and runs to compare", name)
    visitor.button("Compare").click()
    tables = visitor.page.locator("#adapters-compare-tables")
    expect(tables.locator(".pg-result")).to_have_count(2)
    expect(tables).to_contain_text("They are set up and trained alike.")
    visitor.box("adapters-compare-text").fill("Molto bello.")
    visitor.button("Ask all of them").click()
    expect(visitor.page.locator("#adapters-compare-answers .pg-stats")).to_have_count(2)
    picture(visitor, "adapters-compared")
    delete(visitor, "told")


def test_a_tampered_adapter_is_refused(visit, zipped):
    weights = bytearray((store.default_adapter("sentiment").path / WEIGHTS_FILE).read_bytes())
    weights[-1] ^= 1
    visitor = opened(visit)
    bring(visitor, zipped("tampered", {WEIGHTS_FILE: bytes(weights)}))
    expect(alert(visitor)).to_contain_text(f"{WEIGHTS_FILE} was changed or damaged")
    expect(card(visitor, "tampered")).to_have_count(0)
    visitor.expect_no_overlay()


def test_an_adapter_with_a_pickle_is_refused(visit, zipped):
    visitor = opened(visit)
    bring(visitor, zipped("pickled", {"adapter_model.bin": pickle.dumps({})}))
    expect(alert(visitor)).to_contain_text("pickle")
    expect(card(visitor, "pickled")).to_have_count(0)
    visitor.expect_no_overlay()


def test_an_adapter_of_another_backbone_is_refused_by_name(visit, zipped):
    visitor = opened(visit)
    bring(visitor, zipped("foreign", backbone={"id": "some-other-model", "checksum": "0" * 64}))
    expect(alert(visitor)).to_contain_text("was made for the backbone 'some-other-model', not for")
    expect(card(visitor, "foreign")).to_have_count(0)
    visitor.expect_no_overlay()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"PK\x03\x04 not really", "no zip file"), (b"", "adapter.zip"), (b"%PDF-1.4", "no zip file")],
    ids=["cut", "empty", "other"],
)
def test_what_is_no_zip_is_refused(visit, content, sentence):
    visitor = opened(visit)
    bring(visitor, content)
    expect(alert(visitor)).to_contain_text(sentence)
    visitor.expect_no_overlay()


def test_a_zip_that_leads_out_of_its_folder_is_refused(visit, tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"../../{RECORD_FILE}", json.dumps({}))
    visitor = opened(visit)
    bring(visitor, packed.getvalue())
    expect(alert(visitor)).to_contain_text("leads out of its folder")
