from dataclasses import replace

import pytest

from playground.adapters.store import mark_checked, mark_unchecked
from playground.ui.adapter_card import card, quality, shown_labels, try_link


def scored(value):
    return {"metrics": {"macro_f1": value}, "main": "macro_f1", "n": 1200, "interval": [value - 2, value + 2]}


def test_quality_names_interval_rows_and_the_base(adapters):
    record = replace(adapters[0], metrics={"adapter": scored(65.0), "base": scored(33.0)})
    assert quality(record) == (
        "Macro-F1 65.0 (63.0 to 67.0, 1,200 rows); without adapter Macro-F1 33.0 (31.0 to 35.0, 1,200 rows)"
    )


def test_an_adapter_without_metrics_says_so(adapters):
    assert quality(adapters[0]) == "not measured"


def test_card_shows_size_date_languages_and_parent(adapters):
    training = {"languages": ["ar", "xx"], "rows": 2400, "data": "Reviews", "parent": "older"}
    html = card(replace(adapters[0], created="2026-11-04T09:00:00+00:00", training=training))
    parts = "2.5 MB", "4 November 2026", "Arabic, xx", "Reviews, 2,400 rows", "shipped", "Goes on from</dt><dd>older"
    for words in parts:
        assert words in html


def test_an_odd_date_is_shown_as_it_is(adapters):
    assert "last week" in card(replace(adapters[0], created="last week"))


def test_everything_written_by_others_is_escaped(adapters):
    evil = "<script>alert(1)</script>"
    training = {"data": evil, "licence": evil, "command": evil, "languages": [evil]}
    html = card(
        replace(adapters[0], description=evil, labels=(evil,), training=training, created=evil, backbone={"id": evil})
    )
    assert "<script" not in html


def test_link_opens_the_tab_that_offers_the_adapter(adapters):
    assert 'href="?tab=sentiment&amp;adapter=classify%2Freviews"' in card(adapters[1])


def test_no_link_for_a_task_without_a_tab(adapters):
    assert "Try it" not in card(replace(adapters[0], task="poems"))


def test_an_adapter_for_conversation_is_tried_in_the_chat(adapters):
    linked = try_link(replace(adapters[1], task="instruct"), "Try it now in the tab {tab}")
    assert linked == '<p><a href="?tab=chat&amp;adapter=instruct%2Freviews">Try it now in the tab Chat</a></p>'


@pytest.mark.parametrize(
    ("shape", "labels", "shown"),
    [
        ("tag", ("O", "B-PER", "I-PER", "B-my-type", "I-my-type"), ["PER", "my-type"]),
        ("span", ("start", "end"), []),
        ("classify", ("good", "bad-ish"), ["good", "bad-ish"]),
    ],
)
def test_labels_are_those_a_person_knows(adapters, shape, labels, shown):
    assert shown_labels(replace(adapters[0], shape=shape, labels=labels)) == shown


def test_a_task_of_another_version_has_a_card_too(adapters):
    assert "poems" in card(replace(adapters[0], task="poems"))


def test_a_card_says_that_the_check_of_an_import_was_broken_off(save_tiny_adapter):
    record = save_tiny_adapter()
    mark_unchecked(record.path)
    assert "not loaded again since its import; Verify does that" in card(record)
    mark_checked(record)
    assert "since its import" not in card(record)
