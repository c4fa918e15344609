import gzip
import json

import pytest

from playground.data.rows import LoadedRows
from playground.errors import DataError
from playground.training.corpus import load_corpus, sample, thin


def write(path, texts):
    lines = "".join(json.dumps({"text": text, "label": text[0]}) + "\n" for text in texts)
    path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())


def test_a_file_gives_a_sample_in_its_order(tmp_path):
    write(tmp_path / "a.jsonl", [f"a{number:02}" for number in range(50)])
    texts = [row["text"] for row in load_corpus(tmp_path / "a.jsonl", "classify", {}, 10, seed=0).rows]
    assert len(texts) == 10
    assert texts == sorted(texts)


def test_files_of_a_folder_share_out_the_rows_and_small_ones_give_all(tmp_path):
    for name, size in (("a.jsonl", 100), ("b.jsonl.gz", 3), ("c.jsonl", 100)):
        write(tmp_path / name, [f"{name[0]}{number}" for number in range(size)])
    (tmp_path / "notes.txt").write_text("not a row")
    rows = load_corpus(tmp_path, "classify", {}, 43, seed=0).rows
    counts = {letter: sum(row["text"][0] == letter for row in rows) for letter in "abc"}
    assert counts == {"a": 20, "b": 3, "c": 20}


def test_a_pattern_chooses_files(tmp_path):
    for name in ("en-de", "en-fr", "de-fr"):
        write(tmp_path / f"{name}.jsonl", [f"{name} x"])
    rows = load_corpus(tmp_path / "en-*.jsonl", "classify", {}, 10, seed=0).rows
    assert [row["text"] for row in rows] == ["en-de x", "en-fr x"]


def test_the_seed_decides_the_sample():
    rows = [{"n": number} for number in range(100)]
    assert sample(rows, 10, 1) == sample(rows, 10, 1) != sample(rows, 10, 2)
    assert sample(rows, 100, 1) is rows


def test_columns_are_passed_on(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y\nfine,A\nbad,B\n")
    rows = load_corpus(path, "classify", {"text": "x", "label": "y"}, 10, seed=0).rows
    assert [(row["text"], row["label"]) for row in rows] == [("fine", "A"), ("bad", "B")]


def test_conversations_become_prompts(tmp_path):
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    (tmp_path / "a.jsonl").write_text(json.dumps({"messages": messages}) + "\n")
    (row,) = load_corpus(tmp_path / "a.jsonl", "instruct", {}, 10, seed=0).rows
    assert (row["prompt"], row["completion"]) == ("Hi", "Ho")


@pytest.mark.parametrize("name", ["missing.csv", "empty", "none-*.jsonl"])
def test_nothing_to_read_is_said_by_name(name, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"is neither a file nor a folder with .jsonl"):
        load_corpus(tmp_path / name, "classify", {}, 10, seed=0)


def test_a_share_of_a_source_is_drawn_and_a_file_without_rows_is_dropped(tmp_path):
    rows = [{"text": f"{source}{number}", "source": source} for source in ("noisy", "clean") for number in range(200)]
    parts = [LoadedRows(rows, [], []), LoadedRows([{"text": "x", "source": "out"}], [], []), LoadedRows([{}], [], [])]
    first, last = thin(parts, {"noisy": 0.25, "out": 0.0}, seed=0)
    counts = {source: sum(row["source"] == source for row in first.rows) for source in ("noisy", "clean")}
    assert 30 < counts["noisy"] < 70
    assert counts["clean"] == 200
    assert last.rows == [{}]
    assert thin(parts, {"noisy": 0.25}, seed=0) == thin(parts, {"noisy": 0.25}, seed=0)
