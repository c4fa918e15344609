import json
import unicodedata

import pytest

from playground import settings
from playground.data.text import clean_text, moved_offset
from playground.errors import InputError


@pytest.mark.parametrize(
    "text", ["naïve café", "مرحبا بالعالم", "नमस्ते", "👩‍👩‍👧 zwj", "e\u0301 is not composed", "a\tb\nc", "\u200fעברית"]
)
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert clean_text(text) == text


def test_controls_become_blanks_and_line_ends_newlines_without_moving_anything() -> None:
    assert clean_text("a\0b\x07c\x1bd\x7fe\x9ff\r\ng\rh\ti") == "a b c d e f \ng\nh\ti"


@pytest.mark.parametrize("text", ["\0a\0", "a\r\n\r\r\nb", "\x85x\u2028", "\ud800a\udc00", "\r\rx\n\r"])
def test_cleaning_keeps_the_length_unless_surrogates_are_joined(text: str) -> None:
    cleaned = clean_text(text)
    assert len(cleaned) == len(text)
    assert not any(unicodedata.category(char) in {"Cc", "Cs"} and char != "\n" for char in cleaned)


def test_lone_surrogates_become_replacement_characters() -> None:
    cleaned = clean_text("a\ud83db\ude00c")
    assert cleaned == "a\ufffdb\ufffdc"
    assert cleaned.encode("utf-8")


def test_surrogate_pairs_become_the_character_they_stand_for() -> None:
    assert clean_text("\ud83d" + "\ude00!") == "😀!"


@pytest.mark.parametrize("text", ["", "   ", "\n\t\r\n", "\u3000", "\u200b\ufeff", "\0\x01"])
def test_nothing_visible_is_refused_as_empty(text: str) -> None:
    with pytest.raises(InputError, match="question is empty"):
        clean_text(text, "question")


@pytest.mark.parametrize(
    ("value", "words"), [(None, "missing"), (3, "the number 3"), (["a"], "a list"), (True, "true"), (b"a", "bytes")]
)
def test_other_types_are_refused_by_name(value: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        clean_text(value)


def test_text_of_the_limit_is_fine_and_one_more_character_is_not() -> None:
    limit = settings.MAX_TEXT_CHARS
    assert len(clean_text("ж" * limit)) == limit
    with pytest.raises(InputError, match="1,000,001 characters; the limit is 1,000,000"):
        clean_text("ж" * (limit + 1))


@pytest.mark.parametrize("text", ["a\r\nBerlin", "\0\0Berlin", "\ud83d\ude00Berlin", "\x9f\rBerlin"])
def test_moved_offset_finds_the_same_word_in_the_cleaned_text(text: str) -> None:
    start = moved_offset(text, text.index("Berlin"))
    assert clean_text(text)[start : start + 6] == "Berlin"


def test_cleaned_text_survives_json() -> None:
    text = clean_text("a\ud800\u2028\U0001f600")
    assert json.loads(json.dumps(text)) == text
