import json

import pytest

from playground.evaluation.report import compare, report_table
from playground.tasks.task import Task

SENTIMENT = Task(
    name="sentiment",
    shape="classify",
    title="Sentiment",
    summary="",
    action="",
    inputs=(),
    target="label",
    output="label",
    endpoint="classify",
    metric="macro_f1",
)
NER = Task(
    name="ner",
    shape="tag",
    title="Entities",
    summary="",
    action="",
    inputs=(),
    target="entities",
    output="entities",
    endpoint="ner",
    metric="entity_f1",
)
ROWS = [
    {"text": "x", "label": label, "lang": lang} for label, lang in zip("aabb", ["en", "en", "ja", "ja"], strict=True)
]


def answers(labels):
    return [row | {"label": label} for row, label in zip(ROWS, labels, strict=True)]


def test_report_sets_base_beside_adapter_on_the_same_rows():
    report = compare(SENTIMENT, ROWS, answers("abab"), answers("aabb"))
    assert (report["n"], report["metric"], report["changed"]) == (4, "macro_f1", 2)
    assert report["base"]["metrics"] == {"macro_f1": 50, "accuracy": 50}
    assert report["adapter"]["metrics"] == {"macro_f1": 100, "accuracy": 100}
    assert set(report["per_language"]) == {"en", "ja"}
    japanese = report["per_language"]["ja"]
    assert japanese == {"n": 2, "base": pytest.approx(100 / 3), "adapter": 100, "interval": [100, 100]}
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_report_without_a_base_says_so_instead_of_zero():
    report = compare(SENTIMENT, ROWS, None, answers("aabb"))
    assert (report["base"], report["changed"]) == (None, None)
    assert report["per_language"]["en"]["base"] is None
    assert report_table(report)[1:] == [
        ["Macro-F1", "-", "100.0 (100.0 to 100.0)", "-"],
        ["Accuracy", "-", "100.0", "-"],
        ["Rows", "-", "4", "-"],
    ]


def test_table_has_the_main_metric_first_with_its_interval():
    header, first, second, last = report_table(compare(SENTIMENT, ROWS, answers("abab"), answers("aabb")))
    assert header == ["", "Base", "Adapter", "Difference"]
    assert first[0] == "Macro-F1"
    assert first[1].startswith("50.0 (")
    assert first[2:] == ["100.0 (100.0 to 100.0)", "+50.0"]
    assert second == ["Accuracy", "50.0", "100.0", "+50.0"]
    assert last == ["Rows", "4", "4", "2 changed"]


def test_a_changed_probability_is_not_a_changed_answer():
    row = {"text": "Ana", "entities": [{"start": 0, "end": 3, "label": "PER"}]}
    sure, unsure, wrong = (
        [row | {"entities": [{"start": 0, "end": end, "label": "PER", "score": p}]}]
        for end, p in ((3, 0.9), (3, 0.4), (2, 0.9))
    )
    assert compare(NER, [row], unsure, sure)["changed"] == 0
    assert compare(NER, [row], wrong, sure)["changed"] == 1


def test_a_loss_too_small_to_show_is_not_shown_as_negative():
    report = compare(SENTIMENT, ROWS, answers("abab"), answers("abab"))
    report["adapter"]["metrics"]["accuracy"] -= 0.01
    assert report_table(report)[2] == ["Accuracy", "50.0", "50.0", "+0.0"]
