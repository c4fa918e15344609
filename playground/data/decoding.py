"""Bytes of uploaded files: size limits, gzip, what is not text at all, and text encodings."""

import codecs
import gzip
import io
import re
import zlib
from pathlib import Path

import charset_normalizer

from playground import settings
from playground.errors import DataError

MAX_UNPACKED_BYTES = 4 * settings.MAX_UPLOAD_BYTES

_SAMPLE_BYTES = 100_000
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZIP = b"PK\x03\x04"
_DOCUMENT = "a Word or OpenDocument file; save it as XLSX, CSV or TXT"
_FOREIGN = (
    (b"%PDF", "a PDF; copy its text into a TXT or CSV file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"{\\rtf", "a Rich Text document; save it as plain text"),
    (b"\xd0\xcf\x11\xe0", "an old Excel (.xls), Word or password-protected file; save it as XLSX or CSV"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"SQLite format 3", "an SQLite database; export a table as CSV"),
    (b"ARROW1", "an Arrow file; save it as Parquet"),
    (b"\x89HDF", "an HDF5 file; export it as CSV or Parquet"),
    (b"\x93NUMPY", "a NumPy array; export it as CSV or Parquet"),
    (b"\x80\x04", "a Python pickle; export it as CSV, JSONL or Parquet"),
    (b"\x80\x05", "a Python pickle; export it as CSV, JSONL or Parquet"),
    (_ZIP, "a ZIP archive; unpack it first"),
)
# What spreadsheets and editors of the supported languages write when they don't write Unicode.
_LEGACY = "cp1252 cp1250 cp1251 cp1253 cp1254 cp1255 cp1256 cp874 cp932 gb18030 big5 cp949 euc_jp koi8_r".split()
_CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def file_bytes(path: Path) -> bytes:
    """The content of `path`, unpacked when it is gzip.

    Raises:
        DataError: missing, not a file, unreadable, empty, broken gzip, or above the size limits.
    """
    if not path.is_file():
        raise DataError(f"There is no file '{path}'; choose one that exists.")
    size_bytes = path.stat().st_size
    if size_bytes > settings.MAX_UPLOAD_BYTES:
        raise DataError(
            f"{path.name} has {_megabytes(size_bytes)}; the limit is {_megabytes(settings.MAX_UPLOAD_BYTES)}. "
            "Upload a part of it."
        )
    try:
        data = path.read_bytes()
    except OSError as err:
        raise DataError(f"{path.name} can't be read: {err.strerror}.") from err
    if data.startswith(b"\x1f\x8b"):
        data = _gunzip(data, path.name)
    if not data.strip(b" \t\r\n\0\xef\xbb\xbf\xff\xfe"):
        raise DataError(f"{path.name} is empty; upload a file with at least one row.")
    return data


def refuse_foreign(data: bytes, name: str) -> None:
    """Raises:
    DataError: `data` is a known format that holds no table, or bytes that are no text.
    """
    for magic, words in _FOREIGN:
        if data.startswith(magic):
            is_document = magic == _ZIP and (b"word/document" in data or b"opendocument" in data[:200])
            raise DataError(f"{name} is {_DOCUMENT if is_document else words}.")
    if _looks_binary(data):
        raise DataError(f"{name} is not a text file, nor Parquet or XLSX; upload CSV, TSV, JSONL, JSON, XLSX or TXT.")


def decode(data: bytes, name: str) -> tuple[str, list[str]]:
    """The text of `data` without byte order mark, and notes about an encoding that had to be found out.

    Raises:
        DataError: no encoding fits.
    """
    encoding = _unicode_encoding(data)
    if encoding:
        text = data.decode(encoding, "replace")
        notes = [] if encoding.startswith("utf-8") else [f"{name} is encoded as {encoding.upper()}."]
    else:
        text, notes = _decode_bytes(data, name)
    if "\ufffd" in text and encoding:
        notes.append(f"{name} has bytes that are not valid {encoding.upper()}; they are shown as \ufffd.")
    if "\0" in text:
        notes.append(f"{name} has NUL characters; they were removed.")
    return text.lstrip("\ufeff").replace("\0", ""), notes


def _gunzip(data: bytes, name: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            unpacked = stream.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as err:
        raise DataError(f"{name} is a damaged or incomplete gzip file ({err}); pack it again.") from err
    if len(unpacked) > MAX_UNPACKED_BYTES:
        raise DataError(f"{name} unpacks to more than {_megabytes(MAX_UNPACKED_BYTES)}; upload a part of it.")
    return unpacked


def _looks_binary(data: bytes) -> bool:
    if _unicode_encoding(data):
        return False
    sample = data[:_SAMPLE_BYTES]
    return len(_CONTROL_BYTES.findall(sample)) > 0.02 * len(sample)


def _unicode_encoding(data: bytes) -> str | None:
    """The encoding said by a byte order mark, or UTF-16 without one seen by where its zero bytes are."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return encoding
    even, odd = data[:4096:2], data[1:4096:2]
    for zeros, others, encoding in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros.count(0) > 0.4 * len(zeros) and others.count(0) < 0.05 * len(others):
            return encoding
    return None


def _decode_bytes(data: bytes, name: str) -> tuple[str, list[str]]:
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
    num_bad = text.count("\ufffd")
    num_good = sum(len(run) for run in re.findall("[^\x00-\x7f\ufffd]+", text))
    # A stray byte in a long text that is UTF-8 otherwise; legacy encodings hardly ever give valid sequences.
    if num_bad * 10 < num_good:
        return text, [f"{name} has {num_bad} bytes that are not valid UTF-8; they are shown as \ufffd."]
    encoding = _legacy_encoding(data)
    if encoding is None:
        raise DataError(f"The encoding of {name} can't be recognised; save it as UTF-8 and upload it again.")
    text = data.decode(encoding, "replace")
    return text, [f"{name} is not UTF-8; it was read as {encoding.replace('cp125', 'Windows-125')}."]


def _legacy_encoding(data: bytes) -> str | None:
    """The likeliest legacy encoding, judged by the lines that are not plain ASCII."""
    sample = b"\n".join(line for line in data.splitlines() if not line.isascii())[:_SAMPLE_BYTES]
    for threshold in (0.2, 0.5):
        matches = charset_normalizer.from_bytes(sample, cp_isolation=_LEGACY, threshold=threshold)
        if matches:
            return _likeliest({match.encoding: (match.chaos, match.coherence) for match in matches}, sample)
    return None


def _likeliest(found: dict[str, tuple[float, float]], sample: bytes) -> str:
    """The best of the encodings `found`, with their chaos and coherence from 0 to 1; close calls by knowledge."""
    scores = {encoding: coherence - chaos for encoding, (chaos, coherence) in found.items()}
    best = max(scores, key=lambda encoding: scores[encoding])
    if found[best][0] > 0.1 and _decodes(sample, "gb18030"):
        # Short Chinese texts look like untidy text in single-byte encodings, and like nothing else in GB 18030.
        return "gb18030"
    # Windows-1252 is the commonest by far, but has no use for s and z with caron, which Central Europe is full of.
    if best in {"cp1250", "big5"} and not re.search(b"[\x9a\x9d\x9e]", sample):
        is_close = _decodes(sample, "cp1252") and scores.get("cp1252", -1.0) >= scores[best] - 0.03
        if is_close or sample.decode("cp1252", "replace") == sample.decode(best, "replace"):
            best = "cp1252"
    # Turkish letters sit where Windows-1252 has the Icelandic ones.
    if best == "cp1252" and re.search(b"[\xd0\xdd\xde\xf0\xfd\xfe]", sample):
        return "cp1254"
    return best


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1024 / 1024:.0f} MB"
