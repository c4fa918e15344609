import random

import pytest

from playground.data.duplicates import NEAR
from playground.data.repeats import conflicts, exact_duplicates, find_repeats, near_duplicates, read_rows

LONG = "The council voted on Tuesday to close the High Street to cars from next spring, said the mayor"
ARABIC = "أعلنت بلدية المدينة الساحلية عن خطة لتحويل الميناء القديم إلى حديقة عامة مفتوحة للجميع في الخريف"
HINDI = "राजस्थान के एक छोटे गाँव में महिलाओं के समूह ने बारिश का पानी जमा करने के लिए पुराने तालाब को खोद डाला"


def said(*pairs):
    return read_rows("classify", [{"text": text, "label": label} for text, label in pairs])


def test_the_first_of_equal_rows_stays_and_another_label_makes_another_row():
    rows = said(("Good  thing", "a"), ("Good thing", "a"), ("good thing", "a"), ("Good thing", "b"))
    assert exact_duplicates(rows) == {1: 0}


@pytest.mark.parametrize("text", [LONG, ARABIC, HINDI])
def test_a_word_more_or_other_marks_are_nearly_the_same_and_half_a_text_is_not(text):
    rows = said((text, "a"), (f"{text}!", "a"), (text[: int(len(text) * 0.93)], "a"), (text[: len(text) // 2], "a"))
    assert near_duplicates("classify", rows) == {1: 0, 2: 0}


def test_near_texts_with_different_labels_are_no_duplicates():
    assert near_duplicates("classify", said((LONG, "a"), (f"{LONG} again", "b"))) == {}


def test_exact_duplicates_are_not_counted_again_as_near_ones():
    assert near_duplicates("classify", said((LONG, "a"), (LONG, "a"))) == {}


def test_prompts_that_share_an_instruction_are_different_ones():
    rows = [{"prompt": f"{LONG} {LONG} {n}", "completion": "x"} for n in "12"]
    assert near_duplicates("instruct", read_rows("instruct", rows)) == {}


def test_questions_about_one_paragraph_are_different_ones():
    rows = [{"context": LONG, "question": q, "answers": []} for q in ("Who?", "When?", "who")]
    assert near_duplicates("qa", read_rows("qa", rows)) == {2: 0}


def test_the_same_text_with_different_labels_is_a_conflict_of_all_its_rows():
    rows = said(
        ("Good thing!", "a"), ("other", "a"), ("good THING", "b"), ("Good thing", "a"), ("!!!", "a"), ("?", "b")
    )
    assert conflicts(rows) == [[0, 2, 3]]


def test_answers_conflict_when_no_answer_is_right_in_all_rows():
    def rows(*answers):
        found = [[{"text": text, "start": 0} for text in texts] for texts in answers]
        return read_rows("qa", [{"context": "c", "question": "q", "answers": texts} for texts in found])

    assert conflicts(rows(["a", "b"], ["B"])) == []
    assert conflicts(rows(["a"], ["b"])) == [[0, 1]]
    assert conflicts(rows(["a"], [])) == [[0, 1]]
    assert conflicts(rows([], [])) == []


def test_entities_conflict_when_they_are_marked_differently():
    def row(*spans):
        entities = [{"start": start, "end": end, "label": "LOC"} for start, end in spans]
        return {"text": "Rome is in Italy", "entities": entities}

    rows = read_rows("ner", [row((0, 4)), row((0, 4), (11, 16)), row((0, 4))])
    assert conflicts(rows) == [[0, 1, 2]]
    assert exact_duplicates(rows) == {2: 0}


def test_translations_into_two_languages_do_not_conflict():
    rows = [
        {"source_text": "Hi", "target_text": text, "source_lang": "en", "target_lang": lang}
        for text, lang in (("Hallo", "de"), ("Salut", "fr"), ("Moin", "de"))
    ]
    assert conflicts(read_rows("translate", rows)) == [[0, 2]]


def test_nearly_all_pairs_above_the_threshold_are_found_and_none_below():
    chance = random.Random(0)
    words = ["".join(chance.choices("abcdefghij", k=chance.randrange(3, 9))) for _ in range(500)]
    texts = [" ".join(chance.choices(words, k=20)) for _ in range(300)]
    for text in texts[:150]:
        parts = text.split()
        for _ in range(chance.randrange(4)):
            parts[chance.randrange(20)] = chance.choice(words)
        texts.append(" ".join(parts))
    texts = list(dict.fromkeys(texts))

    def groups(text):
        return {text[i : i + 5] for i in range(len(text) - 4)}

    sets = [groups(text) for text in texts]

    def similarity(i, j):
        return len(sets[i] & sets[j]) / len(sets[i] | sets[j])

    expected = {i for i in range(len(texts)) if any(similarity(i, j) >= NEAR for j in range(i))}
    found = find_repeats(texts)
    assert len(expected) > 20
    assert found.keys() <= expected
    assert len(expected - found.keys()) <= 1
    assert all(similarity(i, j) >= NEAR for i, j in found.items())
