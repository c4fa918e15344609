"""Correcting an answer, and training on what was corrected."""

from types import SimpleNamespace

import gradio as gr
import pytest

from playground.adapters import store
from playground.errors import DataError, InputError
from playground.tasks import get_task
from playground.training import corrections, runs
from playground.ui import correction, finetune_corrections, finetune_data

NER = {"text": "Ada met Ada Lovelace in Nairobi."}
ENTITIES = [{"start": 0, "end": 3, "label": "PER"}, {"start": 24, "end": 31, "label": "LOC"}]


@pytest.fixture
def boxes():
    """The correction box of a task, and what its button does."""

    def build(task_name):
        with gr.Blocks() as page:
            box = correction.build(get_task(task_name))
        return box, next(event.fn for event in page.fns.values() if event.name == "keep")

    return build


@pytest.mark.parametrize(
    ("task", "row", "shown"),
    [
        ("sentiment", {"text": "x", "label": "neutral"}, "neutral"),
        ("ner", NER | {"entities": ENTITIES}, "Ada = PER\nNairobi = LOC"),
        ("qa", {"context": "In 1932.", "question": "When?", "answer": {"text": "1932", "start": 3, "end": 7}}, "1932"),
        ("qa", {"context": "In 1932.", "question": "Who?", "answer": None}, ""),
        ("translate", {"source_text": "x", "translation": "سلام"}, "سلام"),
    ],
)
def test_the_box_begins_with_what_was_answered(task, row, shown):
    assert correction.said(get_task(task), row) == shown


def test_entities_are_found_again_by_their_words():
    row = correction.corrected(get_task("ner"), NER, "Ada Lovelace = PER\n\nAda = PER\nNairobi = LOC")
    spans = [(one["start"], one["end"], one["label"]) for one in row["entities"]]
    assert spans == [(0, 3, "PER"), (8, 20, "PER"), (24, 31, "LOC")]
    assert correction.corrected(get_task("ner"), NER, "  ")["entities"] == []


@pytest.mark.parametrize(
    ("task", "row", "given", "says"),
    [
        ("ner", NER, "Nairobi", "'Nairobi' names no label"),
        ("ner", NER, "Paris = LOC", "'Paris' is not in the text"),
        ("ner", NER, "Nairobi = LOC\nNairobi = LOC", r"'Nairobi' is not in the text \(so often\)"),
        ("ner", NER, "Ada Lovelace = PER\nLovelace = PER", "'Lovelace' lies in another entity"),
        ("qa", {"context": "In 1932.", "question": "When?"}, "1933", "'1933' is not in the text"),
        ("sentiment", {"text": "x"}, "angry", "'angry' is no label of Sentiment; use positive"),
        ("sentiment", {"text": "x"}, None, "There is no right answer yet"),
        ("summarize", {"document": "x"}, " ", "There is no right answer yet"),
    ],
)
def test_what_can_not_be_right_is_refused_in_words(task, row, given, says):
    with pytest.raises(InputError, match=says):
        correction.corrected(get_task(task), row, given)


def test_an_answer_of_another_tasks_adapter_is_corrected_for_that_task(boxes, predicted):
    box, keep = boxes("sentiment")
    shown = predicted({"text": "the lamp flickers", "label": "praise", "scores": {"praise": 0.9, "complaint": 0.1}})
    updates = correction.offered(box, get_task("sentiment"), shown, SimpleNamespace(task="classify"))
    assert updates[box.value].choices == [("praise", "praise"), ("complaint", "complaint")]
    *_, told, _ = keep(updates[box.answered], "complaint")
    assert "you have 1 correction for" in told[box.outcome]
    assert corrections.rows_of("", "classify") == [{"text": "the lamp flickers", "label": "complaint"}]


def test_an_error_offers_nothing_to_correct(boxes, predicted):
    box, keep = boxes("sentiment")
    updates = correction.offered(box, get_task("sentiment"), predicted({"text": "x"}, error="Too long."), None)
    assert updates[box.area].visible is False
    (told,) = keep(None, "negative")
    assert "There is no answer to correct" in told[box.outcome]


def test_the_fine_tune_tab_counts_them_and_takes_them_as_its_file(tmp_path):
    with gr.Blocks():
        source = finetune_corrections.build()
    assert finetune_corrections.refreshed(source)[source.task].choices == []
    with pytest.raises(DataError, match="no corrections yet"):
        finetune_corrections.as_file("sentiment", tmp_path)
    for number in range(3):
        corrections.keep("", "sentiment", {"text": f"text {number}", "label": "neutral"})
    assert finetune_corrections.refreshed(source)[source.task].choices == [("Sentiment (3)", "sentiment")]
    copy = finetune_corrections.as_file("sentiment", tmp_path)
    assert copy.parent == tmp_path
    assert len(copy.read_text().splitlines()) == 3


def test_a_training_may_begin_with_any_adapter_of_the_task():
    fresh, shipped, *_ = finetune_corrections.starts("sentiment")
    assert (fresh, shipped) == (("A fresh adapter", ""), ("multilingual (shipped)", "multilingual"))
    assert finetune_corrections.usual_start("sentiment") == "multilingual"
    assert finetune_corrections.usual_start("instruct") == ""


def test_a_few_rows_of_one_label_suffice_for_an_adapter_that_knows_the_others(tmp_path, monkeypatch):
    path = tmp_path / "corrections.jsonl"
    path.write_text("".join(f'{{"text": "text {number}", "label": "neutral"}}\n' for number in range(5)))
    found = finetune_data.inspect(path, "sentiment")
    assert "at least two labels" in found.problem
    shipped = store.find("sentiment", "multilingual")
    assert finetune_data.going_on_from(found, shipped).problem == ""
    path = tmp_path / "two.jsonl"
    path.write_text('{"text": "a", "label": "neutral"}\n{"text": "b", "label": "negative"}\n')
    few = finetune_data.inspect(path, "sentiment")
    assert "at least 4 are needed" in finetune_data.going_on_from(few, shipped).problem
    monkeypatch.setattr(runs, "run_of", lambda adapter: "a run whose rows are here")
    assert finetune_data.going_on_from(few, shipped).problem == ""
