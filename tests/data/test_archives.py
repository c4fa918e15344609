import gzip
import io
import struct
import zipfile

import pytest

from playground.data import unpacking
from playground.data.rows import load_training_rows
from playground.errors import DataError

CSV = "text,label\nI love it,good\nI hate it,bad\n"


def test_folders_are_labels_of_the_texts_in_them(read_as, zipped):
    texts = {
        f"reviews/{label}/{i}.txt": f"A {label} text\nof two lines {i}.\n" for label in ("pos", "neg") for i in (1, 2)
    }
    table = read_as("reviews.zip", zipped({**texts, "reviews/README.md": "All about it."}))
    assert table.rows[0] == {"text": "A pos text\nof two lines 1.", "label": "pos", "file": "reviews/pos/1.txt"}
    assert [row["label"] for row in table.rows] == ["pos", "pos", "neg", "neg"]
    assert "its folder the label: neg, pos" in " ".join(table.notes)


def test_a_text_in_a_folder_that_cannot_be_read_is_named(read_as, zipped):
    texts = {f"{label}/{i}.txt": f"A {label} text." for label in ("pos", "neg") for i in (1, 2, 3)}
    table = read_as("reviews.zip", zipped({**texts, "neg/2.txt": b"%PDF-1.4", "pos/1.txt": "long " * 250_000}))
    assert [row["file"] for row in table.rows] == ["pos/2.txt", "pos/3.txt", "neg/1.txt", "neg/3.txt"]
    assert [one.raw for one in table.rejected] == ["pos/1.txt", "neg/2.txt"]
    assert "more than 1,000,000 characters" in table.rejected[0].reason


@pytest.mark.parametrize("names", [("c.de", "c.en"), ("train.de.txt", "train.en.txt"), ("text_de.txt", "text_en.txt")])
def test_two_files_of_lines_are_translations_of_each_other(read_as, zipped, names):
    table = read_as(
        "corpus.zip", zipped({names[0]: "Hallo Welt\nGuten Tag\nNur hier\n", names[1]: "Hello world\n\nGood day\n"})
    )
    assert table.rows[0] == {
        "source_text": "Hallo Welt",
        "target_text": "Hello world",
        "source_lang": "de",
        "target_lang": "en",
    }
    table = read_as("corpus.zip", zipped({names[0]: "Hallo Welt\nNur hier\n", names[1]: "Hello world\n"}))
    assert [(one.line, one.reason) for one in table.rejected] == [(2, "is in one of the two files only")]


def test_translations_in_several_pairs_of_files_are_put_together(read_as, zipped):
    files = {
        f"{part}.{lang}": f"{part} {lang} 1\n{part} {lang} 2\n" for part in ("news", "web") for lang in ("de", "en")
    }
    table = read_as("corpus.zip", zipped(files))
    assert [(row["source_text"], row["target_text"]) for row in table.rows] == [
        (f"{part} de {n}", f"{part} en {n}") for part in ("news", "web") for n in (1, 2)
    ]
    assert table.lines == [1, 2, 3, 4]


def test_of_translations_in_parts_the_one_for_training_is_used(read_as, zipped):
    files = {f"c/{part}.{lang}": f"{part} {lang}\n" for part in ("train", "dev", "test") for lang in ("en", "de")}
    table = read_as("corpus.zip", zipped(files))
    assert [(row["source_text"], row["target_lang"]) for row in table.rows] == [("train en", "de")]
    assert "train.en, train.de are used, dev.en, dev.de, test.en and 1 more are not" in " ".join(table.notes)


@pytest.mark.parametrize(
    ("left", "right"), [("source.txt", "target.txt"), ("train.src", "train.tgt"), ("a_src.txt", "a_tgt.txt")]
)
def test_sides_of_a_translation_may_be_named_without_their_languages(read_as, zipped, left, right):
    table = read_as("corpus.zip", zipped({right: "Good day to you\n", left: "Einen schönen guten Tag\n"}))
    assert table.rows == [{"source_text": "Einen schönen guten Tag", "target_text": "Good day to you"}]


def test_languages_of_a_translation_may_be_folders(read_as, zipped):
    table = read_as("corpus.zip", zipped({"c/de/all.txt": "Guten Tag\n", "c/en/all.txt": "Good day\n"}))
    assert (table.rows[0]["source_lang"], table.rows[0]["target_text"]) == ("de", "Good day")


def test_a_compressed_file_in_an_archive_is_read(read_as, zipped):
    table = read_as("data.zip", zipped({"a.csv.gz": gzip.compress(CSV.encode()), "Thumbs.db": "x"}))
    assert [row["label"] for row in table.rows] == ["good", "bad"]
    assert not table.notes


def test_the_rows_of_several_tables_are_put_together(read_as, zipped):
    table = read_as(
        "data.zip", zipped({"a/1.csv": CSV, "a/2.csv": CSV, "other.json": '[{"x": 1}]', "notes.md": "# Hi"})
    )
    assert len(table.rows) == 4
    assert table.lines == [2, 3, 5, 6]
    assert "other.json has other columns and is not used" in " ".join(table.notes)


def test_a_file_for_testing_stays_out_of_the_training(read_as, zipped):
    table = read_as("data.zip", zipped({"train.csv": CSV, "test.csv": CSV, "dev.csv": CSV}))
    assert len(table.rows) == 2
    assert "train.csv is used, test.csv, dev.csv are not." in " ".join(table.notes)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"text": "I love it", "label": "good"}\n{"text": "I hate it", "label": "bad"}\n'),
        ("a.csv", CSV.encode("utf-16")),
        ("a.tsv", CSV.replace(",", "\t")),
        ("a.conll", "Ada\tB-PER\nsang\tO\n\nBob\tB-PER\n"),
    ],
)
def test_every_format_is_read_inside_a_zip(read_as, zipped, name, content):
    assert read_as("data.zip", zipped({f"folder/{name}": content})).rows == read_as(name, content).rows


def test_texts_by_folder_for_testing_stay_out_too(read_as, zipped):
    files = {
        f"imdb/{part}/{label}/{i}.txt": f"{part} {i}" for part in ("train", "test") for label in "ab" for i in "12"
    }
    table = read_as("a.zip", zipped(files))
    assert {row["text"][:5] for row in table.rows} == {"train"}
    assert "train is used, test is not." in table.notes


def test_brat_marks_lie_beside_their_texts(read_as, zipped):
    marks = "T1\tPER 0 3\tAda\nR1\tx Arg1:T1 Arg2:T1\nT2\tLOC 9 15\tLondon\n"
    table = read_as("brat.zip", zipped({"1.txt": "Ada sang London", "1.ann": marks, "2.txt": "Nobody", "2.ann": ""}))
    assert table.rows[0]["entities"] == [
        {"start": 0, "end": 3, "label": "PER"},
        {"start": 9, "end": 15, "label": "LOC"},
    ]
    assert table.rows[1]["entities"] == []


def test_no_name_in_an_archive_leads_anywhere(tmp_path, read_as, zipped):
    names = ["../../evil.csv", "/etc/evil.csv", "..\\..\\evil2.csv", "C:\\evil3.csv"]
    before = set(tmp_path.parent.rglob("*"))
    table = read_as("data.zip", zipped(dict.fromkeys(names, CSV)))
    assert len(table.rows) == 8
    assert set(tmp_path.parent.rglob("*")) - before == {tmp_path / "data.zip"}


def test_a_link_in_an_archive_is_only_its_text(read_as):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("passwords.csv")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("a.csv", CSV)
    assert [row["label"] for row in read_as("data.zip", buffer.getvalue()).rows] == ["good", "bad"]


def test_an_archive_with_a_password_is_refused(read_as, zipped):
    content = bytearray(zipped({"a.csv": CSV}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    with pytest.raises(DataError, match=r"^data\.zip is a ZIP archive with a password; pack it again without one"):
        read_as("data.zip", bytes(content))


def test_an_archive_with_a_nameless_or_ill_named_file_is_refused(read_as, zipped):
    content = zipped({"a.csv": CSV, "b.csv": CSV})
    place = content.rindex(b"PK\x01\x02")
    for start, bad in ((place + 28, b"\0\0"), (content.rindex(b"PK\x03\x04") + 6, b"\0\x08\0\0")):
        damaged = bytearray(content)
        damaged[start : start + len(bad)] = bad
        damaged[content.rindex(b"b.csv", 0, place)] = 0xAD
        with pytest.raises(DataError, match="damaged or incomplete ZIP"):
            read_as("data.zip", bytes(damaged))


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95])
def test_a_truncated_archive_is_refused(read_as, zipped, kept):
    content = zipped({"a.csv": CSV * 50, "b.csv": CSV})
    with pytest.raises(DataError, match="damaged or incomplete ZIP"):
        read_as("data.zip", content[: int(kept * len(content))])


def test_a_damaged_file_in_an_archive_is_refused(read_as, zipped):
    content = bytearray(zipped({"a.csv": CSV * 50}))
    place = content.index(b"a.csv") + len("a.csv")
    content[place : place + 20] = b"\xff" * 20
    with pytest.raises(DataError, match="damaged or incomplete ZIP"):
        read_as("data.zip", bytes(content))


def test_an_archive_that_explodes_is_refused(tmp_path, read_as, zipped, monkeypatch):
    monkeypatch.setattr(unpacking, "MAX_UNPACKED_BYTES", 100_000)
    content = bytearray(zipped({"a.csv": CSV, "b.csv": b"0" * 10_000_000}))
    # What the archive claims about its sizes does not matter.
    place = content.rindex(b"PK\x01\x02") + 24
    assert struct.unpack_from("<I", content, place) == (10_000_000,)
    for claimed in (10_000_000, 50_000):
        struct.pack_into("<I", content, place, claimed)
        with pytest.raises(DataError, match=r"data\.zip (unpacks to more than|is a damaged)"):
            read_as("data.zip", bytes(content))


def test_an_archive_of_too_many_files_is_refused(read_as, zipped, monkeypatch):
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", 3)
    with pytest.raises(DataError, match="has 4 files; an archive may have 3"):
        read_as("data.zip", zipped({f"{i}.csv": CSV for i in range(4)}))


def test_a_list_of_files_that_fills_the_memory_is_refused(read_as, zipped, monkeypatch):
    monkeypatch.setattr(unpacking, "MAX_LIST_BYTES", 70_000)  # the search for the list reads less
    files = dict.fromkeys((f"{i}.csv" for i in range(2000)), CSV)
    with pytest.raises(DataError, match=r"^data\.zip has too many files in it; an archive may have"):
        read_as("data.zip", zipped(files))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "holds no file with rows, but nothing"),
        ({"a.png": b"\x89PNG", "README.md": "# x"}, "holds no file with rows, but a.png, README.md"),
        ({"inner.zip": b"PK\x03\x04"}, "holds another archive"),
        ({"a.csv": b"%PDF-1.4", "b.csv": "text,label\n"}, r"a\.csv is a PDF.*b\.csv has a header"),
        ({"a.csv": b""}, "holds no file with rows"),
    ],
)
def test_an_archive_without_rows_is_refused_with_what_is_in_it(read_as, zipped, files, words):
    with pytest.raises(DataError, match=words):
        read_as("data.zip", zipped(files))


def test_what_macs_add_is_left_out(read_as, zipped):
    table = read_as("data.zip", zipped({"a.csv": CSV, "__MACOSX/._a.csv": b"\0\5\x16\7", ".DS_Store": b"\0\0\0\1Bud1"}))
    assert (len(table.rows), table.notes) == (2, [])


def test_training_takes_an_archive(tmp_path, zipped):
    path = tmp_path / "data.zip"
    path.write_bytes(zipped({"de.txt/x.csv": CSV}))
    assert [row["label"] for row in load_training_rows(path, "classify").rows] == ["good", "bad"]
