import pytest

from playground.errors import InputError
from playground.tasks import get_task
from playground.ui import rows


def test_values_become_the_contract_row():
    row = rows.row_of(get_task("translate"), ["Hello.", "en", "pt-BR"])
    assert row == {"source_text": "Hello.", "source_lang": "en", "target_lang": "pt-BR"}


@pytest.mark.parametrize("text", ["", "  \n\t ", "\u200b", None, 7, ["a"]])
def test_text_that_is_none_is_refused(text):
    with pytest.raises(InputError):
        rows.row_of(get_task("sentiment"), [text])


def test_the_message_names_the_empty_field():
    with pytest.raises(InputError, match="question"):
        rows.row_of(get_task("qa"), ["A text.", " "])


@pytest.mark.parametrize("code", ["", None, "klingon", 3])
def test_unknown_languages_are_refused(code):
    with pytest.raises(InputError):
        rows.row_of(get_task("translate"), ["Hello.", "en", code])


def test_a_million_characters_and_one_are_too_many():
    with pytest.raises(InputError, match="1,000,001"):
        rows.row_of(get_task("sentiment"), ["a" * 1_000_001])


def test_lone_surrogates_and_controls_are_made_harmless():
    row = rows.row_of(get_task("sentiment"), ["a\x00b\ud800c 😀"])
    assert row["text"].encode("utf-8").decode() == "a b\ufffdc 😀"


def test_answer_has_the_row_and_who_answered(monkeypatch, loader, predicted):
    def stream(engine, task, row, adapter, every_s):
        yield predicted(row, done=False)
        yield predicted(row | {"label": "good", "scores": {"good": 1.0}}, latency_ms=12.345)

    monkeypatch.setattr(rows, "predict_stream", stream)
    *before, answer = rows.answer_rows(loader, get_task("sentiment"), {"text": "nice", "id": 7}, None)
    assert before == [{}]
    assert answer == {
        "text": "nice",
        "id": 7,
        "label": "good",
        "scores": {"good": 1.0},
        "backbone": "Tiny <1M>",
        "adapter": "multilingual",
        "quantization": "8-bit",
        "latency_ms": 12.3,
        "is_guess": False,
    }


def test_the_error_of_the_row_is_raised(monkeypatch, loader, predicted):
    monkeypatch.setattr(rows, "predict_stream", lambda *_: (predicted({}, error=words) for words in ["Not so."]))
    with pytest.raises(InputError, match="Not so"):
        list(rows.answer_rows(loader, get_task("sentiment"), {"text": "nice"}, None))
