from html.parser import HTMLParser

import pytest

from playground.adapters.report_page import page
from playground.adapters.report_rows import labels_of, selected
from playground.adapters.report_view import advice, confusion, groups, overview_table, sections, verdict
from playground.evaluation.report import compare, row_details
from playground.tasks import get_task

EVIL = '<img src=x onerror="alert(1)">'
LONG_AND_SHORT = (
    "kurz",
    "ok",
    "nein",
    "etwas länger",
    "ein noch längerer Satz",
    "هذا المنتج رائع حقا وأنصح به",
    "x",
    "yz",
)
ROWS = [
    {"text": text, "label": label, "lang": lang}
    for text, label, lang in zip(LONG_AND_SHORT, "aabbaabb", ("en", "de") * 4, strict=True)
]


def answers(labels, confidence=0.8):
    return [
        row | {"label": label, "scores": {label: confidence, "?": 1 - confidence}}
        for row, label in zip(ROWS, labels, strict=True)
    ]


@pytest.fixture
def report():
    return compare(get_task("sentiment"), ROWS, answers("abababab"), answers("aabbaabb"))


def test_table_has_the_main_metric_first_with_its_interval(report):
    header, first, second, _, last = overview_table(report)
    assert header == ["", "Base", "Adapter", "Difference"]
    assert first[0] == "Macro-F1"
    assert first[1].startswith("50.0 (")
    assert first[2:] == ["100.0 (100.0 to 100.0)", "+50.0"]
    assert second == ["Accuracy", "50.0", "100.0", "+50.0"]
    assert last == ["Rows", "8", "8", "4 changed"]


def test_table_without_a_base_has_no_zeros():
    lines = overview_table(compare(get_task("sentiment"), ROWS, None, answers("aabbaabb")))
    assert lines[1] == ["Macro-F1", "-", "100.0 (100.0 to 100.0)", "-"]
    assert lines[-1] == ["Rows", "-", "8", "-"]


def test_a_loss_too_small_to_show_is_not_shown_as_negative(report):
    report["adapter"]["metrics"]["accuracy"] = 50 - 0.01
    assert overview_table(report)[2] == ["Accuracy", "50.0", "50.0", "+0.0"]


@pytest.mark.parametrize(
    ("p_value", "says"), [(0.0002, "unlikely to be chance (p < 0.001"), (0.3, "may be chance (p = 0.300")]
)
def test_the_difference_is_said_in_words(report, p_value, says):
    report["difference"] |= {"p_value": p_value, "value": -3.25}
    first, second, counts, _ = verdict(report)
    assert "3.2 points lower" in first
    assert says in second
    assert counts == "4 answers changed: 4 score better, 0 worse."


def test_the_same_answers_are_no_difference():
    same = answers("abababab")
    assert verdict(compare(get_task("sentiment"), ROWS, same, same))[0] == "Both gave the same answers to all 8 rows."


NOBODY = [{"text": f"text {number}", "entities": []} for number in range(30)]
UNANSWERED = [{"context": "It rains.", "question": f"Who is {number}?", "answers": []} for number in range(30)]


@pytest.mark.parametrize(
    ("task", "rows", "answered", "says"),
    [
        ("sentiment", ROWS[:1], answers("aabbaabb")[:1], "Only 1 row was held out"),
        ("sentiment", ROWS[:2] * 10, answers("aabbaabb")[:2] * 10, "All held-out rows have the label 'a'"),
        ("ner", NOBODY, NOBODY, "No held-out row has an entity"),
        ("qa", UNANSWERED, [row | {"answer": None} for row in UNANSWERED], "No held-out question has an answer"),
    ],
)
def test_what_the_rows_can_not_tell_is_said(task, rows, answered, says):
    assert any(says in line for line in verdict(compare(get_task(task), rows, None, answered)))


def test_enough_rows_of_several_kinds_need_no_caution():
    (said,) = verdict(compare(get_task("sentiment"), ROWS * 3, None, answers("aabbaabb") * 3))
    assert said.startswith("The base was not measured beside it")


def test_every_part_of_a_full_report_is_shown(report):
    titles = [title for title, _ in sections(report)]
    assert titles == [
        "Base against adapter",
        "By class",
        "Which labels it mistakes for which",
        "By language",
        "By length",
        "Does its certainty hold?",
    ]


def test_a_few_rows_get_a_figure_but_no_interval(report):
    few, some = ({"n": n, "base": 10, "adapter": 50, "interval": [40, 60]} for n in (4, 5))
    view = groups(report, [("few", few), ("some", some)])
    assert view.count("(40.0 to 60.0)") == view.count('class="pg-interval"') == 1
    assert view.index("some") < view.index("(40.0 to 60.0)")


def with_curve(report, low, high):
    points = [{"rows": n, "value": 2 * n, "interval": [n, 3 * n]} for n in (10, 20, 40)]
    gain = {"value": 4.0, "interval": [low, high], "p_value": 0.5, "test": "t"}
    return report | {"learning_curve": {"points": points, "gain": gain}}


@pytest.mark.parametrize(
    ("low", "high", "says"), [(0.5, 9, "would probably help"), (-3, 1.9, "would hardly help"), (-3, 9, "can't be told")]
)
def test_advice_on_more_rows_follows_from_what_the_last_ones_brought(report, low, high, says):
    first, basis = advice(with_curve(report, low, high))
    assert says in first
    assert f"From 20 to 40 rows, Macro-F1 changed by +4.0 (95 % interval {low:+.1f} to {high:+.1f})" in basis
    assert "on 10, 20 and 40 of the rows" in basis
    assert advice(report) == []


def test_a_report_without_a_curve_says_why():
    report = compare(get_task("sentiment"), ROWS, ROWS, ROWS) | {"no_learning_curve": "None, as it went on."}
    assert advice(report) == ["None, as it went on."]
    assert ("Would more rows help?", '<p class="pg-verdict">None, as it went on.</p>') in sections(report)


def test_the_curve_is_drawn_by_number_of_rows(report):
    (view,) = [body for title, body in sections(with_curve(report, 1, 2)) if title == "Would more rows help?"]
    assert 'points="70.0,170.0 120.0,130.0 220.0,50.0"' in view
    assert "40 rows: 80.0" in view


def test_the_matrix_counts_down_what_is_right_and_across_what_was_said(report):
    view = confusion(report["base"]["confusion"])
    assert view.count('<td class="pg-number pg-hit" style="--pg-share:50%">2</td>') == 2
    assert view.count('<td class="pg-number pg-miss" style="--pg-share:50%">2</td>') == 2
    labels = [str(number) for number in range(30)]
    many = {"labels": labels, "matrix": [[int(a == b) for a in range(30)] for b in range(30)], "unanswered": [0] * 30}
    assert "The 20 of 30 labels with most rows." in confusion(many)


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.open = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)
        self.found |= {name for name, _ in attrs if name.startswith("on") or name in ("src", "href")}
        if tag not in ("meta", "path", "circle", "polyline", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_needs_nothing_else_and_escapes_every_text():
    rows = [
        row | {"text": f"{EVIL} {row['text']}", "label": EVIL if row["label"] == "a" else "b", "lang": EVIL}
        for row in ROWS
    ]
    said = [row | {"scores": {row["label"]: 0.9}} for row in rows]
    task = get_task("sentiment")
    made = page(EVIL, compare(task, rows, said, said), row_details(task, rows, said, said))
    tags = Tags(made)
    assert not tags.open
    assert not tags.found & {"img", "script", "link", "iframe", "src", "href", "onerror"}
    assert "&lt;img src=x" in made
    assert 'http-equiv="Content-Security-Policy"' in made
    assert "prefers-color-scheme: dark" in made
    assert "url(" not in made


def test_rows_are_listed_the_worst_first_in_their_own_direction(report):
    details = row_details(get_task("sentiment"), ROWS, answers("aabbaabb"), answers("aabbabbb"))
    made = page("sentiment/x", report, selected(details, "classify"))
    assert made.index("100 → 0") < made.index("100 → 100")
    assert '<div class="pg-text" dir="auto">هذا المنتج' in made
    assert "The rows" not in page("sentiment/x", report)


@pytest.mark.parametrize(
    ("choice", "places"),
    [
        ({}, [5, 0, 1, 2, 3, 4, 6, 7]),
        ({"order": "best"}, [0, 1, 2, 3, 4, 6, 7, 5]),
        ({"order": "gained"}, [1, 0, 2, 3, 4, 6, 7, 5]),
        ({"order": "lost"}, [5, 0, 2, 3, 4, 6, 7, 1]),
        ({"kind": "wrong"}, [5]),
        ({"kind": "changed"}, [5, 1]),
        ({"kind": "better"}, [1]),
        ({"kind": "worse"}, [5]),
        ({"language": "de"}, [5, 1, 3, 7]),
        ({"label": "a", "language": "de"}, [5, 1]),
        ({"label": "c"}, []),
        ({"order": "?", "kind": "?"}, [5, 0, 1, 2, 3, 4, 6, 7]),
    ],
)
def test_rows_are_narrowed_down_and_ordered(choice, places):
    details = row_details(get_task("sentiment"), ROWS, answers("abbbaabb"), answers("aabbabbb"))
    assert [row["place"] for row in selected(details, "classify", **choice)] == places


def test_entities_are_found_by_their_type():
    entity = {"start": 0, "end": 3, "label": "PER"}
    row = {"gold": [entity], "adapter": [], "base": [entity | {"label": "LOC"}]}
    assert labels_of(row, "tag") == {"PER", "LOC"}
    assert labels_of({"gold": "a", "adapter": "b", "base": None}, "classify") == {"a", "b"}
    assert labels_of({"gold": "a text", "adapter": "another", "base": None}, "generate") == set()
