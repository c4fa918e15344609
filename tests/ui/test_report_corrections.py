"""Correcting a held-out row in the report: who may, what is kept, and what is refused."""

from types import SimpleNamespace

import gradio as gr
import pytest

from playground import access
from playground.access import OWNER, Person
from playground.adapters.store import find
from playground.evaluation.report import MAX_TEXT_CHARS, compare, row_details
from playground.tasks import get_task
from playground.training import corrections
from playground.training.measure import add_report
from playground.ui import adapters_tab, report_panel
from playground.ui.reported import Reported

ANN, BOB = Person("a" * 64), Person("b" * 64)
HERE = SimpleNamespace(client=SimpleNamespace(host="127.0.0.1"), headers={})
ELSEWHERE = SimpleNamespace(client=SimpleNamespace(host="10.0.0.7"), headers={})
CASES = {
    "sentiment": (
        [{"text": "غرفة نظيفة", "label": "positive"}, {"text": "<b>Late</b>", "label": "neutral"}],
        {"label": "negative"},
    ),
    "ner": (
        [{"text": "Ada in Nairobi.", "entities": [{"start": 0, "end": 3, "label": "PER"}]}] * 2,
        {"entities": []},
    ),
    "qa": (
        [{"context": "Since 1932.", "question": "When?", "answers": [{"text": "1932", "start": 6}]}] * 2,
        {"answer": None},
    ),
    "translate": (
        [{"source_text": "Hola", "source_lang": "es", "target_lang": "en", "target_text": "Hello"}] * 2,
        {"translation": "Bye"},
    ),
}


@pytest.fixture
def measured(save_tiny_adapter):
    """``measured(task, rows=...)``: an adapter with a report on rows of which it got each wrong."""

    def make(task_name, rows=None):
        task, (usual, said) = get_task(task_name), CASES[task_name]
        rows = rows or usual
        answered = [row | said for row in rows]
        figures = compare(task, rows, None, answered)
        add_report(save_tiny_adapter(task_name), figures, row_details(task, rows, None, answered))
        return find(task_name, "tiny")

    return make


@pytest.fixture
def page():
    """``page(task)``: a report panel on that task's tiny adapter, and ``does(name, *values)`` for its handlers."""

    def build(task_name):
        with gr.Blocks() as blocks:
            panel = report_panel.build("report")
            key = gr.State(f"{task_name}/tiny")
            report_panel.wire(panel, [key], adapters_tab.reported)
        handlers = {event.name: event.fn for event in blocks.fns.values()}

        def does(name, *values, request=HERE):
            told = handlers[name](request, f"{task_name}/tiny", *values)
            skipped = gr.skip()
            return {part: value for step in told for part, value in step.items() if value != skipped}

        return SimpleNamespace(panel=panel, part=panel.correction, does=does)

    return build


def choices(page, record, *, shows_rows=True):
    shown = report_panel.opened(page.panel, Reported(record, shows_rows=shows_rows), is_open=False)
    assert set(page.part.shown) <= set(page.panel.outputs)
    return shown[page.part.area].visible, shown[page.part.row].choices


@pytest.mark.parametrize(
    ("task", "right", "given", "kept"),
    [
        ("sentiment", "positive", "negative", {"text": "غرفة نظيفة", "label": "negative"}),
        (
            *("ner", "Ada = PER", "Ada = PER\nNairobi = LOC"),
            CASES["ner"][0][0]
            | {"entities": [{"start": 0, "end": 3, "label": "PER"}, {"start": 7, "end": 14, "label": "LOC"}]},
        ),
        ("qa", "1932", "", CASES["qa"][0][0] | {"answers": []}),
        ("translate", "Hello", "Hi", CASES["translate"][0][0] | {"target_text": "Hi"}),
    ],
)
def test_a_corrected_row_is_kept_with_the_corrections_of_its_task(task, right, given, kept, measured, page):
    shown = page(task)
    is_offered, offered = choices(shown, measured(task))
    assert is_offered
    assert offered[0][0].startswith("#1 ")
    filled = shown.does("on_row", offered[0][1])
    field, other = shown.part.label, shown.part.text
    if task != "sentiment":
        field, other = other, field
    assert (filled[field].value, filled[field].visible, filled[other].visible) == (right, True, False)
    answers = (given, None) if task == "sentiment" else (None, given)
    said = shown.does("on_keep", offered[0][1], *answers)[shown.part.outcome]
    assert "Kept: you have 1 correction for" in said
    assert corrections.rows_of("", task) == [kept | {"adapter": "tiny"}]


def test_words_that_a_row_has_twice_stay_where_the_row_has_them(measured, page):
    entity = {"start": 8, "end": 11, "label": "LOC"}
    shown = page("ner")
    choices(shown, measured("ner", [{"text": "Ada met Ada.", "entities": [entity]}]))
    shown.does("on_keep", 0, None, "Ada = LOC")
    kept = {"text": "Ada met Ada.", "entities": [entity], "adapter": "tiny"}
    assert corrections.rows_of("", "ner") == [kept]
    answer = {"text": "12", "start": 21}
    shown = page("qa")
    choices(shown, measured("qa", [{"context": "In 2012, chapter 12, 12.", "question": "?", "answers": [answer]}]))
    shown.does("on_keep", 0, None, "12")
    assert corrections.rows_of("", "qa")[0]["answers"] == [answer]


def test_what_can_not_be_right_is_said_and_not_kept(measured, page):
    shown = page("ner")
    choices(shown, measured("ner"))
    assert "is not in the text" in shown.does("on_keep", 0, None, "Oslo = LOC")[shown.part.outcome]
    assert "no such row" in shown.does("on_keep", 99, None, "Ada = PER")[shown.part.outcome]
    assert "no such row" in shown.does("on_row", None)[shown.part.outcome]
    assert corrections.rows_of("", "ner") == []


def test_only_those_who_may_see_the_rows_can_correct_them(measured, page):
    shown, record = page("sentiment"), measured("sentiment")
    assert choices(shown, record, shows_rows=False) == (False, [])
    for name, values in (("on_row", (0,)), ("on_keep", (0, "negative", None))):
        told = shown.does(name, *values, request=ELSEWHERE)
        assert "no such row" in told[shown.part.outcome]
    assert corrections.rows_of("", "sentiment") == []


def test_visitors_correct_the_rows_of_their_own_adapters_alone(measured, page, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_SHARED", "1")
    with access.acting_as(ANN):
        measured("sentiment")
    shown = page("sentiment")
    with access.acting_as(BOB):
        told = shown.does("on_keep", 0, "negative", None)
    assert "There is no adapter" in told[shown.part.outcome]
    with access.acting_as(ANN):
        shown.does("on_keep", 0, "negative", None)
    found = [len(corrections.rows_of(person.key, "sentiment")) for person in (ANN, BOB, OWNER)]
    assert found == [1, 0, 0]


def test_read_only_visitors_are_offered_nothing_and_refused(measured, page, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_SHARED", "1")
    with access.acting_as(ANN):
        record, shown = measured("sentiment"), page("sentiment")
        monkeypatch.setenv("PLAYGROUND_READ_ONLY", "1")
        assert choices(shown, record) == (False, [])
        assert "for trying only" in shown.does("on_keep", 0, "negative", None)[shown.part.outcome]
    assert corrections.rows_of(ANN.key, "sentiment") == []


def test_rows_of_which_only_the_beginning_is_kept_can_not_be_corrected(measured, page):
    rows = [{"text": "long " * MAX_TEXT_CHARS, "label": "positive"}, {"text": "short", "label": "neutral"}]
    shown = page("sentiment")
    record = measured("sentiment", rows)
    _, offered = choices(shown, record)
    panel = report_panel.opened(shown.panel, Reported(record, shows_rows=True), is_open=False)
    assert "only its beginning is kept" in panel[shown.part.row].info
    assert [title for title, _ in offered] == ["#2 short"]
    assert "no such row" in shown.does("on_keep", 0, "negative", None)[shown.part.outcome]


def test_the_rows_to_correct_are_those_that_are_shown(measured, page):
    shown = page("sentiment")
    measured("sentiment")
    told = shown.does("on_choice", "all", "neutral", "", "worst")
    assert [place for _, place in told[shown.part.row].choices] == [1]
    assert "#2 <bdi>&lt;b&gt;Late" in told[shown.panel.rows]
    told = shown.does("on_choice", "better", "", "", "worst")
    assert told[shown.part.area].visible is False
