import gzip
import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from playground import settings
from playground.data.columns import propose
from playground.data.reading import Table, read_table
from playground.errors import DataError

GERMAN = "Text;Note\r\nGroße Überraschung, sehr schön;gut\r\nSchlecht für 20 €;schlecht\r\n"


def table_of(tmp_path: Path, name: str, content: bytes | str, **options: Any) -> Table:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path, **options)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_excels_semicolon_csv_is_read_in_every_encoding_it_writes(tmp_path: Path, encoding: str) -> None:
    table = table_of(tmp_path, "reviews.csv", GERMAN.encode(encoding))
    assert table.columns == ["Text", "Note"]
    assert table.rows[0] == {"Text": "Große Überraschung, sehr schön", "Note": "gut"}
    assert table.rows[1]["Text"] == "Schlecht für 20 €"
    assert (table.format, table.rejected) == ("csv", [])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_is_recognised_without_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    assert table_of(tmp_path, "reviews.csv", GERMAN.encode(encoding)).rows[0]["Note"] == "gut"


def test_windows_1252_is_said_in_a_note(tmp_path: Path) -> None:
    assert "Windows-1252" in " ".join(table_of(tmp_path, "reviews.csv", GERMAN.encode("cp1252")).notes)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Отличный телефон, очень доволен покупкой. Батарея держится два дня, экран яркий."),
        ("cp1250", "Zażółć gęślą jaźń, bardzo dobry produkt. Polecam wszystkim, którzy szukają jakości."),
        ("cp1253", "Πολύ καλό προϊόν, το συνιστώ σε όλους. Η μπαταρία κρατάει δύο ημέρες."),
        ("cp1254", "Çok güzel bir ürün, herkese tavsiye ederim. Kargo hızlıydı, ambalaj sağlamdı, teşekkürler."),
        ("cp1256", "منتج ممتاز أنصح به الجميع. البطارية تدوم يومين والشاشة واضحة جدا."),
        ("cp932", "とても良い商品です。電池が長持ちして、画面もきれいです。おすすめします。"),
        ("gb18030", "这个产品非常好，电池可以用两天，屏幕也很清楚，推荐给大家购买。质量不错，物流很快。"),
        ("cp949", "정말 좋은 제품입니다. 배터리가 오래가고 화면이 선명합니다. 추천합니다."),
    ],
)
def test_legacy_encodings_of_other_languages_are_recognised(tmp_path: Path, encoding: str, text: str) -> None:
    content = f"text;label\r\n{text};good\r\n{text};bad\r\n".encode(encoding)
    assert table_of(tmp_path, "reviews.csv", content).rows[0] == {"text": text, "label": "good"}


def test_one_stray_byte_does_not_turn_utf8_into_something_else(tmp_path: Path) -> None:
    content = b"text,label\n" + "größer schöner öfter,gut\n".encode() * 9 + "schöner".encode() + b"\x81,gut\n"
    table = table_of(tmp_path, "reviews.csv", content)
    assert table.rows[0]["text"] == "größer schöner öfter"
    assert table.rows[-1]["text"] == "schöner\ufffd"
    assert "not valid UTF-8" in " ".join(table.notes)


def test_one_line_in_a_legacy_encoding_is_read_in_that(tmp_path: Path) -> None:
    content = b"text,label\n" + "größer schöner öfter,gut\n".encode() * 9 + b"caf\xe9,gut\n"
    table = table_of(tmp_path, "reviews.csv", content)
    assert [table.rows[0]["text"], table.rows[-1]["text"]] == ["größer schöner öfter", "café"]


def _as_csv(frame: pl.DataFrame, **options: Any) -> bytes:
    return frame.write_csv(**options).encode()


def _as_workbook(frame: pl.DataFrame) -> bytes:
    return workbook([frame.columns, *map(list, frame.rows())])


def _as_parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a.csv", _as_csv),
        ("indexed.csv", lambda frame: _as_csv(frame.with_row_index("")).replace(b'""', b"", 1)),
        ("a.tsv", lambda frame: _as_csv(frame, separator="\t")),
        ("excel.csv", lambda frame: _as_csv(frame, separator=";", line_terminator="\r\n").decode().encode("utf-16")),
        ("a.json", lambda frame: json.dumps(frame.to_dicts(), indent=1).encode()),
        ("columns.json", lambda frame: json.dumps(frame.to_dict(as_series=False)).encode()),
        ("a.jsonl", lambda frame: frame.write_ndjson().encode()),
        ("a.parquet", _as_parquet),
        ("a.xlsx", _as_workbook),
    ],
)
def test_the_same_rows_are_the_same_in_every_format(tmp_path: Path, name: str, written: Any) -> None:
    frame = pl.DataFrame(
        {
            "expected_answer": [str(i) for i in range(9)],
            "problem": [f'Let \\(x_{i}\\) be "{i}", {{odd}};\n\n\tFind x.' for i in range(9)],
            "solution": [f"<think>\nSo, it is {i}.\n</think>\n\\boxed{{{i}}}" for i in range(9)],
        }
    )
    table = table_of(tmp_path, name, written(frame))
    assert [{column: row[column] for column in frame.columns} for row in table.rows] == frame.to_dicts()
    assert propose(table).columns == {"prompt": "problem", "completion": "solution"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found(tmp_path: Path, delimiter: str) -> None:
    rows = [["text", "label"], ["I love it", "good"], ["not again", "bad"]]
    table = table_of(tmp_path, "reviews.csv", "\n".join(delimiter.join(row) for row in rows))
    assert table.rows == [{"text": "I love it", "label": "good"}, {"text": "not again", "label": "bad"}]


@pytest.mark.parametrize(("delimiter", "header"), [("，", "文本，标签"), ("،", "النص،التصنيف")])
def test_commas_of_other_scripts_divide_too(tmp_path: Path, delimiter: str, header: str) -> None:
    table = table_of(tmp_path, "reviews.csv", f"{header}\nI love it{delimiter}good\nnot again{delimiter}bad\n")
    assert [list(row.values()) for row in table.rows] == [["I love it", "good"], ["not again", "bad"]]


@pytest.mark.parametrize("header", ["Текст отзыва;Оценка", "Aussage;Wert", "what it says;kind"])
def test_a_comma_in_every_text_is_not_the_delimiter(tmp_path: Path, header: str) -> None:
    content = header + "\n" + "".join(f"the parcel of {i}, it came late;{i % 2}\n" for i in range(12))
    table = table_of(tmp_path, "reviews.csv", content)
    assert table.columns == header.split(";")
    assert len(table.rows) == 12


@pytest.mark.parametrize("delimiter", [";", "|"])
def test_labels_that_come_back_make_columns_of_a_text_file_without_a_header(tmp_path: Path, delimiter: str) -> None:
    lines = [f"Ich mag Nummer {i}{delimiter}{('gut', 'sehr gut')[i % 2]}" for i in range(8)]
    assert table_of(tmp_path, "a.txt", "\n".join(lines)).columns == ["column_1", "column_2"]
    prose = [f"Das war {i}; und das noch{delimiter} {i} und Schluss" for i in range(8)]
    assert table_of(tmp_path, "b.txt", "\n".join(prose)).columns == ["text"]


def test_a_delimiter_declared_by_excel_is_taken(tmp_path: Path) -> None:
    table = table_of(tmp_path, "reviews.csv", "sep=;\nreview;verdict\na, b, c;yes\n")
    assert table.rows == [{"review": "a, b, c", "verdict": "yes"}]
    assert table.lines == [3]


def test_ragged_rows_are_rejected_by_line_and_the_others_kept(tmp_path: Path) -> None:
    table = table_of(
        tmp_path, "reviews.csv", "text,label\ngood one,pos\nonly text\ntoo,many,cells\nbad one,neg,,\n\nend,pos\n"
    )
    assert [row["text"] for row in table.rows] == ["good one", "bad one", "end"]
    assert table.lines == [2, 5, 7]
    assert [(one.line, one.reason) for one in table.rejected] == [
        (3, "has 1 cell where the header has 2"),
        (4, "has 3 cells where the header has 2"),
    ]
    assert table.rejected[1].raw == "too | many | cells"


def test_quoted_newlines_and_doubled_quotes_stay_in_the_cell(tmp_path: Path) -> None:
    table = table_of(tmp_path, "reviews.csv", 'text,label\r\n"two\r\nlines, ""quoted""",pos\r\nnext,neg\r\n')
    assert table.rows[0] == {"text": 'two\nlines, "quoted"', "label": "pos"}
    assert table.lines == [2, 4]


@pytest.mark.parametrize("bad", ['"never closed,pos', 'x,"never closed'])
def test_a_quote_that_is_never_closed_costs_its_line_only(tmp_path: Path, bad: str) -> None:
    table = table_of(tmp_path, "reviews.csv", f"text,label\nfirst,pos\n{bad}\nsecond,neg\nthird,pos\n")
    assert [row["text"] for row in table.rows] == ["first", "second", "third"]
    assert [one.line for one in table.rejected] == [3]
    assert "never closed" in table.rejected[0].reason


def test_a_quote_closed_by_a_later_cell_does_not_swallow_the_lines_between(tmp_path: Path) -> None:
    table = table_of(tmp_path, "reviews.csv", 'text,label\n"open,pos\nkept,neg\n"good",pos\n')
    assert [row["text"] for row in table.rows] == ["kept", "good"]


def test_quotes_in_the_middle_are_text(tmp_path: Path) -> None:
    table = table_of(tmp_path, "tv.csv", 'text,label\na 27" screen,pos\n"the "best" one",neg\n')
    assert table.rows[0]["text"] == 'a 27" screen'
    assert table.rejected == []


def test_backslash_escapes_are_understood(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a.csv", 'text,label\n"he said \\"no, never\\" again",neg\n"fine",pos\n')
    assert table.rows[0]["text"] == 'he said "no, never" again'


def test_tsv_with_bare_quotes_keeps_all_rows(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a.tsv", 'text\tlabel\n"Great movie\tpos\nbad\tneg\n"Fine\tpos\nok\tneg\n')
    assert len(table.rows) == 4
    assert table.rows[0]["text"] == '"Great movie'


def test_headers_are_stripped_and_blank_or_repeated_ones_named(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a.csv", "\ufeff text , label,,label\nx,y,z,w\n")
    assert table.columns == ["text", "label", "column_3", "label_2"]
    assert "label_2" in " ".join(table.notes)


def test_a_file_without_header_keeps_its_first_row(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a.csv", "I love it,positive\nI hate it,negative\nStill love it,positive\n")
    assert table.columns == ["column_1", "column_2"]
    assert len(table.rows) == 3
    assert "no header" in table.notes[0]


def test_a_lone_column_with_commas_in_it_stays_one_column(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a.csv", 'Review\nGood, but dear\nToo long, too loud, too dear\n"quoted, too"\n')
    assert [row["Review"] for row in table.rows] == ["Good, but dear", "Too long, too loud, too dear", "quoted, too"]


def test_sentences_without_header_are_all_rows(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a.csv", "Great product, thanks.\nBad one.\nSo, so, so, it broke, again.\n")
    assert table.rows[0]["text"] == "Great product, thanks."
    assert len(table.rows) == 3


def test_a_cell_of_a_megabyte_is_read(tmp_path: Path) -> None:
    text = "wörter " * 150_000
    assert table_of(tmp_path, "a.csv", f'text,label\n"{text}",pos\n').rows[0]["text"] == text


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.txt", "a.parquet", "a.xlsx", "a.csv.gz"])
@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \r\n\n"])
def test_an_empty_file_is_refused_as_empty(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(DataError, match="is empty"):
        table_of(tmp_path, name, content)


def test_an_empty_gzip_is_refused_as_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is empty"):
        table_of(tmp_path, "a.csv.gz", gzip.compress(b""))


@pytest.mark.parametrize("content", [b"text,label", b"text,label\n\n \n", "text;label\r\n".encode("utf-16")])
def test_a_header_alone_is_refused_as_such(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"has a header \(text, label\) but no rows"):
        table_of(tmp_path, "a.csv", content)


def test_only_ragged_rows_are_refused_with_their_lines(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row that can be used: line 2 has 1 cell where the header has 2"):
        table_of(tmp_path, "a.csv", "text,label\nalone\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "is a PDF"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a picture"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, "old Excel"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "is a web page"),
        (b'<?xml version="1.0"?><a/>', "is XML"),
        (random.Random(3).randbytes(4000), "is not a text file"),
        (b"\x80\x04\x95\x10", "pickle"),
    ],
)
def test_what_holds_no_table_is_refused_by_what_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        table_of(tmp_path, "data.csv", content)


def test_a_zip_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", "text,label\na b,c\n")
    assert table_of(tmp_path, "data.xlsx", buffer.getvalue()).rows == [{"text": "a b", "label": "c"}]


@pytest.mark.parametrize("content", [gzip.compress(b"text,label\na,b\n", mtime=0)[:-9], b"\x1f\x8b\x08garbage"])
def test_a_damaged_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match="damaged or incomplete gzip"):
        table_of(tmp_path, "a.csv.gz", content)


def test_a_gzip_that_explodes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.data.unpacking.MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(DataError, match="unpacks to more than"):
        table_of(tmp_path, "a.csv.gz", gzip.compress(b"a,b\n" * 1000))


def test_a_file_above_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAX_UPLOAD_BYTES", 10)
    with pytest.raises(DataError, match="the limit is"):
        table_of(tmp_path, "a.csv", "text,label\na,b\n")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        read_table(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.parquet", "a.pdf", "a", "A.JSON.GZ"])
def test_content_decides_whatever_the_name_says(tmp_path: Path, name: str) -> None:
    content = b'{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n'
    table = table_of(tmp_path, name, gzip.compress(content) if name.endswith("GZ") else content)
    assert (table.format, len(table.rows)) == ("jsonl", 2)
    assert ("whatever its name says" in " ".join(table.notes)) == (name in {"a.csv", "a.txt", "a.parquet"})


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.xlsx", "a.txt", "a.dat"])
def test_csv_is_read_under_another_name(tmp_path: Path, name: str) -> None:
    assert table_of(tmp_path, name, 'text,label\nI came, and left,x\n"a, b",y\nc,z\n').rows[-1] == {
        "text": "c",
        "label": "z",
    }


def test_jsonl_rejects_bad_lines_and_keeps_the_rest(tmp_path: Path) -> None:
    lines = ['{"text": "a\u2028b"}', "{broken", "[1, 2]", "", "null", '{"text": NaN, "deep": {"x": [1]}}']
    table = table_of(tmp_path, "a.jsonl", "\r\n".join(lines))
    assert table.rows == [{"text": "a\u2028b"}, {"text": None, "deep": {"x": [1]}}]
    assert table.columns == ["text", "deep"]
    assert [one.line for one in table.rejected] == [2, 3, 5]
    assert "not JSON" in table.rejected[0].reason


def test_lists_in_json_lines_stand_under_the_names_in_the_first(tmp_path: Path) -> None:
    content = '["id", "text", "label"]\n[1, "so good", "x"]\n[2, "so bad"]\n[3, "so so", "y"]\n'
    table = table_of(tmp_path, "a.jsonl", content)
    assert table.rows == [{"id": 1, "text": "so good", "label": "x"}, {"id": 3, "text": "so so", "label": "y"}]
    assert [(one.line, one.reason) for one in table.rejected] == [(3, "has 2 cells where the header has 3")]


def test_json_may_begin_with_a_comment(tmp_path: Path) -> None:
    content = '// mine\n/* all */ [\n{"text": "a", "label": "x"}, // good\n{"text": "b", "label": "y"}, # bad\n]'
    table = table_of(tmp_path, "a.json", content)
    assert [row["text"] for row in table.rows] == ["a", "b"]
    assert table.rejected == []


def test_json_escapes_of_lone_surrogates_are_replaced(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a.jsonl", '{"text": "x \\ud83d y \\ud83d\\ude00"}\n')
    assert table.rows == [{"text": "x \ufffd y 😀"}]


def test_json_nested_without_end_is_rejected_not_fatal(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a.jsonl", '{"text": "a"}\n' + "[" * 200_000 + "\n")
    assert (len(table.rows), [one.line for one in table.rejected]) == (1, [2])


ROWS = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]


@pytest.mark.parametrize(
    "value",
    [
        ROWS,
        {"data": ROWS, "version": "1"},
        {"train": ROWS},
        {"text": ["a", "b"], "label": ["x", "y"]},
        {"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}},
        {"columns": ["text", "label"], "index": [0, 1], "data": [["a", "x"], ["b", "y"]]},
    ],
)
def test_json_is_read_in_all_its_shapes(tmp_path: Path, value: object) -> None:
    table = table_of(tmp_path, "a.json", json.dumps(value, indent=1))
    assert (table.rows, table.format, len(table.lines)) == (ROWS, "json", 2)


def test_squad_is_flattened(tmp_path: Path) -> None:
    question = {"id": "q1", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}]}
    value = {"version": "1.1", "data": [{"title": "T", "paragraphs": [{"context": "Ada wrote.", "qas": [question]}]}]}
    assert table_of(tmp_path, "a.json", json.dumps(value)).rows == [{"context": "Ada wrote.", **question}]


def test_json_of_one_object_is_one_row(tmp_path: Path) -> None:
    row = {"text": "Ada", "entities": [{"start": 0, "end": 3, "label": "PER"}]}
    assert table_of(tmp_path, "a.json", json.dumps(row)).rows == [row]
    assert table_of(tmp_path, "b.jsonl", json.dumps({"tokens": ["a"], "tags": ["O"]})).rows[0]["tags"] == ["O"]


@pytest.mark.parametrize("content", ['{"text": "a",\n "label": "b"', '{"text" "a"}', "[1, 2,"])
def test_json_without_any_whole_record_is_refused_with_the_place(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match=r"is not JSON: .*line \d"):
        table_of(tmp_path, "a.json", content)


@pytest.mark.parametrize("name", ["a.json", "a.csv"])
def test_a_broken_record_in_json_costs_itself_only(tmp_path: Path, name: str) -> None:
    content = '[{"text": "a", "label": "x"},\n{"text": "b" "label": "y"},\n{"text": "c", "label": "z"},\n{"text": "d", '
    table = table_of(tmp_path, name, content)
    assert [row["text"] for row in table.rows] == ["a", "c"]
    assert [one.line for one in table.rejected] == [2, 4]
    assert "line 2" in table.rejected[0].reason
    assert "not JSON as a whole" in " ".join(table.notes)


@pytest.mark.parametrize("content", ["5", "[]", "{}", '"word"'])
def test_json_without_rows_is_refused(tmp_path: Path, content: str) -> None:
    if content == '"word"':
        assert table_of(tmp_path, "a.json", content).rows == [{"text": "word"}]
        return
    with pytest.raises(DataError):
        table_of(tmp_path, "a.json", content)


def test_parquet_is_read_with_nested_values(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    frame = {"text": ["a", None], "entities": [[{"start": 0, "end": 1, "label": "X"}], []], "n": [1.0, float("nan")]}
    pl.DataFrame(frame).write_parquet(path)
    table = read_table(path)
    assert table.rows[0] == {"text": "a", "entities": [{"start": 0, "end": 1, "label": "X"}], "n": 1}
    assert table.rows[1] == {"text": None, "entities": [], "n": None}
    assert table.format == "parquet"
    assert "whatever its name says" in table.notes[0]


def test_fields_within_a_column_of_parquet_get_their_path(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"row": [{"text": "Good day", "label": "x"}, {"text": "Good night", "label": "y"}]}).write_parquet(
        path
    )
    table = read_table(path)
    assert table.columns == ["row.text", "row.label"]
    assert table.rows[0] == {"row.text": "Good day", "row.label": "x"}
    pl.DataFrame({"image": [{"bytes": b"\x89PNG", "path": "a.png"}] * 2, "label": [0, 1]}).write_parquet(path)
    assert read_table(path).columns == ["image", "label"]


def test_class_labels_of_hugging_face_parquet_get_their_names(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    feature = {"names": ["neg", "pos"], "_type": "ClassLabel"}
    info = {"info": {"features": {"label": feature, "ner_tags": {"feature": feature, "_type": "Sequence"}}}}
    pl.DataFrame({"label": [1, 0], "ner_tags": [[0, 1], []]}).write_parquet(
        path, metadata={"huggingface": json.dumps(info)}
    )
    assert read_table(path).rows == [{"label": "pos", "ner_tags": ["neg", "pos"]}, {"label": "neg", "ner_tags": []}]


@pytest.mark.parametrize("num_bytes", [6, 60, 300])
def test_a_truncated_parquet_is_refused(tmp_path: Path, num_bytes: int) -> None:
    buffer = io.BytesIO()
    pl.DataFrame({"text": ["a"] * 100, "label": ["b"] * 100}).write_parquet(buffer)
    with pytest.raises(DataError, match="damaged or incomplete Parquet"):
        table_of(tmp_path, "a.parquet", buffer.getvalue()[:num_bytes])


@pytest.mark.parametrize("value", [0x00, 0x7F, 0xFF])
def test_damage_in_the_middle_of_a_parquet_is_said_and_ends_nothing_else(tmp_path: Path, value: int) -> None:
    buffer = io.BytesIO()
    pl.DataFrame({"text": [f"text {i}" for i in range(3000)], "n": range(3000)}).write_parquet(buffer)
    content = bytearray(buffer.getvalue())
    content[4:400] = bytes([value]) * 396
    with pytest.raises(DataError, match="damaged or incomplete Parquet"):
        table_of(tmp_path, "a.parquet", bytes(content))


def test_a_large_parquet_gives_a_sample_with_its_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": range(250_000), "text": ["some words"] * 250_000}).write_parquet(path)
    table = read_table(path)
    assert len(table.rows) == settings.MAX_SAMPLE_ROWS
    assert [row["n"] + 1 for row in table.rows] == table.lines
    assert "250,000 rows; a random sample" in " ".join(table.notes)
    assert read_table(path, max_rows=10, is_sampled=False).lines == list(range(1, 11))


def test_a_parquet_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"text": [], "label": []}).write_parquet(path)
    with pytest.raises(DataError, match="no rows"):
        read_table(path)


def workbook(rows: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "Empty"
    sheet = book.create_sheet("Reviews")
    for row in rows:
        sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_xlsx_is_read_from_its_first_sheet_with_content(tmp_path: Path) -> None:
    content = workbook([["Review", "Stars", None], ["超级好", 5], [None, None], ["mauvais", 1.0], ["no stars"]])
    table = table_of(tmp_path, "a.csv", content)
    assert table.rows == [
        {"Review": "超级好", "Stars": 5},
        {"Review": "mauvais", "Stars": 1},
        {"Review": "no stars", "Stars": None},
    ]
    assert table.lines == [2, 4, 5]
    assert "'Reviews' is used" in " ".join(table.notes)


def test_a_sheet_of_sums_before_the_texts_is_not_taken_for_them(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["label", "count"])
    book.active.append(["good", 3])
    book.active.append(["bad", 2])
    sheet = book.create_sheet("Reviews")
    for row in [["text", "label"], ["It came a day early", "good"], ["It broke at_x000D_\nonce, sadly", "bad"]]:
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    table = read_table(tmp_path / "a.xlsx")
    assert table.columns == ["text", "label"]
    assert table.rows[1]["text"].splitlines() == ["It broke at", "once, sadly"]


def test_sheets_with_the_same_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.title = "May"
    june, lists, late = book.create_sheet("June"), book.create_sheet("Lists"), book.create_sheet("Late")
    for sheet, rows in (
        (book.active, [["text", "label"], ["It came a day early", "good"], ["It broke at once, sadly", "bad"]]),
        (june, [["text", "label"], ["I would buy it again", "good"]]),
        (lists, [["word", "meaning"], ["good", "it was all right"]]),
        (late, [["text", "label"]]),
    ):
        for row in rows:
            sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    table = read_table(tmp_path / "a.xlsx")
    assert [row["label"] for row in table.rows] == ["good", "bad", "good"]
    assert table.lines == [2, 3, 5]
    notes = " ".join(table.notes)
    assert "Rows come from 2 sheets of a.xlsx, 'May', 'June'; lines count through them." in notes
    assert "those are used, 'Lists', 'Late' are not" in notes


def test_xlsx_with_a_header_only_or_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows"):
        table_of(tmp_path, "a.xlsx", workbook([["text", "label"]]))
    with pytest.raises(DataError, match="no cells with content"):
        table_of(tmp_path, "b.xlsx", workbook([]))


def test_a_truncated_xlsx_is_refused(tmp_path: Path) -> None:
    content = workbook([["text"], ["a"]])
    with pytest.raises(DataError):
        table_of(tmp_path, "a.xlsx", content[: len(content) // 2])


def test_txt_is_one_text_a_line(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a.txt", "First, with comma\r\n\r\n  二つ目\r[third](https://x.org)\n")
    assert [row["text"] for row in table.rows] == ["First, with comma", "二つ目", "[third](https://x.org)"]
    assert (table.columns, table.lines, table.format) == (["text"], [1, 3, 4], "txt")


CONLL = "-DOCSTART- O\n\nAngela\tB-PER\nMerkel\tI-PER\n#\tO\nspricht\tO\n\nBerlin\tB-LOC\nbroken\n\nEnde\tO\n"


@pytest.mark.parametrize("name", ["a.conll", "a.txt", "a.bio", "a.tsv"])
def test_conll_is_read_by_sentence_and_bad_ones_rejected(tmp_path: Path, name: str) -> None:
    content = CONLL + "\nGut\tO\nso\tO\nund\tO\nweiter\tO\n"
    table = table_of(tmp_path, name, content)
    assert table.rows[0] == {"tokens": ["Angela", "Merkel", "#", "spricht"], "tags": ["B-PER", "I-PER", "O", "O"]}
    assert len(table.rows) == 3
    assert [one.line for one in table.rejected] == [9]


def test_conll_with_four_columns_and_spaces_uses_the_last(tmp_path: Path) -> None:
    table = table_of(tmp_path, "eng.txt", "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nPeter NNP B-NP B-PER\n")
    assert table.rows[0] == {"tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]}


def test_germeval_uses_its_outer_tags(tmp_path: Path) -> None:
    table = table_of(
        tmp_path, "de.tsv", "# http://de.wikipedia.org\n1\tSchartau\tB-PER\tO\n2\tsagte\tO\tO\n\n1\tIn\tO\tO\n"
    )
    assert table.rows[0] == {"tokens": ["Schartau", "sagte"], "tags": ["B-PER", "O"]}


def test_no_more_than_the_limit_is_read_and_that_is_said(tmp_path: Path) -> None:
    contents = {
        "a.csv": "text,label\n" + "a b,c\n" * 50,
        "a.jsonl": '{"text": "a"}\n' * 50,
        "a.txt": "line\n" * 50,
        "a.conll": "Berlin\tB-LOC\n\n" * 50,
    }
    for name, content in contents.items():
        table = table_of(tmp_path, name, content, max_rows=7)
        assert len(table.rows) == len(table.lines) == 7
        assert "first 7" in table.notes[-1]


def test_a_file_of_exactly_the_limit_has_no_note(tmp_path: Path) -> None:
    assert table_of(tmp_path, "a.csv", "text,label\na b,c\nd e,f\n", max_rows=2).notes == []
