import pytest

from playground.errors import InputError
from playground.ui.text_file import read_text


def saved(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_arrives_whatever_the_encoding(tmp_path, encoding):
    text = "Привет, мир.\nمرحبا"
    assert read_text(saved(tmp_path, "a.txt", text.encode(encoding))) == text


def test_windows_text_arrives(tmp_path):
    text = "Größe und Süßigkeiten: die Bäckerei öffnet früh, das Café schließt spät."
    assert read_text(saved(tmp_path, "a.txt", text.encode("cp1252"))) == text


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv", b"text\nhello\n", "Many texts at once"),
        ("a.txt", b"", "empty"),
        ("a.txt", b" \n ", "empty"),
        ("a.txt", b"%PDF-1.7 ...", "PDF"),
        ("a.txt", bytes(range(256)) * 20, "not a text file"),
    ],
)
def test_files_that_are_no_text_are_refused_by_name(tmp_path, name, data, words):
    with pytest.raises(InputError, match=words) as caught:
        read_text(saved(tmp_path, name, data))
    assert name in str(caught.value)
