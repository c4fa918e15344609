"""Names of persons, found by whoever is handed in."""

import re

import pytest

from playground.data.doctor import examine, with_names
from playground.data.names import SAMPLE_CHARS, SAMPLE_ROWS, NameFinder, mask_names, name_details, sample_names

KNOWN = re.compile(r"Anna Schmidt|Anna|Maria|王丽")


@pytest.fixture
def asked():
    return []


@pytest.fixture
def finder(asked):
    """Knows four names by heart, and notes what it is asked."""

    def find(texts):
        asked.extend(texts)
        return ([match.span() for match in KNOWN.finditer(text)] for text in texts)

    return NameFinder("ner/heart", find, recall=80.0)


def masked(task, row, finder):
    (found,) = mask_names(task, [row], finder, lambda *_: None)
    return found


def test_entities_point_at_the_same_words_after_masking(finder):
    text = "Anna Schmidt met 王丽 in Rome."
    words = ("Schmidt", "王丽", "Rome")
    entities = [{"start": text.index(w), "end": text.index(w) + len(w), "label": w[:1]} for w in words]
    row = masked("ner", {"text": text, "entities": entities}, finder)
    assert row["text"] == "[NAME] met [NAME] in Rome."
    assert [row["text"][e["start"] : e["end"]] for e in row["entities"]] == ["[NAME]", "[NAME]", "Rome"]


def test_answers_stay_at_their_place_and_questions_are_masked(finder):
    context = "In 1901 Anna Schmidt moved to Sfax, where Maria lived."
    answers = [{"text": piece, "start": context.index(piece)} for piece in ("Sfax", "Maria")]
    row = masked("qa", {"context": context, "question": "Where did Anna go?", "answers": answers}, finder)
    assert row["question"] == "Where did [NAME] go?"
    assert [answer["text"] for answer in row["answers"]] == ["Sfax", "[NAME]"]
    assert all(row["context"].startswith(answer["text"], answer["start"]) for answer in row["answers"])


def test_conversations_and_what_is_made_of_them_are_masked(finder):
    said = [{"role": "user", "content": "I am Anna"}, {"role": "assistant", "content": "Hello Anna"}]
    row = masked("instruct", {"messages": said, "prompt": "I am Anna", "completion": "Hello Anna"}, finder)
    assert "Anna" not in str(row)
    assert [message["content"] for message in row["messages"]] == ["I am [NAME]", "Hello [NAME]"]


def test_labels_and_other_columns_stay_and_a_row_without_names_is_the_same_object(finder):
    row = {"text": "It broke", "label": "Anna", "author": "Maria"}
    assert masked("classify", row, finder) is row


def test_names_in_addresses_and_tags_are_left_to_those():
    text = "Maria@example.com, [EMAIL], [NAME], Maria"
    spans = [(0, 5), (20, 25), (text.index("[NAME]"), text.index("[NAME]") + 6), (len(text) - 5, len(text))]
    assert [(one.start, one.end, one.tag) for one in name_details(text, spans)] == [(36, 41, "[NAME]")]


def test_equal_texts_are_looked_at_once_and_progress_says_how_long_it_takes(finder, asked, monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr("playground.data.names.time.monotonic", lambda: next(clock) / 1)
    told = []
    rows = [{"text": text, "label": "x"} for text in ("Anna", "Maria", "Anna", "nobody!")]
    found = mask_names("classify", rows, finder, lambda *said: told.append(said))
    assert [row["text"] for row in found] == ["[NAME]", "[NAME]", "[NAME]", "nobody!"]
    assert asked == ["Anna", "Maria", "nobody!"]
    assert told[0] == (4 / 16, "Masking names: 1 of 3 texts, about 3 s left")
    assert told[-1][0] == 1


def test_only_a_bounded_sample_is_looked_at(finder, asked):
    rows = [{"text": f"Anna {n}", "label": "x"} for n in range(1000)]
    sample = sample_names("classify", rows, finder)
    assert (sample.num_rows, len(sample.found), len(asked)) == (SAMPLE_ROWS, SAMPLE_ROWS, SAMPLE_ROWS)
    assert sample.found == sample_names("classify", rows, finder).found
    long = [{"text": "word " * 1000 + str(n), "label": "x"} for n in range(100)]
    assert sample_names("classify", long, finder).num_rows == SAMPLE_CHARS // 5002


def test_a_slow_search_ends_with_the_rows_looked_at_so_far(finder, asked, monkeypatch):
    seconds = iter(range(0, 1000, 10))
    monkeypatch.setattr("playground.data.names.time.monotonic", lambda: next(seconds))
    rows = [{"text": f"Anna {'word ' * 20}{n}", "label": "x"} for n in range(1000)]
    sample = sample_names("classify", rows, finder)
    assert 0 < sample.num_rows == len(sample.found) == len(asked) < SAMPLE_ROWS / 2
    assert sample.all_rows_s > 100  # judged by what the looked at rows took


def test_the_check_tells_the_share_lines_examples_and_the_switch(finder):
    rows = [{"text": f"{'Anna' if n % 4 == 0 else 'It'} broke {n}", "label": "ab"[n % 2]} for n in range(400)]
    checkup = examine("classify", rows, range(2, 402), detect_language=lambda text: "en")
    assert "not looked for" in checkup.names
    found = with_names(checkup, rows, range(2, 402), finder)
    finding = next(one for one in found.findings if one.kind == "pii-name")
    assert re.match(rf"{finding.rows} of a sample of 200 rows \({finding.rows / 2:.0f} %\) hold", finding.sentence)
    assert 30 <= finding.rows <= 70
    assert finding.fixes == ("mask-names",)
    assert all(one.text == "Anna" and (one.line - 2) % 4 == 0 for one in finding.examples)
    assert "a sample of 200 rows by the adapter 'ner/heart', which misses about 20 in 100 of them" in found.names


def test_without_names_or_without_a_finder_there_is_no_finding(finder):
    rows = [{"text": "It broke", "label": "x"}, {"text": "It works", "label": "y"}]
    checkup = examine("classify", rows, [2, 3], detect_language=lambda text: "en")
    assert with_names(checkup, rows, [2, 3], finder).findings == checkup.findings
    assert "no adapter for entities" in with_names(checkup, rows, [2, 3], None).names
