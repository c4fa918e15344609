from types import SimpleNamespace

import gradio as gr
import pytest

from playground.errors import PlaygroundError
from playground.tasks import get_task
from playground.ui import batch


@pytest.fixture
def engine(monkeypatch, predicted):
    """Replaces the engine: labels are the texts in capitals, empty texts fail; lists what was seen."""
    seen = []

    def predict(engine, task, rows, adapter):
        for index, row in enumerate(rows):
            seen.append(row)
            yield index, predicted(row, done=False)
            if row["text"]:
                yield index, predicted(row | {"label": row["text"].upper()})
            else:
                yield index, predicted(row, error="The text is empty.")

    monkeypatch.setattr(batch, "predict_many", predict)
    monkeypatch.setattr(batch, "SECONDS_BETWEEN_UPDATES", 0)
    return seen


def handler(loader):
    """What the button calls: a function of path, format and adapter."""
    with gr.Blocks() as page:
        choice = gr.Dropdown(["none"], value="none")
        batch.build(get_task("sentiment"), loader, choice, {})
    return next(event.fn for event in page.fns.values() if len(event.inputs) == 3)


def run(loader, rows):
    answered = []
    lines = list(batch._answers(get_task("sentiment"), loader, rows, "none", answered))
    return answered, lines


def test_answers_come_in_the_order_of_the_rows(loader, engine, adapters):
    answered, _ = run(loader, [{"text": text} for text in ("c", "a", "b")])
    assert [item.row["label"] for item in answered] == ["C", "A", "B"]


def test_progress_counts_finished_rows_only(loader, engine, adapters):
    _, lines = run(loader, [{"text": "a"}, {"text": "b"}])
    assert "0 of 2 rows" in lines[0]
    assert "2 of 2 rows" in lines[-1]


def test_a_row_that_fails_keeps_its_place_and_says_why(loader, engine, adapters):
    answered, _ = run(loader, [{"text": "a"}, {"text": ""}, {"text": "b"}])
    rows = [batch.output_row(item) for item in answered]
    assert [row.get("error") for row in rows] == [None, "The text is empty.", None]
    assert "1 could not be answered" in batch._report(answered)


def test_the_reason_why_a_line_was_unreadable_is_kept(predicted):
    row = batch.output_row(predicted({"text": "", "error": "line 3 has 2 cells"}, error="The text is empty."))
    assert row["error"] == "line 3 has 2 cells"


def test_an_error_column_of_the_file_is_no_failure(predicted):
    answered = [predicted({"text": "a", "label": "good", "error": "E42"})]
    assert batch.output_row(answered[0])["error"] == "E42"
    assert "could not be answered" not in batch._report(answered)


def test_languages_of_the_tab_fill_the_gaps_only():
    row = batch._with_languages({"source_lang": "fr", "target_lang": ""}, {"source_lang": "en", "target_lang": "es"})
    assert row == {"source_lang": "fr", "target_lang": "es"}


def test_a_broken_file_is_one_sentence(loader, engine, adapters, tmp_path):
    path = tmp_path / "empty.csv"
    path.write_bytes(b"")
    process = handler(loader)
    updates = list(process(SimpleNamespace(session_hash="page"), str(path), "jsonl", "none"))
    shown = " ".join(str(value) for update in updates for value in update.values())
    assert "empty.csv is empty" in shown


def test_a_file_gives_a_file_in_the_same_order(loader, engine, adapters, tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("c\na\nb\n", encoding="utf-8")
    process = handler(loader)
    written = None
    for update in process(SimpleNamespace(session_hash="page"), str(path), "jsonl", "none"):
        for value in update.values():
            if isinstance(value, gr.File) and value.value:
                written = value.value
    assert written is not None
    assert written["orig_name"] == "mine-sentiment.jsonl"


def test_closing_stops_the_engine(loader, engine, adapters):
    answers = batch._answers(get_task("sentiment"), loader, [{"text": "a"}, {"text": "b"}], "none", [])
    next(answers)
    answers.close()
    assert len(engine) == 1


def test_unknown_adapter_is_refused_before_any_work(loader, engine, adapters):
    with pytest.raises(PlaygroundError, match="gone"):
        next(batch._answers(get_task("sentiment"), loader, [{"text": "a"}], "sentiment/gone", []))
    assert engine == []
