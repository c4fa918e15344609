import pytest

from playground import settings
from playground.data import gathering
from playground.data.gathering import beginning, gather
from playground.data.reading import read_table
from playground.data.table import Reading, Rejected
from playground.errors import DataError


def reading(num_rows, chars=1, **options):
    return Reading("csv", ((i, {"text": "x" * chars, "n": i}) for i in range(1, num_rows + 1)), **options)


def test_a_file_of_more_rows_than_memory_holds_gives_a_sample_of_all_of_it(monkeypatch):
    monkeypatch.setattr(settings, "MAX_SAMPLE_ROWS", 500)
    table = gather(reading(10_000), name="a.csv", max_rows=20_000, is_sampled=True)
    assert table.lines == sorted(set(table.lines)) == [row["n"] for row in table.rows]
    assert len(table.rows) == 500
    assert 4500 < sum(table.lines) / 500 < 5500
    assert "a.csv has 10,000 rows; a random sample of 500 of them is used." in table.notes
    assert gather(reading(10_000), name="a.csv", max_rows=20_000, is_sampled=True).lines == table.lines


def test_long_rows_make_the_sample_smaller(monkeypatch):
    monkeypatch.setattr(gathering, "MAX_SAMPLE_CHARS", 100_000)
    table = gather(reading(1000, chars=1000), name="a.csv", max_rows=5000, is_sampled=True)
    assert 10 < len(table.rows) < 100
    assert max(table.lines) > 800
    assert min(table.lines) < 200


def test_the_first_rows_are_taken_in_order_where_no_sample_is_wanted(monkeypatch):
    monkeypatch.setattr(settings, "MAX_SAMPLE_ROWS", 5)
    table = gather(reading(100), name="a.csv", max_rows=30, is_sampled=False)
    assert table.lines == list(range(1, 31))
    assert table.notes == ["Only the first 30 rows of a.csv are used."]


def test_rejected_lines_count_and_are_not_all_held(monkeypatch):
    monkeypatch.setattr(gathering, "MAX_REJECTED", 10)
    bad = (Rejected(i, "is bad") for i in range(1, 10_000))
    table = gather(Reading("csv", bad), name="a.csv", max_rows=100, is_sampled=True)
    assert [one.line for one in table.rejected] == list(range(1, 11))
    assert "100 lines were set aside; the first 10 are listed." in table.notes
    assert next(bad).line == 102


def test_keys_without_end_are_refused():
    rows = ((i, {"text": "a", f"key {i}": 1}) for i in range(1, 10_000))
    with pytest.raises(DataError, match="more than 2,000 columns, the last of them 'key 2000'"):
        gather(Reading("jsonl", rows), name="a.jsonl", max_rows=5000, is_sampled=True)


def test_the_beginning_is_short_where_the_rows_are_long(monkeypatch):
    monkeypatch.setattr(gathering, "MAX_HEAD_CHARS", 10)
    items = iter(["four", "four", "four", "four"])
    assert beginning(items, 100, len) == ["four"] * 3
    assert list(items) == ["four"]
    assert beginning(iter("abc"), 2, len) == ["a", "b"]


def test_a_sample_of_the_first_rows_is_not_said_to_be_of_all(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "MAX_SAMPLE_ROWS", 20)
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "some words,x\n" * 100)
    notes = read_table(path, max_rows=50).notes
    assert notes == [
        "Only the first 50 rows of a.csv are used.",
        "50 rows of a.csv were read; a random sample of 20 of them is used.",
    ]
