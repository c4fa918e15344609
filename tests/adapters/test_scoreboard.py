import json
from pathlib import Path

import pytest

from playground.adapters.card import card
from playground.adapters.record import CARD_FILE
from playground.adapters.report import read_report
from playground.adapters.scoreboard import BEGIN, END, PUBLISHED_COLUMNS, PUBLISHED_FILE, scoreboard, write_scoreboard
from playground.adapters.store import list_adapters
from playground.errors import InputError

REPOSITORY = Path(__file__).parents[2]
SCORES = {"metrics": {"macro_f1": 61.25}, "main": "macro_f1", "n": 40, "interval": [50.0, 70.0]}
BASE = {**SCORES, "metrics": {"macro_f1": 30.0}}
TRIVIAL = {**SCORES, "metrics": {"macro_f1": 16.5}}


def lines_of(records):
    return scoreboard(records).splitlines()


def test_table_shows_adapter_base_and_trivial_answer_with_interval_and_count(save_tiny_adapter):
    metrics = {"adapter": SCORES, "base": BASE, "trivial": TRIVIAL, "trivial_title": "always the commonest label"}
    record = save_tiny_adapter("sentiment", "mine", metrics=metrics)
    header, _, row, *rest = lines_of([record])
    assert row.startswith("| sentiment/mine | 0 | Macro-F1 | **61.2** (50.0 to 70.0) | 40 | 30.0 | 16.5 | ")
    assert header.count("|") == row.count("|")
    assert "Trivial baselines: sentiment/mine: always the commonest label." in rest


def test_a_base_measured_on_fewer_rows_says_on_how_many(save_tiny_adapter):
    record = save_tiny_adapter("sentiment", "mine", metrics={"adapter": SCORES, "base": {**BASE, "n": 8}})
    assert "| 40 | 30.0 (n = 8) | - |" in scoreboard([record])


def test_a_record_with_nothing_but_the_adapters_figures_still_has_its_row(save_tiny_adapter):
    text = scoreboard([save_tiny_adapter("sentiment", "mine", metrics={"adapter": SCORES})])
    assert "**61.2** (50.0 to 70.0) | 40 | none | - |" in text
    assert "Trivial baselines" not in text
    assert "<details>" not in text


def test_languages_are_folded_away_under_the_table(save_tiny_adapter):
    metrics = {
        "adapter": SCORES,
        "by_language": {"fi": SCORES, "en": {**SCORES, "n": 1200}},
        "base_by_language": {"en": BASE},
        "trivial_by_language": {"en": {**TRIVIAL, "n": 1200}, "fi": TRIVIAL},
    }
    text = scoreboard([save_tiny_adapter("sentiment", "mine", metrics=metrics)])
    _, _, block = text.partition("<details><summary>sentiment/mine by language (Macro-F1)</summary>\n\n")
    table, _, _ = block.partition("\n\n</details>")
    assert table.splitlines()[2:] == [
        "| en | 1,200 | 61.2 (50.0 to 70.0) | 30.0 (n = 40) | 16.5 |",
        "| fi | 40 | 61.2 (50.0 to 70.0) | - | 16.5 |",
    ]


def test_published_figures_stand_apart_and_only_for_the_tasks_shown(save_tiny_adapter, no_shipped_adapters):
    record = save_tiny_adapter("sentiment", "mine", metrics={"adapter": SCORES})
    assert "Published" not in scoreboard([record])
    texts = [[task, "Set", "Some model", "macro-F1", "70.5", "A paper"] for task in ("sentiment", "qa")]
    figures = [dict(zip(PUBLISHED_COLUMNS, values, strict=True)) for values in texts]
    (no_shipped_adapters / PUBLISHED_FILE).write_text(json.dumps(figures), encoding="utf-8")
    main, intro, table = scoreboard([record]).split("\n\n")
    assert "70.5" not in main
    assert "other, larger models on other test sets" in intro
    assert table.splitlines()[0] == "| task | test set | model | metric | figure | source |"
    assert table.splitlines()[2:] == ["| sentiment | Set | Some model | macro-F1 | 70.5 | A paper |"]


def test_every_published_figure_names_a_source_that_can_be_opened():
    figures = json.loads((REPOSITORY / "adapters" / PUBLISHED_FILE).read_text(encoding="utf-8"))
    assert figures
    for figure in figures:
        assert tuple(figure) == PUBLISHED_COLUMNS
        assert all(isinstance(text, str) and text and "|" not in text for text in figure.values())
        assert "https://" in figure["source"]


def test_unmeasured_adapters_are_left_out(save_tiny_adapter):
    assert "mine" not in scoreboard([save_tiny_adapter("sentiment", "mine")])


def test_writing_replaces_only_what_is_between_the_marks(tmp_path, save_tiny_adapter):
    record = save_tiny_adapter("sentiment", "mine", metrics={"adapter": SCORES})
    document = tmp_path / "README.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    write_scoreboard(document, [record])
    text = document.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "sentiment/mine" in text


def test_a_document_without_marks_is_refused(tmp_path):
    document = tmp_path / "README.md"
    document.write_text("nothing", encoding="utf-8")
    with pytest.raises(InputError, match=r"README\.md has no place"):
        write_scoreboard(document, [])


def test_the_table_in_the_readme_is_the_generated_one():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    shipped = [record for record in list_adapters() if record.origin == "shipped"]
    assert f"{BEGIN}\n{scoreboard(shipped)}\n{END}" in readme


def test_the_cards_of_shipped_adapters_are_the_generated_ones():
    for record in list_adapters():
        if record.origin == "shipped":
            written = (record.path / CARD_FILE).read_text(encoding="utf-8")
            assert written == card(record, read_report(record)), record.title
