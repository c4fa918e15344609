from pathlib import Path

import pytest

from playground.adapters.scoreboard import BEGIN, END, scoreboard, write_scoreboard
from playground.adapters.store import list_adapters
from playground.errors import InputError

SCORES = {"metrics": {"macro_f1": 61.25}, "main": "macro_f1", "n": 40, "interval": [50.0, 70.0]}


def test_table_shows_adapter_and_base_with_interval_and_count(save_tiny_adapter):
    base = {**SCORES, "metrics": {"macro_f1": 30.0}}
    record = save_tiny_adapter("sentiment", "mine", metrics={"adapter": SCORES, "base": base})
    row = scoreboard([record]).splitlines()[-1]
    assert "sentiment/mine" in row
    assert "**61.2** (50.0 to 70.0)" in row
    assert "| 30.0 | 40 |" in row


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
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    shipped = [record for record in list_adapters() if record.origin == "shipped"]
    assert f"{BEGIN}\n{scoreboard(shipped)}\n{END}" in readme
