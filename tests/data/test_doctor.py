import json
from dataclasses import asdict

import pytest

from playground.data.doctor import LANGUAGE_SAMPLE, NUM_EXAMPLES, examine, in_words
from playground.data.fixes import FIXES, fix_rows, keeping_all

LONG = "The council voted on Tuesday to close the High Street to cars from next spring, said the mayor"


def checked(rows, task="classify", **options):
    return examine(task, rows, range(2, len(rows) + 2), detect_language=lambda text: "en", **options)


def labelled(*pairs):
    return [{"text": text, "label": label} for text, label in pairs]


@pytest.fixture
def sick():
    pairs = [(LONG, "a"), (LONG, "a"), (f"{LONG}!", "a"), ("x", "a"), ("X", "b"), ("call a@b.com", "b")]
    return labelled(*pairs, *((f"text number {n}", "a") for n in range(30)))


def test_every_finding_has_a_number_a_sentence_lines_and_known_fixes(sick):
    checkup = checked(sick)
    found = {finding.kind: finding for finding in checkup.findings}
    counts = {kind: finding.rows for kind, finding in found.items()}
    assert counts == {"exact-duplicates": 1, "near-duplicates": 1, "conflicts": 2, "imbalance": 2, "pii-email": 1}
    assert [example.line for example in found["exact-duplicates"].examples] == [3]
    assert "(as line 2)" in found["exact-duplicates"].examples[0].text
    assert [(one.line, one.text) for one in found["conflicts"].examples] == [(5, "x → a"), (6, "X → b")]
    assert found["pii-email"].examples[0].text == "a@b.com"
    assert "'a' has 34 rows, 'b' only 2" in found["imbalance"].sentence
    assert {fix for finding in checkup.findings for fix in finding.fixes} <= FIXES.keys() | {"class-weights"}
    assert checkup.labels == {"a": 34, "b": 2}
    assert checkup.languages == {"en": 36}
    assert json.loads(json.dumps(asdict(checkup)))["rows"] == 36


def test_healthy_rows_have_no_findings():
    assert checked(labelled(*((f"text number {n}", "ab"[n % 2]) for n in range(20)))).findings == ()


@pytest.mark.parametrize(
    ("task", "row", "labels"),
    [
        ("ner", {"text": "In Rome", "entities": [{"start": 3, "end": 7, "label": "LOC"}]}, {"LOC": 2}),
        ("qa", {"context": "In Rome", "question": "Where?", "answers": []}, {"no answer": 2}),
        ("summarize", {"document": "Long text", "summary": "Short"}, {}),
        (
            "translate",
            {"source_text": "Hi", "target_text": "Hallo", "source_lang": "en", "target_lang": "de"},
            {},
        ),
        ("instruct", {"prompt": "Say hi", "completion": "Hi"}, {}),
        (
            "instruct",
            {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]},
            {},
        ),
    ],
)
def test_rows_of_every_task_are_understood(task, row, labels):
    checkup = checked([row, row], task)
    assert [(finding.kind, finding.rows) for finding in checkup.findings] == [("exact-duplicates", 1)]
    assert checkup.labels == labels
    assert checkup.languages == ({"en → de": 2} if task == "translate" else {"en": 2})


def test_labels_that_cannot_be_learnt_are_a_finding():
    alone = labelled(*((f"text {n}", "a") for n in range(10)))
    assert "All rows have the label 'a'" in checked(alone).findings[0].sentence
    scores = labelled(*((f"This is text number {n}", f"0.{n}") for n in range(1, 41)))
    found = {one.kind: one for one in checked(scores).findings}["labels"]
    assert (found.rows, "40 of 40 labels have fewer than 10 rows" in found.sentence) == (40, True)


def test_labels_that_differ_in_capitals_are_a_finding_with_a_fix():
    rows = labelled(*((f"text number {n}", ["Good", "good", "BAD", "bad"][n % 4]) for n in range(80)))
    found = {one.kind: one for one in checked(rows).findings}["spellings"]
    assert (found.rows, found.fixes, found.examples[0].line) == (40, ("lower-case-labels",), 3)
    assert "'Good', 'good'; 'BAD', 'bad'" in found.sentence
    fixed = fix_rows("classify", rows, found.fixes)
    assert {row["label"] for row in fixed.rows} == {"good", "bad"}
    assert fixed.counts == {"lower-case-labels": 40}
    assert keeping_all(["lower-case-labels", "drop-conflicts"]) == ["lower-case-labels"]


def test_rows_like_those_to_measure_on_are_a_finding():
    (leak,) = checked(labelled((LONG, "a"), ("other", "b")), held_out=labelled((f"{LONG}.", "a"))).findings
    assert (leak.kind, leak.rows, leak.examples[0].line) == ("leakage", 1, 2)


def test_labels_that_only_rows_to_measure_on_have_are_a_finding():
    rows = labelled(*((f"text number {n}", "ab"[n % 2]) for n in range(20)))
    (found,) = checked(rows, held_out=labelled(("something else", "c"), ("or that", "a"))).findings
    assert (found.kind, found.rows) == ("unknown-labels", 1)
    assert "say 'c', which no row to learn from does" in found.sentence


def test_languages_are_those_named_in_the_rows_or_guessed_from_a_sample():
    assert checked([{"text": "a", "label": "x", "lang": "sw"}, {"text": "b", "label": "y"}]).languages == {
        "sw": 1,
        "en": 1,
    }
    many = labelled(*((f"text {n}", "ab"[n % 2]) for n in range(LANGUAGE_SAMPLE + 100)))
    assert checked(many).languages == {"en": LANGUAGE_SAMPLE}


def test_lengths_are_counted_in_characters_or_tokens_with_the_share_that_is_too_long():
    rows = labelled(*(("w " * n, "ab"[n % 2]) for n in range(1, 11)))
    chars = checked(rows).lengths
    assert (chars.unit, chars.median, chars.longest, sum(chars.counts)) == ("characters", 12, 20, 10)
    assert len(chars.edges) == len(chars.counts) + 1
    tokens = checked(rows, count_tokens=lambda texts: [len(text.split()) for text in texts], max_tokens=8).lengths
    assert (tokens.unit, tokens.longest, tokens.too_long) == ("tokens", 10, 0.2)
    assert "only the first window is learnt from" in " ".join(
        in_words(checked(rows, count_tokens=lambda texts: [9] * len(texts), max_tokens=8))
    )


def test_one_very_long_row_does_not_flatten_the_chart():
    rows = labelled(*(("x" * (n % 100 + 1), "ab"[n % 2]) for n in range(1000)), ("y" * 100_000, "a"))
    lengths = checked(rows).lengths
    assert lengths.edges[-2] < 120
    assert lengths.edges[-1] == 100_001
    assert sum(lengths.counts) == 1001


def test_the_words_for_a_terminal_name_the_switch_for_each_finding(sick):
    lines = in_words(checked(sick))
    assert any(line.startswith("conflicts: 2 rows") and line.endswith("(--fix drop-conflicts)") for line in lines)
    assert "  line 7: a@b.com" in lines
    assert "labels: a 34, b 2" in lines
    assert "Nothing stands out." in in_words(checked(labelled(("a", "x"), ("b", "y"))))


def test_only_some_examples_are_given():
    rows = labelled(*((f"mail me at a{n}@b.com", "ab"[n % 2]) for n in range(50)))
    (finding,) = checked(rows).findings
    assert (finding.rows, len(finding.examples)) == (50, NUM_EXAMPLES)


def test_a_kind_of_entity_or_question_that_is_too_rare_is_a_finding_without_a_fix():
    def entity(label):
        return {"text": "In Rome", "entities": [{"start": 3, "end": 7, "label": label}]}

    def question(answers):
        return {"context": "In Rome", "question": "Where?", "answers": answers}

    tagged = [entity("LOC")] * 60 + [entity("ORG")] * 12
    assert "imbalance" not in {finding.kind for finding in checked(tagged, "ner").findings}
    for task, rows, sentence in (
        ("ner", [*tagged, entity("EVENT")], "'LOC' has 60 entities, 'EVENT' only 1."),
        (
            "qa",
            [question([{"text": "Rome", "start": 3}])] * 72 + [question([])],
            "'answered' has 72 rows, 'no answer' ",
        ),
    ):
        found = next(finding for finding in checked(rows, task).findings if finding.kind == "imbalance")
        assert found.sentence.startswith(sentence)
        assert (found.rows, [one.line for one in found.examples], found.fixes) == (1, [74], ())


def test_the_language_of_a_conversation_is_what_the_user_speaks():
    said = [("system", "Be kind to all customers."), ("user", "Hola, ¿qué tal?"), ("assistant", "Muy bien")]
    rows = [{"messages": [{"role": role, "content": content} for role, content in said]}]
    checkup = examine("instruct", rows, [1], detect_language=lambda text: "es" if text.startswith("Hola") else "en")
    assert checkup.languages == {"es": 1}


def test_what_becomes_of_a_long_conversation_is_told():
    said = [{"role": "user", "content": "word " * 50}, {"role": "assistant", "content": "Ho"}]
    options = {"count_tokens": lambda texts: [len(text.split()) for text in texts], "max_tokens": 20}
    assert "the end is kept" in checked([{"messages": said}], "instruct", **options).lengths.consequence
    assert (
        "beginning" in checked([{"prompt": "word " * 50, "completion": "x"}], "instruct", **options).lengths.consequence
    )
