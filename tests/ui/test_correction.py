"""Correcting an answer, and training on what was corrected."""

import json
from types import SimpleNamespace

import gradio as gr
import pytest

from playground import access
from playground.access import Person
from playground.adapters import edit, store
from playground.errors import DataError, InputError
from playground.tasks import get_task
from playground.training import corrections
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
    ("text", "shown", "lines", "places"),
    [
        ("Paris Hilton sah Paris", [], "Paris = LOC\nParis Hilton = PER", [(0, 12, "PER"), (17, 22, "LOC")]),
        (
            "Paris Hilton sah Paris",
            [(0, 5, "LOC")],
            "Paris Hilton = PER\nParis = LOC",
            [(0, 12, "PER"), (17, 22, "LOC")],
        ),
        ("علي زار علي", [(8, 11, "LOC")], "علي = LOC", [(8, 11, "LOC")]),
        ("علي زار علي", [(8, 11, "LOC")], "علي = PER", [(8, 11, "PER")]),
        ("علي زار علي", [(0, 3, "PER"), (8, 11, "LOC")], "علي = LOC", [(8, 11, "LOC")]),
        ("I like Ike, ike", [], "ike = PER", [(12, 15, "PER")]),
        ("in New\nYork", [(3, 11, "LOC")], "New York = GPE", [(3, 11, "GPE")]),
    ],
)
def test_an_entity_stays_where_it_was_and_a_new_one_goes_where_its_words_stand_alone(text, shown, lines, places):
    before = [{"start": start, "end": end, "label": label} for start, end, label in shown]
    row = correction.corrected(get_task("ner"), {"text": text}, lines, before)
    assert [(one["start"], one["end"], one["label"]) for one in row["entities"]] == places
    assert correction.said(get_task("ner"), row).count("\n") == len(places) - 1


def test_an_answer_stays_where_it_was_and_a_new_one_is_a_whole_word():
    row, task = {"context": "In 2012, chapter 12, page 12.", "question": "Which page?"}, get_task("qa")
    assert correction.corrected(task, row, "12")["answers"] == [{"text": "12", "start": 17}]
    kept = correction.corrected(task, row, "12", {"text": "12", "start": 26, "end": 28})
    assert kept["answers"] == [{"text": "12", "start": 26}]


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
    updates = correction.offered(box, get_task("sentiment"), shown, SimpleNamespace(task="classify", name="lamps"))
    assert updates[box.value].choices == [("praise", "praise"), ("complaint", "complaint")]
    *_, told, _ = keep(updates[box.answered], "complaint")
    assert "you have 1 correction for" in told[box.outcome]
    kept = {"text": "the lamp flickers", "label": "complaint", "adapter": "lamps"}
    assert corrections.rows_of("", "classify") == [kept]


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
        corrections.keep("", "sentiment", {"text": f"text {number}", "label": "neutral"}, "mine")
    assert finetune_corrections.refreshed(source)[source.task].choices == [("Sentiment (3)", "sentiment")]
    copy = finetune_corrections.as_file("sentiment", tmp_path)
    assert copy.parent == tmp_path
    assert [json.loads(line).keys() for line in copy.read_text().splitlines()] == [{"text", "label"}] * 3


def test_one_correction_is_deleted_and_the_others_stay():
    with gr.Blocks() as page:
        source = finetune_corrections.build()
    delete_one = next(event.fn for event in page.fns.values() if event.name == "delete_one")
    rows = [NER | {"entities": ENTITIES}, {"text": "<b>Oslo</b>", "entities": []}]
    for row in rows:
        corrections.keep("", "ner", row)
    shown = finetune_corrections.refreshed(source)[source.one].choices
    titles = ["<b>Oslo</b> → -", "Ada met Ada Lovelace in Nairobi. → Ada (PER) · Nairobi (LOC)"]
    assert [title for title, _ in shown] == titles
    *_, told, _ = delete_one("ner", shown[0][1])
    assert "is deleted" in told[source.outcome]
    assert [title for title, _ in told[source.one].choices] == titles[1:]
    assert corrections.rows_of("", "ner") == rows[:1]
    (told,) = delete_one("ner", shown[0][1])
    assert "gone already" in told[source.outcome]
    (told,) = delete_one("ner", None)
    assert "choose one" in told[source.outcome]
    *_, told, _ = delete_one("ner", shown[1][1])
    assert (told[source.task].choices, told[source.one].visible) == ([], False)


def test_deleted_corrections_are_put_back():
    with gr.Blocks() as page:
        source = finetune_corrections.build()
    delete, delete_one, put_back = (
        next(event.fn for event in page.fns.values() if event.name == name)
        for name in ("delete", "delete_one", "put_back")
    )
    (told,) = delete(None)
    assert "Nothing yet" in told[source.outcome]
    rows = [NER | {"entities": ENTITIES}, {"text": "Oslo", "entities": []}]
    for row in rows:
        corrections.keep("", "ner", row)
    for deleting in (delete("ner"), delete_one("ner", corrections.key_of(rows[0]))):
        *_, told, _ = deleting
        assert told[source.undo].visible
        assert len(corrections.rows_of("", "ner")) < 2
        *_, told, _ = put_back(told[source.gone])
        assert (told[source.undo].visible, told[source.gone]) == (False, None)
        assert corrections.rows_of("", "ner") == rows
    (told,) = put_back(None)
    assert "nothing to put back" in told[source.outcome]


def test_a_visitor_deletes_no_correction_of_another(monkeypatch):
    monkeypatch.setenv("PLAYGROUND_SHARED", "1")
    corrections.keep("a" * 64, "ner", NER | {"entities": ENTITIES})
    with gr.Blocks() as page:
        source = finetune_corrections.build()
    delete_one = next(event.fn for event in page.fns.values() if event.name == "delete_one")
    with access.acting_as(Person("b" * 64)):
        (told,) = delete_one("ner", corrections.key_of(NER | {"entities": ENTITIES}))
    assert "gone already" in told[source.outcome]
    assert len(corrections.rows_of("a" * 64, "ner")) == 1


def test_few_corrections_come_with_the_number_that_a_shipped_adapter_needs(boxes, predicted):
    box, keep = boxes("sentiment")
    for number in range(1, 5):
        shown = predicted({"text": f"text {number}", "label": "neutral", "scores": {"neutral": 1.0}})
        updates = correction.offered(box, get_task("sentiment"), shown, None)
        *_, told, _ = keep(updates[box.answered], "negative")
        assert ("as those shipped, need 4" in told[box.outcome]) == (number < 4)


def test_a_training_may_begin_with_any_adapter_of_the_task():
    fresh, shipped, *_ = finetune_corrections.starts("sentiment")
    assert (fresh, shipped) == (("A fresh adapter", ""), ("multilingual (shipped)", "multilingual"))
    assert finetune_corrections.usual_start("sentiment") == "multilingual"
    assert finetune_corrections.usual_start("instruct") == ""
    corrections.keep("", "sentiment", {"text": "x", "label": "neutral"}, "gone-meanwhile")
    assert finetune_corrections.usual_start("sentiment") == "multilingual"


def test_a_training_begins_with_the_adapter_that_was_corrected():
    shipped = store.find("sentiment", "multilingual")
    edit.duplicate(shipped, "mine")
    corrections.keep("", "sentiment", {"text": "x", "label": "neutral"}, "mine")
    assert finetune_corrections.usual_start("sentiment") == "mine"


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
    problem = finetune_data.going_on_from(few, shipped).problem
    assert "at least 4 are needed to learn and to measure, because none of those that 'multilingual' learnt" in problem
    monkeypatch.setattr(finetune_data, "settings_of", lambda adapter: "of a training whose rows are here")
    assert finetune_data.going_on_from(few, shipped).problem == ""


@pytest.mark.parametrize(
    ("task", "num_rows", "start"),
    [("qa", 80, "multilingual"), ("qa", 5000, ""), ("sentiment", 80, ""), ("instruct", 80, "")],
)
def test_few_rows_begin_with_an_adapter_that_can_do_it(task, num_rows, start):
    assert finetune_corrections.start_for(task, num_rows) == start
