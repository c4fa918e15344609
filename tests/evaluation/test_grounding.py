import pytest

from playground.evaluation.grounding import names, numbers, source_precision


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("in 2020, 20% of 3,5 and 3.5", ["2020", "20", "3.5", "3.5"]),
        ("٣٫١٤ १२ ２０２０年 ๒๕", ["3.14", "12", "2020", "25"]),
        ("1,200 1.200 1 200 1\u202f200 1'200 ١٬٢٠٠ １，２００", ["1200"] * 7),
        ("1.234,56 and 1,234.56 and 1 234,56", ["1234.56"] * 3),
        ("12,34,567", ["1234567"]),
        ("at 09:30 on 1/5", ["9:30", "1/5"]),
        ("2020 500 people, 2019-2021", ["2020", "500", "2019", "2021"]),
        ("GPT-4 in 2020.", ["4", "2020"]),
        ("", []),
    ],
)
def test_numbers_are_read_in_any_digits_and_with_any_separators(text, found):
    assert numbers(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Angela Merkel met Olaf Scholz. Both are in the EU.", ["merkel", "olaf", "scholz", "eu"]),
        ("USA won.\nNorway lost to Ödön", ["ödön"]),
        ("So do I.", []),
        ("Das Haus steht in Köln", ["haus", "köln"]),
        ("昨日、Appleが発表した。", ["apple"]),
        ("Вчера в Москве", ["москве"]),
        ("मुंबई और दिल्ली", []),
        ("«Hier», sagte Anna", ["anna"]),
    ],
)
def test_names_are_capitalised_words_that_open_no_sentence(text, found):
    assert names(text) == found


@pytest.mark.parametrize(
    ("document", "summary"),
    [
        ("Se on Helsingin satama.", "Talo Helsingissä"),
        ("Asuu Tampereella.", "The city of Tampere"),
        ("Wojna w Warszawie.", "To jest Warszawa"),
        ("Fabrika Samsun'dadır.", "Bu fabrika Samsunlu"),
        ("It was WARSAW", "near Warsaw"),
        ("The meeting is on 12/05/2020 at 09:30.", "It was in 2020 at 9:30"),
        ("٢٠٠ شخص", "200 people"),
        ("1 200 Leute kamen", "wir sahen 1.200"),
        ("Article 5 200 people", "some 200 people"),
    ],
)
def test_other_endings_cases_digits_and_separators_are_not_called_invented(document, summary):
    assert source_precision([document], [summary]) == 100


@pytest.mark.parametrize(
    ("document", "summary"),
    [
        ("They live in Helsinki.", "they live in Stockholm"),
        ("Bobby came.", "it was Bob"),
        ("1,200 people", "some 200 people"),
        ("1,200 people", "some 1,300 people"),
        ("3.5 percent", "by 3.6 percent"),
        ("Some 35 came.", "only 5 came"),
        ("3 of 5 people", "by 3.5 percent"),
    ],
)
def test_what_the_document_does_not_say_is_invented(document, summary):
    assert source_precision([document], [summary]) == 0


def test_every_occurrence_counts_the_same_whatever_its_summary():
    documents = ["Anna was born in 1950.", "Nothing here.", "No name."]
    summaries = ["We met Anna in 1950 and 1951", "the mayor Otto", "nothing at all"]
    assert source_precision(documents, summaries) == 50


def test_without_anything_to_find_nothing_is_invented():
    assert source_precision(["x", "y"], ["nothing", ""]) == 100
