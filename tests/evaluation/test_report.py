import json
import random

import pytest

from playground.evaluation.report import MAX_TEXT_CHARS, compare, row_details
from playground.tasks import get_task
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
ROWS = [
    {"text": "x", "label": label, "lang": lang} for label, lang in zip("aabb", ["en", "en", "ja", "ja"], strict=True)
]


def answers(labels):
    return [row | {"label": label} for row, label in zip(ROWS, labels, strict=True)]


def labelled(texts, labels, **more):
    return [{"text": text, "label": label} | more for text, label in zip(texts, labels, strict=True)]


def test_report_sets_base_beside_adapter_on_the_same_rows():
    report = compare(SENTIMENT, ROWS, answers("abab"), answers("aabb"))
    assert (report["n"], report["metric"], report["changed"]) == (4, "macro_f1", 2)
    assert (report["better"], report["worse"]) == (2, 0)
    assert report["base"]["metrics"] == {"macro_f1": 50, "accuracy": 50}
    assert report["adapter"]["metrics"] == {"macro_f1": 100, "accuracy": 100}
    assert report["difference"]["value"] == 50
    assert report["difference"]["p_value"] > 0.05  # four rows prove nothing
    assert set(report["per_language"]) == {"en", "ja"}
    japanese = report["per_language"]["ja"]
    assert japanese == {"n": 2, "base": pytest.approx(100 / 3), "adapter": 100, "interval": [100, 100]}
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_report_without_a_base_says_so_instead_of_zero():
    report = compare(SENTIMENT, ROWS, None, answers("aabb"))
    assert [report[key] for key in ("base", "changed", "difference", "better", "worse")] == [None] * 5
    assert report["per_language"]["en"]["base"] is None
    assert report["calibration"]["base"] == []


def test_a_changed_probability_is_not_a_changed_answer():
    row = {"text": "Ana", "entities": [{"start": 0, "end": 3, "label": "PER"}]}
    sure, unsure, wrong = (
        [row | {"entities": [{"start": 0, "end": end, "label": "PER", "score": p}]}]
        for end, p in ((3, 0.9), (3, 0.4), (2, 0.9))
    )
    ner = get_task("ner")
    assert compare(ner, [row], unsure, sure)["changed"] == 0
    assert compare(ner, [row], wrong, sure)["changed"] == 1


def test_rows_are_grouped_by_length_and_those_of_one_length_stay_together():
    rows = labelled(["x" * length for length in (1, 1, 1, 1, 5, 6, 7, 80, 90)], "abababaab")
    report = compare(get_task("sentiment"), rows, None, rows)
    assert [(part["from"], part["to"], part["n"]) for part in report["per_length"]] == [
        (1, 1, 4),
        (5, 6, 2),
        (7, 90, 3),
    ]
    same = labelled(["x"] * 9, "abababaab")
    assert compare(get_task("sentiment"), same, None, same)["per_length"] == []


def test_questions_with_and_without_an_answer_are_told_apart():
    asked = {"context": "In Rome.", "question": "Where?"}
    rows = [asked | {"answers": [{"text": "Rome", "start": 3}]}, asked | {"answers": []}]
    found = {"answer": {"text": "Rome", "start": 3, "end": 7, "score": 0.9}}
    kinds = compare(get_task("qa"), rows, None, [row | found for row in rows])["adapter"]["per_class"]
    assert kinds["has_answer"] == {"f1": 100, "exact_match": 100, "support": 1}
    assert kinds["no_answer"] == {"f1": 0, "exact_match": 0, "support": 1}


def test_the_calibration_curve_shows_how_often_a_certainty_was_right():
    rows = labelled("wxyz", "aaab")
    sure = [
        row | {"label": "a", "scores": {"a": p, "b": 1 - p}}
        for row, p in zip(rows, (0.92, 0.94, 0.96, 0.98), strict=True)
    ]
    (point,) = compare(get_task("sentiment"), rows, None, sure)["calibration"]["adapter"]
    assert point == {"confidence": pytest.approx(0.95), "accuracy": 0.75, "n": 4}


def test_only_the_largest_classes_are_kept():
    labels = [str(number) for number in range(300)] * 2 + ["many"] * 5
    report = compare(SENTIMENT, labelled(labels, labels), None, labelled(labels, labels))
    assert len(report["adapter"]["per_class"]) == 100
    assert report["adapter"]["per_class"]["many"]["support"] == 5


def test_rows_are_kept_with_both_answers_and_scores():
    rows = labelled(("ja", "nein"), "ab", lang="de")
    first, second = row_details(get_task("sentiment"), rows, labelled("xy", "bb"), labelled("xy", "aa"))
    assert first == {
        "place": 0,
        "input": {"text": "ja"},
        "gold": "a",
        "adapter": "a",
        "base": "b",
        "adapter_score": 100,
        "base_score": 0,
        "changed": True,
        "lang": "de",
        "is_clipped": False,
    }
    assert (second["adapter_score"], second["base_score"]) == (0, 100)


def test_of_many_rows_the_worst_and_best_and_those_that_moved_are_kept():
    chance = random.Random(0)
    texts = [str(number) for number in range(1000)]
    gold = labelled(texts, chance.choices("ab", k=1000))
    after = [row | {"label": chance.choice("aab")} for row in gold]
    surest = next(place for place, row in enumerate(after) if row["label"] != gold[place]["label"])
    after[surest]["scores"] = {"a": 0.99, "b": 0.01}
    details = row_details(get_task("sentiment"), gold, gold, after)
    places = [row["place"] for row in details]
    assert places == sorted(set(places))
    assert len(places) <= 200
    assert surest in places
    assert {row["adapter_score"] for row in details} == {0, 100}


def test_long_texts_are_kept_as_their_beginning_and_say_so():
    rows = labelled(["x" * (MAX_TEXT_CHARS + 1)], "a")
    (row,) = row_details(get_task("sentiment"), rows, None, rows)
    assert (len(row["input"]["text"]), row["is_clipped"]) == (MAX_TEXT_CHARS, True)
