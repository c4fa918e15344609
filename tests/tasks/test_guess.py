import pytest

from playground.tasks import get_task, guess
from playground.tasks.languages import LANGUAGES

TEXT = "Ann Lee flew from Oslo to Rome for Acme, and Ann slept."


def test_named_entities_are_found_in_the_text_in_order():
    found = guess.read_entities(TEXT, " Ann Lee\nOrganisations: Acme\nPlaces: Oslo, Rome")
    assert [(TEXT[one["start"] : one["end"]], one["label"]) for one in found] == [
        ("Ann Lee", "PER"), ("Oslo", "LOC"), ("Rome", "LOC"), ("Acme", "ORG"),
    ]  # fmt: skip


@pytest.mark.parametrize("output", ["", " -\nOrganisations: -\nPlaces: -", " Bob, Z\nPlaces: Paris", "\n\n\n"])
def test_names_that_do_not_stand_in_the_text_are_dropped(output):
    assert guess.read_entities(TEXT, output) == []


def test_a_name_inside_another_is_not_found_twice():
    found = guess.read_entities(TEXT, " Ann Lee, Ann, Lee")
    assert [one["text"] for one in found] == ["Ann Lee"]


def test_commas_of_other_scripts_divide_names():
    text = "習近平在北京"
    assert [one["text"] for one in guess.read_entities(text, "習近平\nPlaces: 上海、北京")] == ["習近平", "北京"]


@pytest.mark.parametrize(("output", "answer"), [(" rome.", "Rome"), (" Oslo", "Oslo")])
def test_answers_are_words_of_the_text(output, answer):
    found = guess.read_answer(TEXT, output)
    assert found["text"] == TEXT[found["start"] : found["end"]] == answer


@pytest.mark.parametrize("output", ["", "  ", " unanswerable", " Paris", "."])
def test_other_answers_are_none(output):
    assert guess.read_answer(TEXT, output) is None


def test_offsets_stay_right_where_lower_case_is_longer():
    text = "İİİ Rome"
    found = guess.read_answer(text, "rome")
    assert found["text"] == "Rome"


@pytest.mark.parametrize("source", LANGUAGES)
def test_every_language_has_examples_for_the_translation_prompt(source):
    target = "en" if source != "en" else "de"
    row = {"source_text": "a\nb", "source_lang": source, "target_lang": target}
    prompt = guess.generate_prompt(get_task("translate"), row)
    assert prompt.endswith(f"{LANGUAGES[source]}: a b\n{LANGUAGES[target]}:")
    assert prompt.count(f"{LANGUAGES[source]}:") == 3


def test_the_prompt_ends_where_the_answer_begins():
    row = {"text": "a\n\nb", "context": "a\nb", "question": "c?"}
    assert guess.classify_prompt(row).endswith("Text: a b\nSentiment:")
    own = guess.classify_prompt(row, [("it\nbroke", "send back"), ("fine", "keep")])
    assert own == "Text: it broke\nLabel: send back\n\nText: fine\nLabel: keep\n\nText: a b\nLabel:"
    assert guess.tag_prompt(row).endswith("Text: a b\nPeople:")
    assert guess.span_prompt(row).endswith("Text: a b\nQuestion: c?\nAnswer:")


def test_shots_show_every_label_the_same_number_of_times_by_turns():
    rows = [{"text": f"{label} {n}" + "x" * 300, "label": label} for n in range(9) for label in ("b", "a", "odd")]
    shots = guess.shots_of(rows, ("a", "b"))
    assert [label for _, label in shots] == ["a", "b"] * 6
    assert shots[2][0].startswith("a 1x")
    assert all(len(text) == guess.MAX_SHOT_CHARS for text, _ in shots)
    assert len(guess.shots_of(rows[:4], ("a", "b"))) == 2


def test_of_many_labels_the_commonest_are_shown_and_all_are_named():
    labels = tuple(f"label {number}" for number in range(40))
    rows = [{"text": "t", "label": label} for label in (*labels, labels[39])]
    shots = guess.shots_of(rows, labels)
    assert [label for _, label in shots] == [*labels[:11], labels[39]]
    assert guess.classify_prompt({"text": "t"}, shots, labels).startswith("Labels: label 0, label 1, label 2,")


def test_a_label_without_a_row_is_named_only():
    shots = guess.shots_of([{"text": "t", "label": "a"}], ("a", "line\nbreak"))
    assert shots == (("t", "a"),)
    assert guess.classify_prompt({"text": "t"}, shots, ("a", "line\nbreak")).startswith("Labels: a, line break\n\n")


@pytest.mark.parametrize("labels", [("missing",), ("a", "b" * 3000), ()])
def test_there_are_no_shots_without_rows_or_where_the_labels_are_too_long(labels):
    assert guess.shots_of([{"text": "t", "label": "a"}], labels) == ()
