"""The page as a whole: its tabs, its look in both themes and on a phone, links into it, and that texts stay texts."""

import csv
import io

import pytest
from playwright.sync_api import expect

from playground import settings
from playground.adapters import store
from playground.backbones.catalogue import CATALOGUE
from playground.tasks import list_tasks
from playground.ui.theme import NEUTRAL

TASKS = [task for task in list_tasks() if task.has_tab]
TABS = ["Chat", *(task.title for task in TASKS), "Fine-tune", "Adapters", "About"]
PHONE = {"width": 390, "height": 844}
VIEWPORTS = {"wide": {"width": 1280, "height": 900}, "phone": PHONE}
ARABIC = "وصلت القافلة إلى مدينة Kano"
"""One line that begins with an Arabic letter and ends with a Latin one."""


@pytest.mark.parametrize("size", VIEWPORTS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_tab_opens_and_fits_the_window(visit, picture, theme, size):
    visitor = visit(f"?__theme={theme}", VIEWPORTS[size])
    for title in TABS:
        visitor.tab(title)
        panel = visitor.page.get_by_role("tabpanel").locator("visible=true")
        expect(panel).to_have_count(1)
        if title == "Adapters":
            expect(panel.locator(".pg-card")).not_to_have_count(0)
        assert len(panel.inner_text()) > 100
        assert visitor.sticking_out() == []
        picture(visitor, f"{title.lower().replace(' ', '-')}-{theme}-{size}")
    visitor.expect_no_overlay()


@pytest.mark.parametrize(("theme", "ground"), [("light", NEUTRAL.c50), ("dark", NEUTRAL.c950)])
def test_the_theme_can_be_chosen(visit, theme, ground):
    red, green, blue = (int(ground[place : place + 2], 16) for place in (1, 3, 5))
    body = visit(f"?__theme={theme}").page.locator("body")
    expect(body).to_have_css("background-color", f"rgb({red}, {green}, {blue})")


def test_tabs_and_buttons_work_without_a_mouse(visit):
    visitor = visit()
    keyboard, focused = visitor.page.keyboard, visitor.page.locator("*:focus")
    keyboard.press("Tab")
    expect(focused).to_have_text("Chat")
    keyboard.press("ArrowLeft")
    expect(focused).to_have_text("About")
    for title in TABS:
        keyboard.press("ArrowRight")
        expect(focused).to_have_text(title)
        keyboard.press("Enter")
        expect(visitor.page.get_by_role("tab", name=title, exact=True)).to_have_attribute("aria-selected", "true")
        expect(focused).to_have_text(title)


def test_an_answer_can_be_had_without_a_mouse(visit):
    visitor = visit("?__theme=light&tab=sentiment")
    keyboard, focused = visitor.page.keyboard, visitor.page.locator("*:focus")
    expect(visitor.box("sentiment-text")).to_be_visible()
    while not visitor.box("sentiment-text").evaluate("box => box === document.activeElement"):
        keyboard.press("Tab")
    keyboard.type("Ein rundum gelungener Abend.")
    while focused.inner_text() != "Analyse":
        keyboard.press("Tab")
    assert focused.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    keyboard.press("Enter")
    expect(visitor.result("sentiment").locator(".pg-stats")).to_be_visible()


def test_a_link_opens_a_tab_with_an_adapter(visit):
    visitor = visit("?__theme=light&tab=ner&adapter=none")
    expect(visitor.page.get_by_role("tab", selected=True)).to_have_text("Entities")
    expect(visitor.picker("Adapter")).to_have_value("No adapter")


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("?tab=nowhere", "Chat"),
        ("?tab=sentiment&adapter=../../etc", "Sentiment"),
        ("?run=0", "Fine-tune"),
        ("?tab=&adapter=&run=", "Fine-tune"),
    ],
)
def test_a_wrong_link_still_opens_the_page(visit, query, title):
    visitor = visit(query)
    expect(visitor.page.get_by_role("tab", selected=True)).to_have_text(title)
    visitor.tab("Sentiment")
    expect(visitor.button("Analyse")).to_be_enabled()
    visitor.expect_no_overlay()


def test_the_link_of_a_run_that_is_gone_says_so(visit):
    visitor = visit(f"?__theme=light&run={'0' * 32}")
    expect(visitor.page.get_by_role("tab", selected=True)).to_have_text("Fine-tune")
    expect(visitor.page.get_by_role("alert")).to_contain_text("no run at this address")
    expect(visitor.button("Start training")).to_be_visible()


def test_the_about_tab_names_the_backbone_and_its_licence(visit):
    visitor = visit()
    visitor.tab("About")
    panel = visitor.page.get_by_role("tabpanel").locator("visible=true")
    expect(panel).to_contain_text(CATALOGUE[settings.backbone_id()].title)
    expect(panel).to_contain_text("Gemma Terms of Use")


@pytest.mark.parametrize("task", ["sentiment", "ner"])
def test_a_text_with_tags_stays_a_text_in_a_task(visit, hostile, task):
    found = next(one for one in TASKS if one.name == task)
    visitor = visit()
    visitor.tab(found.title)
    visitor.box(f"{task}-text").fill(f"{hostile} Wangari Maathai flew to Oslo.")
    result = visitor.run(task, found.action)
    if task == "ner":
        expect(result.locator(".pg-text")).to_contain_text(hostile)
    visitor.expect_inert()


def test_a_question_with_tags_stays_a_text(visit, hostile):
    visitor = visit()
    visitor.tab("Question answering")
    visitor.box("qa-context").fill(f"{hostile} The bridge opened in 1932.")
    visitor.box("qa-question").fill(f"{hostile} When did it open?")
    expect(visitor.run("qa", "Answer").locator(".pg-text")).to_contain_text(hostile)
    visitor.expect_inert()


def test_a_chat_with_tags_stays_a_text(visit, hostile):
    visitor = visit()
    visitor.box("chat-message").fill(f"/entities {hostile} Wangari Maathai flew to Oslo.")
    visitor.button("Send").click()
    expect(visitor.page.locator("#chat-messages .pg-stats")).to_be_visible()
    assert hostile in visitor.page.get_by_test_id("user").inner_text().replace("\u2060", "")
    expect(visitor.page.locator("#chat-messages .pg-text")).to_contain_text(hostile)
    visitor.box("chat-message").fill(f"/translate {hostile}")
    visitor.button("Send").click()
    expect(visitor.page.get_by_test_id("bot")).not_to_have_count(1)
    visitor.expect_inert()


def test_file_names_columns_and_labels_with_tags_stay_texts(visit, hostile):
    visitor = visit()
    visitor.tab("Fine-tune")
    label = hostile.partition("<script")[0]
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(["text", "label", hostile])
    rows.writerows([f"{hostile} {number}", f"{label} {number % 2}", hostile] for number in range(8))
    visitor.give("finetune-file", f"{hostile.replace('/', '-')}.csv", table.getvalue().encode())
    preview = visitor.page.locator("#finetune-preview")
    expect(preview).to_contain_text(f"{label} 1 4")
    expect(preview.locator("td").first).to_have_text(f"{hostile} 0")
    visitor.expect_inert()
    visitor.box("finetune-name").fill(hostile[:64])
    visitor.button("Start training").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("<img src=x")
    visitor.expect_inert()


def test_arabic_is_laid_out_from_right_to_left(visit, picture):
    visitor = visit()
    visitor.tab("Entities")
    visitor.box("ner-text").fill(ARABIC)
    result = visitor.run("ner", "Find entities")
    marked = result.locator(".pg-text")
    expect(marked).to_have_css("direction", "rtl")
    assert visitor.runs_right_to_left(marked)
    expect(visitor.box("ner-text")).to_have_css("unicode-bidi", "plaintext")
    picture(visitor, "right-to-left-entities")
    visitor.tab("Chat")
    visitor.box("chat-message").fill(f"/entities {ARABIC}")
    visitor.button("Send").click()
    in_chat = visitor.page.locator("#chat-messages .pg-text")
    expect(in_chat).to_have_css("direction", "rtl")
    assert visitor.runs_right_to_left(in_chat)
    picture(visitor, "right-to-left-chat")


def test_latin_text_is_laid_out_from_left_to_right(visit):
    visitor = visit()
    visitor.tab("Entities")
    visitor.box("ner-text").fill("Amina met هدى")
    marked = visitor.run("ner", "Find entities").locator(".pg-text")
    expect(marked).to_have_css("direction", "ltr")
    assert not visitor.runs_right_to_left(marked)


def test_a_result_fits_a_phone(visit, picture):
    assert store.default_adapter("ner") is not None
    visitor = visit("?__theme=dark", PHONE)
    visitor.tab("Entities")
    visitor.page.get_by_label("Compare with no adapter").locator("visible=true").check()
    visitor.box("ner-text").fill("Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch, " + "W" * 200)
    visitor.run("ner", "Find entities")
    assert visitor.sticking_out() == []
    picture(visitor, "entities-compared-phone")
