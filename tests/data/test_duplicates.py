import random

import pytest

from playground.data.duplicates import NEAR, Leak, compared_texts, find_leaks, text_key

PARAGRAPH = (
    "The council of Alderby voted on Tuesday to close the High Street to cars from next spring. Buses, taxis and "
    "delivery vans may still use it before ten in the morning, and a car park with 200 places will be built."
)
ARABIC = "أعلنت بلدية المدينة الساحلية عن خطة لتحويل الميناء القديم إلى حديقة عامة مفتوحة للجميع في الخريف المقبل."
CHINESE = "南方一座海滨城市最近在全市推广雨水花园，这些花园建在路边和小区里，可以在暴雨时吸收积水。"
HINDI = "राजस्थान के एक छोटे गाँव में महिलाओं के समूह ने बारिश का पानी जमा करने के लिए पुराने तालाब को फिर से खोद डाला।"


def leaks(training, held_out, task="classify", **options):
    return find_leaks(task, [{"text": t} for t in training], [{"text": t} for t in held_out], **options)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Good morning!", "good  MORNING"),
        ("Look: https://example.org/a?b=c", "look"),
        ("@anna Danke schön", "danke scho\u0308n!"),
        ("ＡＢＣ１２３", "abc123"),
        ("Straße", "STRASSE"),
    ],
)
def test_what_makes_no_difference_is_not_in_the_key(one, other):
    assert text_key(one) == text_key(other)
    assert leaks([one], ["something else", other]) == [Leak(0, 1, 1.0)]


@pytest.mark.parametrize("text", [PARAGRAPH, ARABIC, CHINESE, HINDI])
def test_a_text_with_a_cut_end_or_another_word_is_found_and_its_like_is_not(text):
    shorter = text[: int(len(text) * 0.94)]
    ((row, held_out, similarity),) = [(x.row, x.held_out, x.similarity) for x in leaks([shorter], ["a", text])]
    assert (row, held_out) == (0, 1)
    assert NEAR <= similarity < 1
    assert leaks([text[: len(text) // 2]], [text]) == []


def long_text(seed, num_words=600):
    chance = random.Random(seed)
    return " ".join("".join(chance.choices("abcdefghij", k=chance.randrange(3, 9))) for _ in range(num_words))


def test_a_long_text_with_another_number_or_a_cut_end_is_found():
    text = long_text(1) + " 1932 " + long_text(2)
    others = [long_text(seed) for seed in range(3, 9)]
    training = [text.replace("1932", "1955"), text[: int(len(text) * 0.94)], text[len(text) // 2 :]]
    found = leaks(training, [*others, text])
    assert [(leak.row, leak.held_out) for leak in found] == [(0, 6), (1, 6)]
    assert found[0].similarity > 0.98
    assert found[1].similarity == pytest.approx(0.94, abs=0.05)


def test_a_text_without_its_accents_is_the_same_and_the_nearest_is_named():
    text = "Aceasta depinde de cum priveşti lucrurile şi ce vrei să spui"
    (leak,) = leaks([text.replace("ş", "s").replace("ă", "a")], [f"{text} cu asta", text])
    assert leak == Leak(0, 1, 1.0)


def test_short_sentences_of_one_pattern_are_different_ones():
    assert leaks(["Tom is here.", "I like red apples"], ["Mary is here.", "I like green apples"]) == []


def test_sentences_of_a_phrase_book_are_different_ones():
    assert leaks(["She bought the house near the station."], ["She bought the house near the harbour."]) == []


def test_a_translation_is_found_by_either_side():
    pairs = [
        {"source_text": "Good morning", "target_text": "Guten Morgen"},
        {"source_text": "Bonjour", "target_text": "Guten Tag"},
        {"source_text": "Hello", "target_text": "Salut"},
    ]
    held_out = [{"source_text": "guten tag!", "target_text": "Hi"}, {"source_text": "x", "target_text": "good morning"}]
    assert [(leak.row, leak.held_out) for leak in find_leaks("translate", pairs, held_out)] == [(0, 1), (1, 0)]


def test_the_fields_that_are_compared_follow_the_task():
    assert compared_texts("qa", {"context": "Text", "question": "Who?"}) == ["Text"]
    assert compared_texts("summarize", {"document": "Long", "summary": "Short"}) == ["Long"]
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
    ]
    assert compared_texts("instruct", {"messages": messages}) == ["Hi"]
    assert compared_texts("instruct", {"prompt": "Write"}) == ["Write"]


def test_nothing_is_like_nothing():
    assert leaks([], [PARAGRAPH]) == leaks([PARAGRAPH], []) == leaks(["", "!!!"], ["", "..."]) == []


def test_similar_means_the_share_of_five_letter_groups_in_common():
    chance = random.Random(0)
    words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett"]
    held_out = [" ".join(chance.choices(words, k=12)) for _ in range(40)]
    training = []
    for text in held_out:
        parts = text.split()
        for _ in range(chance.randrange(4)):
            parts[chance.randrange(12)] = chance.choice(words)
        training.append(" ".join(parts))

    def groups(text):
        return {text[i : i + 5] for i in range(len(text) - 4)}

    def similarity(one, other):
        return 1.0 if one == other else len(groups(one) & groups(other)) / len(groups(one) | groups(other))

    expected = {}
    for i, text in enumerate(training):
        best = max(similarity(text, other) for other in held_out)
        if best >= 0.7:
            expected[i] = best
    found = {leak.row: leak.similarity for leak in leaks(training, held_out, threshold=0.7)}
    assert 5 < len(expected) < 40
    assert found == pytest.approx(expected)
