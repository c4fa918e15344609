"""Words that a person quotes are found where they stand by themselves."""

import pytest

from playground.data.quotes import mentions_of, places_of
from playground.data.text import in_one_line


@pytest.mark.parametrize(
    ("words", "text", "starts"),
    [
        ("ike", "I like Mike and ike", [16, 3, 8]),
        ("محمد", "ذهب محمدي إلى محمد", [14, 4]),
        ("👩", "👩‍👩‍👧 Ada 👩", [10, 0, 2]),
        ("Jose", "Jose\u0301 and Jose", [10, 0]),
        ("東京", "東京都は東京", [0, 4]),
        ("باريس", "وباريس", [1]),
        ("Oslo", "Bergen", []),
        ("  ", "a  b", []),
        ("a+b", "aab a+b", [4]),
    ],
)
def test_words_by_themselves_come_before_those_inside_a_longer_word(words, text, starts):
    assert [start for start, _ in places_of(words, text)] == starts


@pytest.mark.parametrize(
    ("words", "text", "starts"),
    [
        ("ike", "I like Mike and ike, ike", [16, 21]),
        ("ike", "Ike likes Mike", [0]),
        ("us", "a bus to the US", [13]),
        ("Berlin", "Berlins Osten, Berlins Westen", [0, 15]),
        ("Oslo", "Bergen", []),
        (" ", "a  b", []),
    ],
)
def test_words_that_are_only_listed_mean_those_by_themselves(words, text, starts):
    assert [start for start, _ in mentions_of(words, text)] == starts


def test_words_over_a_line_end_are_found_by_their_line():
    text = "in New\n  York."
    assert places_of(in_one_line(text[3:13]), text) == [(3, 13)]


def test_many_mentions_in_a_long_text_take_no_quadratic_time():
    assert len(mentions_of("Al", "Al and Algeria, " * 50_000)) == 50_000
