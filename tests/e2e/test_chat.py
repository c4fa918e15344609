"""The Chat tab, talked to in several languages."""

import re

import pytest
from playwright.sync_api import expect

from playground import settings
from playground.adapters import store
from playground.backbones.catalogue import CATALOGUE

BACKBONE = CATALOGUE[settings.backbone_id()].title
LONG = "The council of Alderby met on Tuesday and spoke about the bridge, the school and the market. " * 40


def say(visitor, message):
    visitor.box("chat-message").fill(message)
    visitor.button("Send").click()
    expect(visitor.box("chat-message")).to_have_value("")


def answers(visitor):
    """The parts of all answers: each text and each view is one."""
    return visitor.page.get_by_test_id("bot")


def told(visitor):
    return visitor.page.get_by_test_id("user")


def wait_until_answered(visitor, count):
    """`count` answers, all finished."""
    stats = visitor.page.locator("#chat-messages .pg-stats")
    expect(stats).to_have_count(count)
    expect(visitor.button("Send")).to_be_enabled()
    expect(visitor.button("Stop")).to_have_count(0)


def test_a_command_shows_label_bars_and_who_answered(visit, picture):
    visitor = visit()
    say(visitor, "/sentiment Nunca más vuelvo a este hotel.")
    wait_until_answered(visitor, 1)
    expect(answers(visitor).locator(".pg-bars dt")).to_have_count(len(store.default_adapter("sentiment").labels))
    stats = visitor.page.locator("#chat-messages .pg-stats")
    expect(stats).to_contain_text(f"adapter {store.default_adapter('sentiment').name}")
    expect(stats).to_contain_text(BACKBONE)
    visitor.expect_no_overlay()
    picture(visitor, "chat-sentiment")


@pytest.mark.parametrize(
    ("message", "view"),
    [
        ("Ist diese Bewertung positiv oder negativ? Die Heizung war kaputt und niemand half uns.", ".pg-bars"),
        ("这条评论是正面的还是负面的？房间很干净，早餐也很好吃。", ".pg-bars"),
        ("ما هي الأسماء المذكورة هنا؟\n\nسافرت فاطمة من الرباط إلى مدريد للعمل في شركة سيمنز.", ".pg-text"),
    ],
    ids=["German", "Chinese", "Arabic"],
)
def test_plain_language_finds_the_task(visit, picture, message, view):
    visitor = visit()
    say(visitor, message)
    wait_until_answered(visitor, 1)
    expect(answers(visitor).locator(view)).to_be_visible()
    picture(visitor, f"chat-{view.strip('.')}-{len(message)}")


def test_a_follow_up_is_about_the_text_given_before(visit):
    visitor = visit()
    say(visitor, "/sentiment Ich war mit Jana in Köln und es war herrlich.")
    wait_until_answered(visitor, 1)
    say(visitor, "Und welche Namen kommen darin vor?")
    wait_until_answered(visitor, 2)
    expect(answers(visitor).nth(1).locator(".pg-text")).to_contain_text("Ich war mit Jana")
    expect(told(visitor)).to_have_count(2)


def test_an_example_of_the_empty_chat_is_answered(visit):
    visitor = visit()
    visitor.page.get_by_role("button", name="日本語").click()
    wait_until_answered(visitor, 1)
    expect(answers(visitor).locator(".pg-bars")).to_be_visible()


def test_enter_sends_and_shift_enter_does_not(visit):
    visitor = visit()
    box = visitor.box("chat-message")
    box.press_sequentially("/sentiment")
    box.press("Shift+Enter")
    box.press_sequentially("Lovely.")
    expect(box).to_have_value("/sentiment\nLovely.")
    expect(told(visitor)).to_have_count(0)
    box.press("Enter")
    wait_until_answered(visitor, 1)
    expect(told(visitor)).to_have_count(1)


def test_an_empty_message_gives_a_sentence(visit):
    visitor = visit()
    visitor.box("chat-message").fill("  ")
    visitor.button("Send").click()
    expect(visitor.page.get_by_role("alert").locator("visible=true")).to_contain_text("message is empty")
    expect(told(visitor)).to_have_count(0)


def test_an_unknown_command_is_explained(visit):
    visitor = visit()
    say(visitor, "/sentimnet Lovely.")
    expect(answers(visitor)).to_contain_text("Did you mean /sentiment?")


def test_an_answer_can_be_stopped_and_the_chat_goes_on(visit, picture):
    visitor = visit()
    say(visitor, f"/translate de {LONG}")
    expect(visitor.button("Stop")).to_be_visible()
    picture(visitor, "chat-answering")
    visitor.button("Stop").click()
    expect(answers(visitor).last).to_contain_text("Stopped.")
    expect(visitor.button("Send")).to_be_enabled()
    expect(visitor.button("Stop")).to_have_count(0)
    visitor.expect_no_overlay()
    say(visitor, "/sentiment Very good.")
    expect(answers(visitor).locator(".pg-bars")).to_be_visible()


def test_a_second_message_waits_for_the_first_answer(visit):
    visitor = visit()
    say(visitor, f"/translate de {LONG}")
    expect(visitor.button("Stop")).to_be_visible()
    visitor.box("chat-message").fill("/sentiment Good.")
    visitor.box("chat-message").press("Enter")
    expect(visitor.page.get_by_text("still being written").locator("visible=true")).to_be_visible()
    expect(visitor.box("chat-message")).to_have_value("/sentiment Good.")
    expect(told(visitor)).to_have_count(1)
    visitor.button("Stop").click()
    expect(visitor.button("Send")).to_be_enabled()


def test_retry_answers_the_same_message_again(visit):
    visitor = visit()
    say(visitor, "/sentiment Das war nichts.")
    wait_until_answered(visitor, 1)
    first = visitor.page.locator("#chat-messages .pg-stats").element_handle()
    visitor.page.get_by_role("button", name="Retry").click()
    first.wait_for_element_state("hidden")
    wait_until_answered(visitor, 1)
    expect(told(visitor)).to_have_count(1)
    expect(told(visitor)).to_have_text("/sentiment Das war nichts.")


def test_an_edited_message_is_asked_anew(visit):
    visitor = visit()
    say(visitor, "/sentiment Toll!")
    wait_until_answered(visitor, 1)
    say(visitor, "/sentiment Furchtbar!")
    wait_until_answered(visitor, 2)
    visitor.page.get_by_role("button", name="Edit").first.click()
    box = visitor.page.locator("#chat-messages textarea")
    expect(box).to_have_value("/sentiment Toll!")
    box.fill("/entities Toll ist es in Wien.")
    visitor.page.get_by_role("button", name="Submit").click()
    wait_until_answered(visitor, 1)
    expect(told(visitor)).to_have_text("/entities Toll ist es in Wien.")
    expect(answers(visitor).locator(".pg-text")).to_have_text(re.compile("Toll ist es in Wien"))


def test_clear_forgets_the_conversation(visit):
    visitor = visit()
    say(visitor, "/sentiment Un été magnifique.")
    wait_until_answered(visitor, 1)
    visitor.button("Clear").last.click()
    expect(told(visitor)).to_have_count(0)
    say(visitor, "/entities")
    expect(answers(visitor)).to_have_count(1)
    expect(visitor.page.locator("#chat-messages .pg-stats")).to_have_count(0)


def test_chat_fits_a_phone(visit, picture):
    visitor = visit("?__theme=dark", {"width": 390, "height": 844})
    first = visitor.page.get_by_role("button", name="English · entities")
    messages = visitor.page.locator("#chat-messages")
    assert first.bounding_box()["y"] >= messages.bounding_box()["y"]
    say(visitor, f"/entities Anna Nowak lives in {'Taumatawhakatangihanga' * 4}.")
    wait_until_answered(visitor, 1)
    assert visitor.sticking_out() == []
    picture(visitor, "chat-phone-dark")
