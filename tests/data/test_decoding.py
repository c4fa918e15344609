import os
import unicodedata

import pytest

from playground.data import decoding
from playground.data.decoding import open_text
from playground.errors import DataError

TEXTS = {
    "cp1252": "Größe und Süßigkeiten: die Bäckerei öffnet früh, das Café schließt spät – für 20 €.",
    "cp1257": "Labai geras telefonas, kokybė puiki, baterija laikosi ilgai. Būtinai pirksiu dar, ačiū už greitį!",
    "cp1258": "Sản phẩm rất tốt, pin dùng được hai ngày, màn hình sáng. Tôi sẽ mua lại lần nữa.",
    "koi8_r": "Отличный телефон, очень доволен покупкой. Батарея держится два дня, экран яркий.",
    "mac_cyrillic": "Отличный телефон, очень доволен покупкой. Батарея держится два дня, экран яркий.",
    "cp862": "מוצר מצוין, אני ממליץ לכולם. הסוללה מחזיקה יומיים והמסך ברור מאוד.",
    "cp866": "Отличный телефон, очень доволен покупкой. Батарея держится два дня, экран яркий.",
    "cp1255": "מוצר מצוין, אני ממליץ לכולם. הסוללה מחזיקה יומיים והמסך ברור מאוד.",
    "cp874": "สินค้าดีมาก แบตเตอรี่อยู่ได้นานสองวัน หน้าจอชัดเจน แนะนำให้ทุกคนซื้อ",
    "shift_jis": "とても良い商品です。電池が長持ちして、画面もきれいです。おすすめします。",
    "euc_jp": "とても良い商品です。電池が長持ちして、画面もきれいです。おすすめします。",
    "iso2022_jp": "とても良い商品です。電池が長持ちして、画面もきれいです。おすすめします。",
    "gb18030": "这个产品非常好，电池可以用两天，屏幕也很清楚，推荐给大家购买。质量不错，物流很快。",
    "big5": "這個產品非常好，電池可以用兩天，螢幕也很清楚，推薦給大家購買。品質不錯，物流很快。",
    "mac_roman": "L’été dernier, j’ai acheté ce téléphone à côté de chez moi : très déçu, l’écran s’est cassé.",
}


def encoded(text, encoding):
    if encoding == "cp1258":  # keeps the marks of tones as characters of their own
        text = unicodedata.normalize("NFD", text)
        for letter in ("ă", "â", "ê", "ô", "ơ", "ư", "Ă", "Â", "Ê", "Ô", "Ơ", "Ư"):
            text = text.replace(unicodedata.normalize("NFD", letter), letter)
    return text.encode(encoding)


@pytest.mark.parametrize("encoding", TEXTS)
def test_legacy_encodings_are_told_by_their_letters(read_as, encoding):
    body = encoded(TEXTS[encoding], encoding)
    table = read_as("a.csv", b"text;label\r\n" + body + b";good\r\n" + body + b";bad\r\n")
    assert table.rows[0] == {"text": body.decode(encoding), "label": "good"}
    assert "it was read as" in " ".join(table.notes)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.txt", "a.conll"])
def test_every_text_format_is_read_in_every_unicode_encoding(read_as, encoding, name):
    contents = {
        "a.csv": "text,label\nGrüße 😀 aus Köln,x\nnothing here,y\n",
        "a.jsonl": '{"text": "Grüße 😀 aus Köln", "label": "x"}\n{"text": "b", "label": "y"}\n',
        "a.json": '[{"text": "Grüße 😀 aus Köln", "label": "x"}]',
        "a.txt": "Grüße 😀 aus Köln\nand more of it\n",
        "a.conll": "Grüße\tO\n😀\tO\naus\tO\nKöln\tB-LOC\n\nBerlin\tB-LOC\n",
    }
    row = read_as(name, contents[name].encode(encoding)).rows[0]
    assert " ".join(row.get("tokens") or [row["text"]]) == "Grüße 😀 aus Köln"


def test_lines_of_two_encodings_are_each_read_in_their_own(read_as):
    lines = [f"Größe und schöne Farbe {i},good\n".encode("utf-8" if i % 4 else "cp1252") for i in range(20)]
    table = read_as("a.csv", b"text,label\n" + b"".join(lines))
    assert [row["text"] for row in table.rows] == [f"Größe und schöne Farbe {i}" for i in range(20)]
    assert "15 bytes were read as Windows-1252" in " ".join(table.notes)


def test_a_wrong_byte_order_mark_is_not_believed(read_as):
    body = "".join(f"Café très bon {i};good\n" for i in range(9)).encode("cp1252")
    table = read_as("a.csv", b"\xef\xbb\xbftext;label\n" + body)
    assert table.rows[0] == {"text": "Café très bon 0", "label": "good"}
    assert "is not UTF-8 throughout; 18 bytes were read as Windows-1252" in " ".join(table.notes)


def test_a_mark_of_utf16_before_utf8_is_not_believed(read_as):
    table = read_as("a.csv", b"\xff\xfe" + "text,label\nCafé très bon,good\nIt is bad,bad\n".encode())
    assert table.rows[0] == {"text": "Café très bon", "label": "good"}


def test_a_line_without_end_is_refused_by_its_number(tmp_path, read_as, monkeypatch):
    monkeypatch.setattr(decoding, "MAX_LINE_CHARS", 5000)
    with pytest.raises(DataError, match=r"Line 3 of a\.csv has more than .* million characters; write each row on"):
        read_as("a.csv", "text,label\nfine,x\n" + "word " * 2000 + ",y\n")
    with pytest.raises(DataError, match=r"Line 1 of a\.txt"):
        read_as("a.txt", "word " * 2000)


def test_lines_in_the_head_are_whole_unless_the_file_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "HEAD_CHARS", 12)
    path = tmp_path / "a.txt"
    path.write_text("12345\n6789\nabcdef\n")
    source = open_text(path, "a.txt")
    assert next(source.chunks(12)) == "12345\n6789\na"
    assert list(source.lines()) == ["12345\n", "6789\n", "abcdef\n"]


def test_nul_characters_are_removed_and_that_is_said(read_as):
    table = read_as("a.csv", b"text,label\n" + b"good one" + b"\0" + b",x\nbad one,y\n" * 9)
    assert table.rows[0] == {"text": "good one", "label": "x"}
    assert "NUL" in " ".join(table.notes)


def test_a_text_longer_than_asked_for_is_refused(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("é" * 11)
    source = open_text(path, "a.txt")
    assert source.read(11) == "é" * 11
    with pytest.raises(DataError, match=r"a\.txt has more than 10 characters"):
        source.read(10)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.txt", "a.conll", "a.parquet", "a.xlsx", "a.zip"])
def test_random_bytes_are_refused_whatever_the_name(read_as, name):
    with pytest.raises(DataError, match="not a text file"):
        read_as(name, b"\x00\x01\x02" + os.urandom(3000))


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "mac_roman"])
def test_prices_in_pounds_do_not_make_a_text_polish(read_as, encoding):
    lines = ["text;label", *["plain words;good"] * 30, "The café was nice;good", "It costs £5 © 2024;bad"]
    rows = read_as("a.csv", "\n".join(lines).encode(encoding)).rows
    assert [row["text"] for row in rows[-2:]] == ["The café was nice", "It costs £5 © 2024"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [TEXTS["koi8_r"], TEXTS["shift_jis"], TEXTS["gb18030"], TEXTS["cp1255"]])
@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_utf16_without_a_mark_is_told_in_every_script(read_as, encoding, text, name):
    content = f"text;label\n{text};good\n{text};bad\n" if name == "a.csv" else f"{text}\n{text}\n"
    assert read_as(name, content.encode(encoding)).rows[0]["text"] == text


def test_a_nul_in_each_line_is_removed(read_as):
    table = read_as("a.csv", b"text,label\n" + b"so good\0 now,x\nso bad\0 now,y\n" * 5)
    assert table.rows[0] == {"text": "so good now", "label": "x"}
    assert "NUL characters" in " ".join(table.notes)


@pytest.mark.parametrize("num_nul", [50, 50_000])
def test_nul_characters_behind_a_file_make_it_no_binary_one(read_as, num_nul):
    table = read_as("a.csv", b"text,label\nso good,x\nso bad,y\n" + bytes(num_nul))
    assert [row["label"] for row in table.rows] == ["x", "y"]
    assert table.rejected == []
