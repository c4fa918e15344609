import csv
import json
from pathlib import Path

import pytest

from playground.data.batch import read_inputs, write_rows
from playground.errors import DataError, InputError
from playground.types import Row


def saved(tmp_path: Path, name: str, content: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("header", ["Review", "Bewertung", "comentario", "评论", "text", "Отзыв", "レビュー"])
def test_a_csv_of_one_column_is_understood_whatever_it_is_called(tmp_path: Path, header: str, encoding: str) -> None:
    path = saved(
        tmp_path, "a.csv", f"{header}\r\nSehr schön, aber teuer\r\n很好，但是太贵了\r\nno, no, no\r\n", encoding
    )
    assert read_inputs(path, "sentiment") == [
        {"text": "Sehr schön, aber teuer"},
        {"text": "很好，但是太贵了"},
        {"text": "no, no, no"},
    ]


def test_a_csv_of_reviews_in_windows_1252_is_understood(tmp_path: Path) -> None:
    path = saved(
        tmp_path, "a.csv", "Bewertung\r\nSehr schön, größer als gedacht\r\nÜberhaupt nicht gut für 5 €\r\n", "cp1252"
    )
    assert [row["text"] for row in read_inputs(path, "ner")] == [
        "Sehr schön, größer als gedacht",
        "Überhaupt nicht gut für 5 €",
    ]


def test_order_and_other_fields_are_kept(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "id;Kommentar;Datum\n3;Sehr gut gemacht;2024\n1;Nein danke;2023\n2;;2022\n")
    assert read_inputs(path, "classify") == [
        {"id": "3", "text": "Sehr gut gemacht", "Datum": "2024"},
        {"id": "1", "text": "Nein danke", "Datum": "2023"},
        {"id": "2", "text": "", "Datum": "2022"},
    ]


def test_a_line_that_cannot_be_read_keeps_its_place(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "text,n\none,1\nbroken\nthree,3\n")
    rows = read_inputs(path, "sentiment")
    assert [row["text"] for row in rows] == ["one", "", "three"]
    assert rows[1]["error"] == "line 3 has 1 cell where the header has 2"


def test_gold_labels_stay(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.jsonl", '{"text": "a", "label": "x", "deep": {"k": [1]}}\n{"text": 5}\n{"label": "y"}\n')
    assert read_inputs(path, "sentiment") == [
        {"text": "a", "label": "x", "deep": {"k": [1]}},
        {"text": "5"},
        {"text": "", "label": "y"},
    ]


@pytest.mark.parametrize(
    ("task", "field"),
    [
        ("sentiment", "text"),
        ("ner", "text"),
        ("summarize", "document"),
        ("translate", "source_text"),
        ("instruct", "prompt"),
    ],
)
def test_txt_fills_the_first_input(tmp_path: Path, task: str, field: str) -> None:
    assert read_inputs(saved(tmp_path, "a.txt", "uno, dos\ntres\n"), task) == [{field: "uno, dos"}, {field: "tres"}]


def test_questions_need_a_context(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "Frage,Text\nWer schrieb?,Ada schrieb einen Brief an Bob.\n")
    assert read_inputs(path, "qa") == [{"question": "Wer schrieb?", "context": "Ada schrieb einen Brief an Bob."}]
    with pytest.raises(DataError, match="no column for"):
        read_inputs(saved(tmp_path, "b.txt", "Who?\n"), "qa")


def test_conversations_are_inputs_too(tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "Hi"}]}
    assert read_inputs(saved(tmp_path, "a.jsonl", json.dumps(row)), "instruct") == [row]


def test_unknown_tasks_and_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'nope'"):
        read_inputs(saved(tmp_path, "a.txt", "a\n"), "nope")
    with pytest.raises(InputError, match="'pdf'; choose jsonl or csv"):
        write_rows(tmp_path / "a.pdf", [], "pdf")


ROWS: list[Row] = [
    {"text": "größer 😀\n二行\u2028", "label": "x", "scores": {"x": 0.5, "ü": 0.5}},
    {"text": 'a "quoted", b', "n": 3, "entities": []},
]


def test_jsonl_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_rows(path, ROWS, "jsonl")
    lines = path.read_text("utf-8").split("\n")
    assert [json.loads(line) for line in lines[:-1]] == ROWS
    assert lines[-1] == ""


def test_csv_opens_in_excel_with_nested_values_as_json(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_rows(path, ROWS, "csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["text", "label", "scores", "n", "entities"]
    assert rows[0]["text"] == ROWS[0]["text"]
    assert json.loads(rows[0]["scores"]) == ROWS[0]["scores"]
    assert (rows[1]["n"], rows[1]["label"], rows[1]["entities"]) == ("3", "", "[]")


def test_cells_that_a_spreadsheet_would_run_are_made_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    bad = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\uff1d1"]
    write_rows(path, [{"=evil": text} for text in [*bad, "a=b", "-5", "+3.5"]] + [{"=evil": -5}], "csv")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        cells = [cell for (cell,) in csv.reader(stream)]
    assert cells == ["'=evil", *[f"'{text}" for text in bad], "a=b", "-5", "+3.5", "-5"]


@pytest.mark.parametrize("file_format", ["jsonl", "csv"])
def test_lone_surrogates_do_not_stop_writing(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / "out"
    write_rows(path, [{"text": "a\ud800", "deep": ["\udc00"]}], file_format)
    assert "a\ufffd" in path.read_text("utf-8")


@pytest.mark.parametrize("file_format", ["jsonl", "csv"])
def test_written_files_can_be_read_again(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / f"a.{file_format}"
    write_rows(path, [{"text": "two\nlines; and, 'more'", "id": "7"}, {"text": "[odd]", "id": "8"}], file_format)
    assert [row["text"] for row in read_inputs(path, "sentiment")] == ["two\nlines; and, 'more'", "[odd]"]
