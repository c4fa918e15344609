"""Text files of any size and encoding as lines, and what is not text at all."""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import charset_normalizer

from playground.data.alphabets import is_single_byte, likely_encoding
from playground.data.unpacking import first_bytes
from playground.errors import DataError

HEAD_CHARS = 1 << 20
"""Characters at the beginning by which a format is recognised."""
MAX_LINE_CHARS = 1 << 24
"""A longer line is no row of a table: one row has a few texts of ``settings.MAX_TEXT_CHARS`` at most."""

_CHUNK_BYTES = 1 << 20
_NUM_HEAD_LINES = 2000
_SAMPLE_BYTES = 100_000
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FOREIGN = (
    (b"%PDF", "a PDF; copy its text into a TXT or CSV file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"{\\rtf", "a Rich Text document; save it as plain text"),
    (b"\xd0\xcf\x11\xe0", "an old Excel (.xls), Word or password-protected file; save it as XLSX or CSV"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it, or pack it as ZIP"),
    (b"Rar!", "a RAR archive; unpack it, or pack it as ZIP"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file; unpack it, or pack it as gzip or ZIP"),
    (b"SQLite format 3", "an SQLite database; export a table as CSV"),
    (b"ARROW1", "an Arrow file; save it as Parquet"),
    (b"\xff\xff\xff\xff", "an Arrow file; save it as Parquet"),
    (b"\x89HDF", "an HDF5 file; export it as CSV or Parquet"),
    (b"\x93NUMPY", "a NumPy array; export it as CSV or Parquet"),
    (b"\x80\x04", "a Python pickle; export it as CSV, JSONL or Parquet"),
    (b"\x80\x05", "a Python pickle; export it as CSV, JSONL or Parquet"),
    (b"PK\x03\x04", "a Word or OpenDocument file; save it as XLSX, CSV or TXT"),
)
# What charset-normalizer may choose among where the letters alone do not tell.
_LEGACY = "cp1252 cp1250 cp1251 cp1253 cp1254 cp1255 cp1256 cp874 cp932 gb18030 big5 cp949 euc_jp koi8_r".split()
_CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1d\x1f]")
_ISO_2022_JP = re.compile(rb"\x1b\$[@B]")
_BLANK_BYTES = b" \t\r\n\0\xef\xbb\xbf\xff\xfe"
_MARKS = "\ufeff\ufffd"
"""A byte order mark, or what is left of a wrong one, at the beginning of a file."""
_MIXED_SHARE = 0.1
"""Of the lines beyond ASCII that are valid UTF-8; lines in a legacy encoding hardly ever are."""
_NUL = b"\0"
_MAX_NUL_SHARE = 0.2
_COLUMN_SEPARATOR = b"\x01"
"""Hive's, the one control character that files of text are full of."""


@dataclass(frozen=True)
class TextFile:
    path: Path
    name: str
    encoding: str
    notes: list[str] = field(default_factory=list)
    errors: str = "replace"
    """What becomes of bytes that are not in `encoding`: the name of a handler of codec errors."""

    def chunks(self, num_chars: int = HEAD_CHARS) -> Iterator[str]:
        r"""Its text in pieces of at most `num_chars`, with "\n" as line end; no byte order mark, no NUL."""
        with self.path.open(encoding=self.encoding, errors=self.errors, newline=None) as stream:
            is_first = True
            while chunk := stream.read(num_chars):
                plain = (chunk.lstrip(_MARKS) if is_first else chunk).replace("\0", "")
                is_first = False
                if plain:
                    yield plain

    def lines(self) -> Iterator[str]:
        r"""Its lines with "\n" at their ends, whatever the file has there; no byte order mark, no NUL.

        Raises:
            DataError: a line is longer than `MAX_LINE_CHARS`.
        """
        with self.path.open(encoding=self.encoding, errors=self.errors, newline=None) as stream:
            number = 0
            while line := stream.readline(MAX_LINE_CHARS + 1):
                number += 1
                if len(line) > MAX_LINE_CHARS:
                    raise DataError(
                        f"Line {number} of {self.name} has more than {MAX_LINE_CHARS // 10**6} million characters; "
                        "write each row on a line of its own and upload the file again."
                    )
                plain = line.replace("\0", "") if "\0" in line else line
                yield plain.lstrip(_MARKS) if number == 1 else plain

    def head(self) -> str:
        """Its beginning, as far as it is looked at to recognise what it holds."""
        return next(self.chunks(), "")

    def head_lines(self) -> list[str]:
        """The lines of its beginning, whole ones unless the first is longer than that."""
        chunks = self.chunks()
        lines = list(StringIO(next(chunks, "")))
        if len(lines) > 1 and not lines[-1].endswith("\n") and next(chunks, ""):
            lines.pop()
        return lines[:_NUM_HEAD_LINES]

    def read(self, max_chars: int) -> str:
        """The whole text.

        Raises:
            DataError: it has more than `max_chars` characters.
        """
        chunks = self.chunks(max_chars)
        text = next(chunks, "")
        if next(chunks, ""):
            raise DataError(f"{self.name} has more than {max_chars:,} characters; split it into parts.")
        return text


def open_text(path: Path, name: str) -> TextFile:
    """`path` with the encoding that its bytes speak for, and notes where that had to be found out.

    Raises:
        DataError: empty, a known format that holds no table, bytes that are no text, or in no known encoding.
    """
    start = first_bytes(path, _SAMPLE_BYTES)
    _refuse_foreign(start, name)
    seen = _scan(path)
    if seen.is_blank:
        raise DataError(f"{name} is empty; upload a file with at least one row.")
    encoding, notes = _encoding(start, seen, name)
    errors = "replace"
    if seen.num_bad and encoding.startswith("utf-8") and (legacy := _legacy_of_lines(seen)):
        errors = _reading_as(legacy)
        notes = [f"{name} is not UTF-8 throughout; {seen.num_bad} bytes were read as {_title(legacy)}."]
    if seen.has_nul and not encoding.startswith(("utf-16", "utf-32")):
        notes.append(f"{name} has NUL characters; they were removed.")
    return TextFile(path, name, encoding, notes, errors)


def _refuse_foreign(start: bytes, name: str) -> None:
    for magic, words in _FOREIGN:
        if start.startswith(magic):
            raise DataError(f"{name} is {words}.")
    if start[:2] in (b"\x78\x9c", b"\x78\xda", b"\x78\x01") and _looks_binary(start):
        raise DataError(
            f"{name} looks like a spaCy DocBin; write it as JSON Lines with spaCy: "
            '{"text": doc.text, "entities": [[e.start_char, e.end_char, e.label_] for e in doc.ents]} for each doc of '
            "DocBin().from_disk(path).get_docs(nlp.vocab)."
        )
    if _looks_binary(start):
        raise DataError(f"{name} is not a text file, nor Parquet or XLSX; upload CSV, TSV, JSONL, JSON, XLSX or TXT.")


def _looks_binary(start: bytes) -> bool:
    if _unicode_encoding(start):
        return False
    if _ISO_2022_JP.search(start):
        return False
    start = start.rstrip(_NUL)  # what a crash leaves at the end of a file
    controls = Counter(_CONTROL_BYTES.findall(start))
    if set(controls) == {_COLUMN_SEPARATOR}:
        return False
    # Programs in C end or fill their fields with NUL.
    num_nul = controls.pop(_NUL, 0)
    return num_nul > _MAX_NUL_SHARE * len(start) or controls.total() > 0.02 * len(start)


def _unicode_encoding(start: bytes) -> str | None:
    """The encoding said by a byte order mark, or UTF-16 without one seen by where its zero bytes are."""
    for bom, encoding in _BOMS:
        if start.startswith(bom):
            # Text with letters of Latin in it has zeros in UTF-16.
            is_wrong = encoding == "utf-16" and 0 not in start and start[2:].count(b" ") + start.count(b"\n") > 1
            return "utf-8" if is_wrong and _is_mostly_ascii(start[2:]) else encoding
    even, odd = start[:4096:2], start[1:4096:2]
    for zeros, others, encoding in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros.count(0) > 0.4 * len(zeros) and others.count(0) < 0.05 * len(others):
            return encoding
        if others.count(0) * 10 < zeros.count(0) > 0.01 * len(zeros) and _is_readable(start[:4096], encoding):
            return encoding
    return None


def _is_readable(start: bytes, encoding: str) -> bool:
    """Whether text comes out of `start` in UTF-16, and not of its bytes one by one."""
    if _is_mostly_ascii(start.replace(b"\0", b""), 0.9):
        return False
    text = start[: len(start) // 2 * 2].decode(encoding, "replace")
    num_odd = sum(unicodedata.category(char) in {"Cc", "Cn", "Co"} and char not in "\t\r\n" for char in text)
    return num_odd + text.count("\ufffd") < 0.02 * len(text)


def _is_mostly_ascii(text: bytes, share: float = 0.5) -> bool:
    return sum(0x20 <= byte < 0x7F for byte in text) > share * len(text)


@dataclass
class _Seen:
    """What one pass over the bytes of a file found."""

    is_blank: bool = True
    has_nul: bool = False
    num_bad: int = 0
    """Bytes that are not valid UTF-8."""
    num_good: int = 0
    """Characters beyond ASCII, were it UTF-8."""
    lines: list[bytes] = field(default_factory=list)
    """Some that are not plain ASCII."""
    bad_lines: list[bytes] = field(default_factory=list)
    """Some that are not valid UTF-8."""


def _scan(path: Path) -> _Seen:
    seen = _Seen()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    size = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            seen.is_blank = seen.is_blank and not chunk.strip(_BLANK_BYTES)
            seen.has_nul = seen.has_nul or b"\0" in chunk
            if chunk.isascii():
                decoder.reset()
                continue
            lines = [line for line in chunk.splitlines() if not line.isascii()]
            if size < _SAMPLE_BYTES:
                seen.lines += _up_to(lines, _SAMPLE_BYTES - size)
                size = sum(map(len, seen.lines))
            text = decoder.decode(chunk)
            num_bad = text.count("\ufffd")
            seen.num_bad += num_bad
            if num_bad and (room := _SAMPLE_BYTES - sum(map(len, seen.bad_lines))) > 0:
                seen.bad_lines += _up_to([line for line in lines if not _is_utf8(line)], room)
            seen.num_good += len(text) - num_bad - len(text.encode("ascii", "ignore"))
    seen.num_bad += decoder.decode(b"", final=True).count("\ufffd")
    return seen


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _up_to(lines: list[bytes], num_bytes: int) -> list[bytes]:
    """The first of `lines` that have `num_bytes` in all, or the beginning of one that is longer by itself."""
    taken: list[bytes] = []
    for line in lines:
        if num_bytes <= 0:
            break
        taken.append(line if len(line) <= num_bytes or taken else line[:num_bytes])
        num_bytes -= len(line)
    return taken


def _encoding(start: bytes, seen: _Seen, name: str) -> tuple[str, list[str]]:
    encoding = _unicode_encoding(start)
    if encoding and not encoding.startswith("utf-8"):
        return encoding, [f"{name} is encoded as {encoding.upper()}."]
    if not encoding and _ISO_2022_JP.search(start) and start.isascii():
        return "iso2022_jp", [f"{name} is not UTF-8; it was read as ISO-2022-JP."]
    if not seen.num_bad:
        return encoding or "utf-8", []
    # A stray byte in a long text that is UTF-8 otherwise; legacy encodings hardly ever give valid sequences.
    if encoding or seen.num_bad * 10 < seen.num_good or (_is_mixed(seen) and _legacy_of_lines(seen)):
        return encoding or "utf-8", [
            f"{name} has {seen.num_bad} bytes that are not valid UTF-8; they are shown as \ufffd."
        ]
    sample = b"\n".join(seen.lines)
    legacy = likely_encoding(sample) or _by_statistics(sample)
    if legacy is None:
        raise DataError(f"The encoding of {name} can't be recognised; save it as UTF-8 and upload it again.")
    return legacy, [f"{name} is not UTF-8; it was read as {_title(legacy)}."]


def _is_mixed(seen: _Seen) -> bool:
    """Whether some of its lines are valid UTF-8, as where files of two encodings were put together."""
    return sum(map(_is_utf8, seen.lines)) >= _MIXED_SHARE * len(seen.lines)


def _legacy_of_lines(seen: _Seen) -> str | None:
    """The encoding of the lines that are not UTF-8, if each of its characters is one byte."""
    lines = [line.removeprefix(codecs.BOM_UTF16_LE).removeprefix(codecs.BOM_UTF16_BE) for line in seen.bad_lines]
    bad_lines = [line for line in lines if not _is_utf8(line)]
    legacy = likely_encoding(b"\n".join(bad_lines)) if bad_lines else None
    return legacy if legacy is None or is_single_byte(legacy) else None


def _reading_as(legacy: str) -> str:
    """The handler of codec errors that takes bytes which are not UTF-8 for characters in `legacy`."""

    def as_legacy(err: UnicodeError) -> tuple[str, int]:
        if not isinstance(err, UnicodeDecodeError):
            raise err
        return err.object[err.start : err.end].decode(legacy, "replace"), err.end

    codecs.register_error(f"as-{legacy}", as_legacy)
    return f"as-{legacy}"


def _title(legacy: str) -> str:
    return legacy.replace("cp125", "Windows-125")


def _by_statistics(sample: bytes) -> str | None:
    for threshold in (0.2, 0.5):
        best = charset_normalizer.from_bytes(sample, cp_isolation=_LEGACY, threshold=threshold).best()
        if best:
            return best.encoding
    return None
