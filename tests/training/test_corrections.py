"""Corrected answers, kept as rows to learn from."""

import json
import stat

import pytest
from filelock import FileLock

from playground.data.rows import load_training_rows
from playground.errors import InputError, PlaygroundError
from playground.training import corrections

VISITOR = "a" * 64


def correction(text="late again", label="negative"):
    return {"text": text, "label": label}


def test_corrections_are_training_rows_in_the_order_in_which_they_were_made():
    assert corrections.keep("", "sentiment", correction()) == 1
    assert corrections.keep("", "sentiment", correction("très bien", "positive")) == 2
    loaded = load_training_rows(corrections.file_of("", "sentiment"), "sentiment")
    found = [(row["text"], row["label"]) for row in loaded.rows]
    assert found == [("late again", "negative"), ("très bien", "positive")]


def test_a_second_correction_of_the_same_input_counts_instead_of_the_first():
    corrections.keep("", "sentiment", correction())
    corrections.keep("", "sentiment", correction("other"))
    assert corrections.keep("", "sentiment", correction(label="neutral")) == 2
    assert [row["label"] for row in corrections.rows_of("", "sentiment")] == ["negative", "neutral"]


def test_each_person_has_corrections_of_their_own():
    corrections.keep("", "sentiment", correction())
    corrections.keep(VISITOR, "sentiment", correction("mine"))
    assert [row["text"] for row in corrections.rows_of("", "sentiment")] == ["late again"]
    assert [row["text"] for row in corrections.rows_of(VISITOR, "sentiment")] == ["mine"]
    assert stat.S_IMODE(corrections.folder_of(VISITOR).stat().st_mode) == 0o700


def test_they_can_be_deleted():
    corrections.keep("", "ner", {"text": "Ada", "entities": []})
    assert len(corrections.forget("", "ner")) == 1
    assert corrections.forget("", "ner") == []
    assert corrections.rows_of("", "ner") == []


def test_what_was_deleted_comes_back_but_for_what_was_corrected_anew():
    corrections.keep("", "sentiment", correction(), "mine")
    corrections.keep("", "sentiment", correction("other"))
    gone = corrections.forget("", "sentiment")
    corrections.keep("", "sentiment", correction(label="neutral"))
    assert corrections.put_back("", "sentiment", gone) == 2
    kept = [(row["text"], row["label"]) for row in corrections.rows_of("", "sentiment")]
    assert kept == [("other", "negative"), ("late again", "neutral")]


def test_they_know_which_adapter_was_corrected_last_and_teach_without_it():
    assert corrections.corrected_last("", "sentiment") == ""
    corrections.keep("", "sentiment", correction())
    assert corrections.corrected_last("", "sentiment") == ""
    corrections.keep("", "sentiment", correction("more"), "mine")
    assert corrections.corrected_last("", "sentiment") == "mine"
    assert corrections.learnable(corrections.rows_of("", "sentiment")) == [correction(), correction("more")]


@pytest.mark.parametrize(
    ("task", "row"),
    [
        ("classify", {"text": "", "label": "x"}),
        ("ner", {"text": "Ada", "entities": [{"start": 0, "end": 99, "label": "PER"}]}),
        ("summarize", {"document": "a long text", "summary": ""}),
    ],
)
def test_what_can_not_be_learnt_from_is_refused(task, row):
    with pytest.raises(InputError, match="can't be learnt from"):
        corrections.keep("", task, row)
    assert corrections.rows_of("", task) == []


def test_a_damaged_line_is_left_out():
    corrections.keep("", "sentiment", correction())
    path = corrections.file_of("", "sentiment")
    path.write_text('{"text": "half\n' + path.read_text())
    assert corrections.keep("", "sentiment", correction("new")) == 2
    assert [json.loads(line)["text"] for line in path.read_text().splitlines()] == ["late again", "new"]


def test_there_is_a_limit_that_says_what_to_do(monkeypatch):
    monkeypatch.setattr(corrections, "MOST_ROWS", 1)
    corrections.keep("", "sentiment", correction())
    with pytest.raises(PlaygroundError, match="1 corrections for Sentiment already; train on them"):
        corrections.keep("", "sentiment", correction("more"))


@pytest.mark.parametrize(
    "change",
    [lambda: corrections.keep("", "sentiment", correction("new")), lambda: corrections.forget("", "sentiment")],
)
def test_what_somebody_else_is_writing_is_left_alone(monkeypatch, change):
    corrections.keep("", "sentiment", correction())
    monkeypatch.setattr(corrections, "LOCK_PATIENCE_S", 0.1)
    path = corrections.file_of("", "sentiment")
    with FileLock(path.with_suffix(".lock")), pytest.raises(PlaygroundError, match="by somebody else; try again"):
        change()
    assert len(corrections.rows_of("", "sentiment")) == 1
