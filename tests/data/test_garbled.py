"""Texts that were read in the wrong encoding before they came are told, and real ones are not taken for such."""

import pytest

from playground.data.garbled import garbled_word, mended


@pytest.mark.parametrize("text", ["Café à la crème – “très” bon", "Größe für 20 €", "Привет, мир", "日本語", "naïve"])
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_what_was_garbled_is_mended(text, encoding):
    bytewise = "".join(
        byte.decode("cp1252", "ignore") or byte.decode("latin-1") if encoding == "cp1252" else byte.decode("latin-1")
        for byte in (bytes([number]) for number in text.encode())
    )
    assert mended(bytewise) == text


@pytest.mark.parametrize(
    "text", ["«È vero», dice", "ÉCOLE À PARIS", "Não! £5 – 3°", "Ø 5 cm ®", "“Ä” und „Ö“", "ελληνικά"]
)
def test_real_texts_stay_as_they_are(text):
    assert mended(text) == text
    assert garbled_word([text] * 3) is None


def test_a_word_is_named_where_two_texts_are_garbled():
    assert garbled_word(["plain", "un cafÃ© noir", "trÃ¨s bon"]) == "cafÃ©"
    assert garbled_word(["plain", "un cafÃ© noir"]) is None


def test_the_table_says_so(read_as):
    table = read_as("a.csv", "text,label\nun cafÃ© noir,a\ntrÃ¨s bon,b\n")
    assert "look garbled, as 'cafÃ©' for 'café'" in " ".join(table.notes)
