import json
from dataclasses import replace

import pytest

from playground.errors import DataError, InputError
from playground.evaluation.metrics import by_language, score
from playground.tasks.task import Field, Task

SHAPES = {
    "sentiment": ("classify", "label", "label", "macro_f1"),
    "ner": ("tag", "entities", "entities", "entity_f1"),
    "qa": ("span", "answers", "answer", "f1"),
    "summarize": ("generate", "summary", "summary", "rougeL"),
    "translate": ("generate", "target_text", "translation", "chrf++"),
    "instruct": ("generate", "completion", "completion", "rougeL"),
}


def make_task(name, metric=None):
    shape, target, output, main = SHAPES[name]
    return Task(
        name=name,
        shape=shape,
        title=name,
        summary="",
        action="",
        inputs=(Field("document", "Text"),) if name == "summarize" else (),
        target=target,
        output=output,
        endpoint=name,
        metric=metric or main,
    )


ROWS = {
    "sentiment": ({"text": "x", "label": "good"}, {"label": "good", "gold": "good", "scores": {"good": 0.9}}),
    "ner": (
        {"text": "Ana", "entities": [{"start": 0, "end": 3, "label": "PER"}]},
        {"entities": [{"start": 0, "end": 3, "label": "PER", "score": 0.7}]},
    ),
    "qa": (
        {"context": "In Rome.", "question": "Where?", "answers": [{"text": "Rome", "start": 3}]},
        {"answer": {"text": "Rome", "start": 3, "end": 7, "score": 0.5}},
    ),
    "summarize": ({"document": "x y z", "summary": "x y"}, {"summary": "x y"}),
    "translate": (
        {"source_text": "Good day", "target_text": "Guten Tag", "source_lang": "en", "target_lang": "de"},
        {"translation": "Guten Tag"},
    ),
    "instruct": ({"prompt": "Say hi", "completion": "hi there"}, {"completion": "hi there"}),
}
METRICS = {
    "sentiment": {"macro_f1", "accuracy", "ece"},
    "ner": {"entity_f1", "precision", "recall", "ece"},
    "qa": {"f1", "exact_match", "has_answer_f1", "ece"},
    "summarize": {"rougeL", "rouge1", "rouge2", "source_precision"},
    "translate": {"chrf++", "bleu"},
    "instruct": {"rougeL", "rouge1", "rouge2", "exact_match"},
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_right_prediction_scores_full_and_a_missing_one_nothing(name):
    task, (row, added) = make_task(name), ROWS[name]
    right = score(task, [row], [row | added])
    assert set(right.metrics) == METRICS[name]
    assert right.metrics[right.main] == pytest.approx(100)
    assert right.main == task.metric
    missing = {key: value for key, value in row.items() if key != task.output}
    assert score(task, [row], [missing]).metrics[task.metric] == 0
    assert score(task, [row], [missing | {task.output: None}]).metrics[task.metric] == 0


@pytest.mark.parametrize("name", SHAPES)
def test_scores_survive_json(name):
    row, added = ROWS[name]
    as_dict = score(make_task(name), [row], [row | added]).as_dict()
    assert json.loads(json.dumps(as_dict, allow_nan=False)) == as_dict


def test_the_calibration_error_of_entities_and_answers_is_about_whole_ones():
    gold, _ = ROWS["ner"]
    halves = [
        {"start": 0, "end": 3, "label": "PER", "score": 0.9},
        {"start": 1, "end": 3, "label": "PER", "score": 0.9},
    ]
    assert score(make_task("ner"), [gold], [{"entities": halves}]).metrics["ece"] == pytest.approx(40)
    gold, _ = ROWS["qa"]
    answer = {"text": "In Rome", "start": 0, "end": 7, "score": 0.7}
    assert score(make_task("qa"), [gold], [{"answer": answer}]).metrics["ece"] == pytest.approx(70)


@pytest.mark.parametrize(("name", "output"), [("ner", {"entities": []}), ("qa", {"answer": None})])
def test_where_nothing_is_said_there_is_no_calibration_error(name, output):
    assert "ece" not in score(make_task(name), [ROWS[name][0]], [output]).metrics


def test_null_answer_is_right_only_where_there_is_none():
    rows = [{"context": "c", "question": "q", "answers": []}, ROWS["qa"][0]]
    metrics = score(make_task("qa"), rows, [row | {"answer": None} for row in rows]).metrics
    assert (metrics["no_answer_f1"], metrics["has_answer_f1"]) == (100, 0)


def test_a_summary_is_held_against_its_document_and_a_summary_of_something_else_is_not():
    row = {"document": "It opened in 1932.", "summary": "Open since 1932."}
    prediction = {"summary": "Open since 1932, shut in 1999."}
    assert score(make_task("summarize"), [row], [prediction]).metrics["source_precision"] == 50
    other = replace(make_task("summarize"), inputs=(Field("minutes", "Minutes"),))
    assert "source_precision" not in score(other, [{"summary": "x"}], [{"summary": "x"}]).metrics


def test_a_conversation_is_judged_by_its_last_reply():
    row = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello you"}]}
    scores = score(make_task("instruct"), [row], [row | {"completion": "hello you"}])
    assert scores.metrics["exact_match"] == 100


def test_a_gold_column_of_the_file_is_not_taken_for_the_label():
    row = {"text": "x", "label": "good", "gold": "bad"}
    assert score(make_task("sentiment"), [row], [row]).metrics["accuracy"] == 100


def test_languages_are_scored_apart_and_rows_without_one_left_out():
    rows = [{"text": "x", "label": "a", "lang": lang} for lang in ("fi", "fi", "sw")] + [{"text": "x", "label": "a"}]
    predictions = [row | {"label": label} for row, label in zip(rows, "abab", strict=True)]
    scores = by_language(make_task("sentiment"), rows, predictions)
    assert {lang: (s.n, s.metrics["accuracy"]) for lang, s in scores.items()} == {"fi": (2, 50), "sw": (1, 100)}


def test_translations_are_grouped_by_direction():
    row, added = ROWS["translate"]
    back = row | {"source_lang": "de", "target_lang": "en"}
    scores = by_language(make_task("translate"), [row, back], [row | added, back | added])
    assert set(scores) == {"en-de", "de-en"}


@pytest.mark.parametrize(
    ("rows", "num_predictions", "message"),
    [
        ([], 0, "no rows"),
        ([{"text": "x", "label": "a"}], 2, "1 rows can't be compared with 2 predictions"),
        ([{"text": "x", "label": "a"}, {"text": "y"}], 2, "Row 2 has no 'label'"),
    ],
)
def test_rows_that_cannot_be_measured_are_named(rows, num_predictions, message):
    with pytest.raises(DataError, match=message):
        score(make_task("sentiment"), rows, [{"label": "a"}] * num_predictions)


def test_a_metric_that_the_shape_lacks_is_refused():
    row, added = ROWS["summarize"]
    with pytest.raises(InputError, match="decided by rougeL, not 'bertscore'"):
        score(make_task("summarize", metric="bertscore"), [row], [row | added])
