"""Figures that measuring writes, on the tiny backbone."""

import pytest

from playground.adapters import store
from playground.backbones.loading import load
from playground.evaluation.metrics import row_language
from playground.tasks import get_task
from playground.training.measure import (
    MIN_LANGUAGE_ROWS,
    _balanced_places,
    _trivial_metrics,
    as_base,
    measure,
    unlearnt_labels,
)

LABELS = {"de": ("positive", "positive", "negative"), "fi": ("neutral", "neutral", "positive")}
ROWS = [{"text": f"row {n}", "label": LABELS[lang][n % 3], "lang": lang} for lang in LABELS for n in range(10)]


@pytest.fixture
def figures(save_tiny_adapter, tiny_backbone_folder):
    """``figures(rows, base_rows)``: what measuring a tiny adapter writes, and the report it gives."""
    checksum = load(str(tiny_backbone_folder), "none", lambda fraction, message: None).checksum
    backbone = {"id": str(tiny_backbone_folder), "checksum": checksum}
    record = save_tiny_adapter("sentiment", "mine", backbone=backbone)

    def run(rows, base_rows=None):
        events = []
        measure(record, rows, events.append, lambda: "", data="made up", base_rows=base_rows)
        (report,) = (event["report"] for event in events if event["event"] == "report")
        return store.find("sentiment", "mine").metrics, report

    return run


def counts(scores_by_key):
    return {key: scores["n"] for key, scores in scores_by_key.items()}


def test_adapter_base_and_trivial_answer_are_measured_on_the_same_rows(figures):
    metrics, report = figures(ROWS)
    assert {metrics[key]["n"] for key in ("adapter", "base", "trivial")} == {len(ROWS)} == {report["n"]}
    assert (metrics["adapter"], metrics["base"]) == (report["adapter"], report["base"])
    for key in ("by_language", "base_by_language", "trivial_by_language"):
        assert counts(metrics[key]) == {"de": 10, "fi": 10}
    assert "commonest label" in metrics["trivial_title"]
    text = (store.find("sentiment", "mine").path / "README.md").read_text(encoding="utf-8")
    assert metrics["trivial_title"] in text


def test_labels_that_the_adapter_did_not_learn_are_named(save_tiny_adapter):
    record = save_tiny_adapter("sentiment", "mine")
    assert unlearnt_labels(record, ROWS) == ""
    note = unlearnt_labels(record, [*ROWS, {"text": "row", "label": "<b>furious"}])
    assert note == "1 row to measure on has a label that the adapter did not learn and can't give: <b>furious."


def test_a_base_on_fewer_rows_is_compared_with_the_adapter_on_those_alone(figures):
    metrics, report = figures(ROWS, 8)
    assert (metrics["adapter"]["n"], metrics["trivial"]["n"]) == (len(ROWS), len(ROWS))
    assert metrics["base"]["n"] == report["n"] == report["adapter"]["n"] == 8
    assert counts(report["per_language"]) == {"de": 4, "fi": 4}
    assert metrics["base_by_language"] == {}  # too few of each for a figure
    assert set(metrics["by_language"]) == {"de", "fi"}


def test_a_base_that_is_left_out_leaves_no_figure(figures):
    few = MIN_LANGUAGE_ROWS - 1
    metrics, report = figures(ROWS[: 10 + few], 0)
    assert not {"base", "base_by_language"} & metrics.keys()
    assert report["base"] is None
    assert report["n"] == metrics["adapter"]["n"] == 10 + few
    assert counts(metrics["by_language"]) == {"de": 10}  # Finnish has one row too few


def test_each_language_has_its_own_commonest_label():
    metrics = _trivial_metrics(get_task("sentiment"), ROWS)
    shares = {language: scores["metrics"]["accuracy"] for language, scores in metrics["trivial_by_language"].items()}
    assert shares == {"de": 70, "fi": 70}
    assert metrics["trivial"]["metrics"]["accuracy"] == 50  # positive: 7 of 10 German and 3 of 10 Finnish rows
    assert _trivial_metrics(get_task("ner"), [{"text": "Ana", "entities": []}]) == {}


@pytest.mark.parametrize("most", [1, 7, 14, 60, 89])
def test_some_rows_are_the_same_share_of_every_language(most):
    rows = [{"text": str(n), "lang": ("de", "fi", None)[n % 3]} for n in range(90)]
    places = _balanced_places(rows, most)
    assert places == _balanced_places(rows, most) == sorted(set(places))
    assert len(places) == most
    shares = [sum(row_language(rows[place]) == lang for place in places) for lang in ("de", "fi", None)]
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize("most", [None, 5, 9])
def test_all_rows_are_taken_where_there_are_no_more(most):
    assert _balanced_places(ROWS[:5], most) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("labels", [("1", "2", "3", "4", "5"), tuple(f"class {number}" for number in range(40))])
def test_the_base_is_asked_for_labels_that_begin_alike_or_are_many(labels, tiny_engine):
    examples = [{"text": f"row {label}", "label": label} for label in labels]
    task = as_base(tiny_engine, get_task("classify"), labels, examples)
    assert task is not None
    assert task.labels == labels


@pytest.mark.parametrize("labels", [("line\nbreak", "line break"), ("a", "b" * 3000)])
def test_the_base_is_not_asked_for_labels_that_it_could_not_tell_apart_or_read(labels, tiny_engine):
    examples = [{"text": "row", "label": label} for label in labels]
    assert as_base(tiny_engine, get_task("classify"), labels, examples) is None
