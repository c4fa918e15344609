"""An answer is corrected under it, and the corrections are taken as rows to train on."""

import shutil
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from playground import settings
from playground.adapters.record import read_record
from playground.evaluation.report import compare, row_details
from playground.tasks import get_task
from playground.training.measure import add_report

NARROW = {"width": 390, "height": 844}


def correct(visitor, text, label):
    visitor.tab("Sentiment")
    visitor.box("sentiment-text").fill(text)
    visitor.run("sentiment", "Analyse")
    area = visitor.page.locator("#sentiment-correction")
    area.get_by_text("Wrong? Correct it").click()
    visitor.choose("Right answer", label)
    visitor.page.locator("#sentiment-correction-save").click()
    return area


def test_corrections_become_rows_for_a_training_that_goes_on_from_the_adapter(visit, picture):
    visitor = visit("?__theme=light", NARROW)
    for number, text in enumerate(("الخدمة بطيئة", "Ganz großes Kino, wieder mal zu spät."), start=1):
        area = correct(visitor, text, "neutral")
        expect(area).to_contain_text(f"you have {number} correction")
    assert visitor.sticking_out() == []
    picture(visitor, "correction")
    visitor.tab("Fine-tune")
    visitor.page.get_by_text("Or take your corrections").click()
    expect(visitor.picker("Corrections of")).to_have_value("Sentiment (2)")
    visitor.page.locator("#finetune-use-corrections").click()
    expect(visitor.page.locator("#finetune-preview")).to_contain_text("neutral 2")
    expect(visitor.picker("Start from")).to_have_value("multilingual (shipped)")
    picture(visitor, "finetune-corrections")
    visitor.button("Delete them").click()
    area = visitor.page.locator("#finetune-corrections")
    expect(area).to_contain_text("The corrections are deleted.")
    picture(visitor, "finetune-corrections-deleted")
    visitor.button("Undo: put them back").click()
    expect(visitor.picker("Corrections of")).to_have_value("Sentiment (2)")
    expect(visitor.button("Undo: put them back")).to_have_count(0)
    visitor.button("Delete them").click()
    expect(area).to_contain_text("The corrections are deleted.")


@pytest.fixture
def measured(server, hostile):
    """An adapter of one's own in the server's home, with a report on three rows that it got wrong."""
    task, folder = get_task("sentiment"), server.home / "adapters" / "sentiment" / "measured"
    shutil.copytree(settings.shipped_adapters() / "sentiment" / "multilingual", folder)
    rows = [{"text": text, "label": "negative"} for text in ("الخدمة بطيئة", hostile, "Wieder zu spät.")]
    answered = [row | {"label": "positive"} for row in rows]
    record = replace(read_record(folder, "own"), name=folder.name)
    add_report(record, compare(task, rows, None, answered), row_details(task, rows, None, answered))
    yield record
    shutil.rmtree(folder)


def test_a_row_of_a_report_is_corrected_and_becomes_a_row_to_learn_from(visit, measured, picture):
    visitor = visit("?__theme=light", NARROW)
    visitor.tab("Adapters")
    visitor.page.locator(".pg-card", has_text=measured.name).get_by_role("button", name="Report", exact=True).click()
    panel = visitor.page.locator("#adapters-report")
    expect(panel.locator(".pg-row")).to_have_count(3)
    panel.get_by_text("Wrong? Correct a row").click()
    expect(visitor.picker("Right answer")).to_have_count(0)
    visitor.choose("Row to correct", "#1 الخدمة بطيئة")
    expect(visitor.picker("Right answer")).to_have_value("negative")
    visitor.choose("Right answer", "neutral")
    panel.locator("#adapters-report-correction-save").click()
    expect(panel).to_contain_text("Kept: you have 1 correction for Sentiment.")
    assert visitor.sticking_out() == []
    picture(visitor, "report-correction")
    visitor.expect_inert()
    visitor.tab("Fine-tune")
    visitor.page.get_by_text("Or take your corrections").click()
    expect(visitor.picker("Corrections of")).to_have_value("Sentiment (1)")
    visitor.button("Delete them").click()
    expect(visitor.page.locator("#finetune-corrections")).to_contain_text("The corrections are deleted.")


def test_an_answer_in_the_chat_is_corrected_under_it(visit, picture):
    visitor = visit("?__theme=dark", NARROW)
    area = visitor.page.locator("#chat-correction")
    expect(area).to_be_hidden()
    visitor.box("chat-message").fill("/ner Jana wohnt in Köln.")
    visitor.button("Send").click()
    area.get_by_text("Wrong? Correct the last answer").click()
    visitor.box("chat-right").fill("Jana = PER\nKöln = LOC")
    visitor.page.locator("#chat-correction-save").click()
    expect(area).to_contain_text("you have 1 correction for")
    assert visitor.sticking_out() == []
    picture(visitor, "chat-correction")
    visitor.box("chat-message").fill("/help")
    visitor.button("Send").click()
    expect(area).to_be_hidden()
