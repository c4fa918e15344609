import re

import pytest

from playground.tasks import get_task, list_tasks
from playground.ui import render

EVIL = "<img src=x onerror=alert(1)>\"'&"


def visible(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html)


def test_label_bars_put_the_best_label_first():
    html = render.label_bars("good", {"bad": 0.1, "good": 0.85, "mixed": 0.05})
    assert re.findall(r"<dt><bdi>(\w+)</bdi></dt>", html) == ["good", "bad", "mixed"]
    assert "width:85.0%" in html


def test_label_without_scores_is_shown_without_bars():
    html = render.label_bars("good", {})
    assert visible(html) == "good"


def test_marked_text_is_the_text_plus_its_labels():
    text = "Ana lives in Oslo."
    html = render.entities(text, [{"start": 13, "end": 17, "label": "LOC"}, {"start": 0, "end": 3, "label": "PER"}])
    marked = html[html.index('<div class="pg-text"') : html.index('<div class="pg-scroll"')]
    assert visible(marked) == "AnaPER lives in OsloLOC."


def test_overlapping_entities_show_every_character_once():
    text = "University of Nairobi"
    found = [{"start": 0, "end": 21, "label": "ORG"}, {"start": 14, "end": 21, "label": "LOC"}]
    html = render.entities(text, found)
    marked = html[html.index('<div class="pg-text"') : html.index('<div class="pg-scroll"')]
    assert visible(marked) == "University of NairobiORG"


def test_an_entity_type_has_the_same_colour_in_every_result():
    assert render.colour_class("PER") != render.colour_class("LOC")
    assert render.colour_class("PRODUCT") == render.colour_class("PRODUCT")
    assert all(re.fullmatch("pg-c[0-5]", render.colour_class(label)) for label in ("PER", "Produkt", "製品", ""))


def test_no_entities_is_said():
    assert "No entity was found" in render.entities("nothing here", [])


def test_answer_is_marked_inside_its_context():
    html = render.span("It opens at nine.", {"text": "nine", "start": 12, "end": 16, "score": 0.9})
    assert "It opens at <mark>nine</mark>." in html


def test_no_answer_is_said_and_the_context_kept():
    html = render.span("It opens at nine.", None)
    assert "does not answer this question" in html
    assert "It opens at nine." in html
    assert "<mark>" not in html


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("sentiment", {"text": EVIL, "label": EVIL, "scores": {EVIL: 0.9, "b": 0.1}}),
        ("ner", {"text": EVIL, "entities": [{"start": 0, "end": 10, "label": EVIL, "score": 0.5}]}),
        ("qa", {"context": EVIL, "question": EVIL, "answer": {"text": EVIL, "start": 0, "end": 5, "score": 0.5}}),
        ("qa", {"context": EVIL, "question": EVIL, "answer": None}),
        ("summarize", {"document": EVIL, "summary": EVIL}),
        ("translate", {"source_text": EVIL, "translation": EVIL}),
    ],
)
def test_nothing_is_rendered_as_html_unescaped(name, row, predicted):
    prediction = predicted(row, backbone=EVIL, adapter=EVIL, quantization=EVIL, note=EVIL)
    html = render.answer(get_task(name), prediction, EVIL) + render.comparison(get_task(name), prediction, prediction)
    assert "<img" not in html
    assert not re.search(r"<[^>]*onerror", html)


def test_messages_are_escaped():
    for show in (render.problem, render.info, render.hint, render.working, render.empty):
        assert "<img" not in show(EVIL)
    assert "<img" not in render.progress(0.5, EVIL)
    assert "<img" not in render.table((EVIL,), [(EVIL,)])


def test_stats_line_names_backbone_adapter_precision_and_time(predicted):
    line = visible(render.answered_by(predicted({}, latency_ms=1234.5)))
    assert line == "Answered by Tiny &lt;1M&gt; · adapter multilingual · 8-bit · 1,234 ms"


def test_stats_line_says_that_there_is_no_adapter(predicted):
    line = visible(render.answered_by(predicted({}, adapter=None, quantization="none")))
    assert "no adapter · full precision" in line


def test_unfinished_prediction_has_no_stats_line(predicted):
    html = render.answer(get_task("summarize"), predicted({"summary": "half a sen"}, done=False))
    assert "half a sen" in html
    assert "Answered by" not in html


def test_a_guess_is_marked_even_without_a_note(predicted):
    html = render.answer(get_task("sentiment"), predicted({"label": "good"}, is_guess=True))
    assert "guess" in html


def test_no_answer_is_said_once(predicted):
    row = {"context": "It opens at nine.", "question": "Who?", "answer": None}
    html = render.answer(get_task("qa"), predicted(row, note="The text does not answer it."))
    assert html.count("does not answer") == 1


def test_a_prediction_without_output_yet_says_nothing_wrong(predicted):
    html = render.answer(get_task("qa"), predicted({"context": "It opens at nine."}, done=False))
    assert "does not answer" not in html


def test_the_error_of_a_row_replaces_its_result(predicted):
    html = render.answer(get_task("sentiment"), predicted({"label": "good"}, error="The text is empty."))
    assert "The text is empty." in html
    assert "good" not in html


def test_empty_generation_is_said(predicted):
    html = render.answer(get_task("summarize"), predicted({"summary": "  "}))
    assert "wrote nothing" in html


def test_texts_choose_their_own_direction(predicted):
    html = render.answer(get_task("summarize"), predicted({"summary": "مرحبا"}))
    assert 'class="pg-text" dir="auto"' in html


def test_comparison_shows_both_sides(predicted):
    task = get_task("sentiment")
    html = render.comparison(task, predicted({"label": "good"}), predicted({"label": "bad"}, adapter=None))
    assert html.index("With multilingual") < html.index("good") < html.index("No adapter") < html.index("bad")


def test_progress_stays_between_nothing_and_everything():
    assert 'value="0"' in render.progress(-0.5, "")
    assert 'value="43"' in render.progress(0.43, "")
    assert 'value="100"' in render.progress(7, "")


def test_every_task_with_a_tab_has_a_view(predicted):
    outputs = {"classify": "good", "tag": [], "span": None, "generate": "text"}
    for task in list_tasks():
        row = {field.name: "text" for field in task.inputs} | {task.output: outputs[task.shape]}
        assert "Answered by" in render.answer(task, predicted(row))


def test_our_sentences_run_from_left_to_right_whatever_they_quote():
    quoted = render.hint("مقالات عربية.xlsx has the columns المقال, الملخص; 'عدد 12' is <not> used.")
    assert "dir=" not in quoted
    assert "<bdi>مقالات عربية</bdi>.xlsx has the columns <bdi>المقال</bdi>, <bdi>الملخص</bdi>;" in quoted
    assert "is &lt;not&gt; used." in quoted
    assert "<bdi>" not in render.problem("Größe, 大小 and ขนาด are no columns.")
