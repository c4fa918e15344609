import pytest

from playground.evaluation.baselines import lead, trivial_predictions
from playground.evaluation.metrics import score
from playground.tasks import get_task


def trivial(name, rows):
    _, predictions = trivial_predictions(get_task(name), rows)
    return [prediction[get_task(name).output] for prediction in predictions]


@pytest.mark.parametrize("name", ["sentiment", "classify"])
def test_the_commonest_label_is_given_to_every_row(name):
    rows = [{"text": text, "label": label} for text, label in zip("abcd", ["x", "y", "y", "z"], strict=True)]
    assert trivial(name, rows) == ["y"] * 4


def test_no_other_constant_label_scores_more():
    rows = [{"text": "t", "label": label} for label in "aabbbc"]
    task = get_task("classify")
    best, *others = (
        score(task, rows, predictions).metrics
        for predictions in (
            trivial_predictions(task, rows)[1],
            *([{"label": label}] * len(rows) for label in "ac"),
        )
    )
    assert all(best[name] > other[name] for other in others for name in ("macro_f1", "accuracy"))


def test_labels_that_are_as_common_as_each_other_do_not_depend_on_the_order():
    rows = [{"text": "t", "label": label} for label in ("b", "a")]
    assert trivial("sentiment", rows) == trivial("sentiment", rows[::-1]) == ["a", "a"]


def test_a_translation_is_the_source_itself():
    row = {"source_text": "Good day", "target_text": "Guten Tag", "source_lang": "en", "target_lang": "de"}
    assert trivial("translate", [row]) == ["Good day"]


def test_a_summary_is_the_first_two_sentences():
    rows = [{"document": "One. Two! Three.", "summary": "gold"}, {"document": "", "summary": "gold"}]
    assert trivial("summarize", rows) == ["One. Two!", ""]
    assert rows[0]["summary"] == "gold"


@pytest.mark.parametrize("name", ["ner", "qa", "instruct"])
def test_where_nothing_trivial_is_worth_naming_there_is_none(name):
    assert trivial_predictions(get_task(name), [{"text": "Ana", "entities": []}]) is None


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("第一句。第二句。第三句。", "第一句。第二句。"),
        ("一つ目です。二つ目です。三つ目です。", "一つ目です。二つ目です。"),
        ("एक वाक्य। दूसरा वाक्य। तीसरा।", "एक वाक्य। दूसरा वाक्य।"),
        ("A heading\n\nThe first. The second.", "A heading\n\nThe first."),
        (f"{'word ' * 400}end. Next. Last.", f"{'word ' * 400}end. Next."),
    ],
)
def test_sentences_keep_their_length_and_what_stands_between_them(text, start):
    assert lead(text) == start
