"""Any uploaded file as a table: what it holds decides how it is read, not what it is called."""

from functools import partial
from pathlib import Path

from playground import settings
from playground.data.archives import read_archive
from playground.data.conll import looks_like_conll, read_conll
from playground.data.decoding import TextFile, open_text
from playground.data.delimited import looks_delimited, read_delimited
from playground.data.garbled import garbled_word, mended
from playground.data.gathering import gather
from playground.data.jsonrows import MAX_WHOLE_BYTES, is_whole, json_error, looks_like_jsonl, read_json, read_jsonl
from playground.data.onehot import with_label
from playground.data.parallel import is_memory, read_memory
from playground.data.parquet import is_parquet, read_parquet
from playground.data.plaintext import read_lines
from playground.data.spanrows import with_spans
from playground.data.table import Reading, Rejected, Table
from playground.data.text import excerpt
from playground.data.unpacking import check_size, decompressed, is_archive, is_workbook, megabytes, unpacked
from playground.data.wordrows import with_sentences
from playground.data.workbooks import read_xlsx
from playground.errors import DataError

__all__ = ["COMPRESSED", "SUFFIXES", "Rejected", "Table", "read_table"]

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".txt": "txt",
    ".text": "txt",
    ".conll": "conll",
    ".conllu": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".bio": "conll",
    ".bioes": "conll",
    ".bmes": "conll",
    ".tmx": "tmx",
    ".xliff": "xliff",
    ".xlf": "xliff",
    ".spacy": "spacy",
    ".zip": "zip",
}
"""Format that a file name promises, by its suffix (before ``.gz``)."""
COMPRESSED = (".gz", ".bz2", ".xz")
"""What may follow that suffix."""

_ALSO_FINE = {("csv", "tsv"), ("tsv", "csv"), ("txt", "conll"), ("tsv", "conll"), ("json", "jsonl"), ("jsonl", "json")}
_NUM_REASONS = 3
_NUM_LOOKED_AT = 300


def read_table(path: Path, *, max_rows: int | None = None, is_sampled: bool = True) -> Table:
    """The rows of CSV, TSV, JSONL, JSON, Parquet, XLSX, TXT, CoNLL or TMX, in any common encoding, packed or not.

    Args:
        max_rows: read no more rows than this; ``settings.MAX_ROWS`` if None.
        is_sampled: a file of more rows than memory should hold gives a random sample of them; False gives its first
            `max_rows` rows whatever they take.

    Raises:
        DataError: no such file, too large, empty, only a header, no table at all, or no line that can be used.
    """
    path = Path(path)
    name = path.name
    check_size(path)
    limit = settings.MAX_ROWS if max_rows is None else max_rows

    def gathered(reading: Reading) -> Table:
        return gather(reading, name=name, max_rows=limit, is_sampled=is_sampled)

    with decompressed(path) as plain:
        if is_archive(plain):
            with unpacked(plain) as members:
                table = gathered(read_archive(members, partial(_read_file, is_sampled=is_sampled), name=name))
        else:
            table = gathered(_read_file(plain, name, is_sampled=is_sampled))
    if not table.rows:
        raise DataError(f"{name} has no row that can be used{_first_reasons(table)}.")
    promised = promised_format(path)
    if promised and promised not in ("zip", table.format) and (promised, table.format) not in _ALSO_FINE:
        table.notes.insert(0, f"{name} holds {table.format.upper()}, whatever its name says, and was read as that.")
    word = garbled_word(
        value for row in table.rows[:_NUM_LOOKED_AT] for value in row.values() if isinstance(value, str)
    )
    if word:
        table.notes.append(
            f"Texts of {name} look garbled, as '{excerpt(word, 40)}' for '{excerpt(mended(word), 40)}', from before "
            "they were put into this file; export them again as UTF-8 where they come from."
        )
    return with_label(table)


def promised_format(path: Path) -> str | None:
    """The format that the name of `path` promises; None: none that can be read."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def _read_file(path: Path, name: str, *, is_sampled: bool) -> Reading:
    """What is in `path`; it is called `name` where the person comes from."""
    if is_parquet(path):
        return read_parquet(path, name=name, is_sampled=is_sampled)
    if is_workbook(path):
        return with_spans(with_sentences(read_xlsx(path, name=name)))
    source = open_text(path, name)
    reading = _read_text(source, promised_format(Path(name)))
    # A reading adds to its notes while it is used, so that the list itself has to stay.
    reading.notes[:0] = source.notes
    return reading


def _read_text(source: TextFile, promised: str | None) -> Reading:
    name = source.name
    head = source.head_lines()
    start = source.head().lstrip()
    if start[:15].lower().startswith(("<!doctype html", "<html")):
        raise DataError(f"{name} is a web page; download the data itself, as CSV or JSON.")
    if start.startswith(("<?xml", "<tmx", "<xliff")):
        if is_memory(start):
            return read_memory(source.path, start, name=name)
        raise DataError(f"{name} is XML; convert it to CSV, JSONL or JSON.")
    if _may_be_json(start, promised):
        reading = _read_json_text(source, head, promised)
        if reading:
            return reading
    if looks_like_conll(head):
        return read_conll(head, source.lines())
    if promised == "conll":
        raise DataError(f"{name} has no IOB tags; each line needs a token, a tab and a tag such as O, B-PER or I-PER.")
    if promised in {"csv", "tsv"} or looks_delimited(head, needs_known_names=promised == "txt"):
        return with_spans(with_sentences(read_delimited(source.lines(), name=name)))
    if promised in {"json", "jsonl"}:
        raise DataError(f"{name} is not JSON: {json_error(start)}. Correct it, or save the data as CSV.")
    return read_lines(source.lines())


def _may_be_json(start: str, promised: str | None) -> bool:
    if promised in {"json", "jsonl"} or start.startswith(("{", "[", '"', "\x1e", "({", "[(")):
        return True
    beginning = start[:200].split("=", 1)
    return len(beginning) == 2 and beginning[1].lstrip()[:1] in ("[", "{") and len(beginning[0].split()) <= 3


def _read_json_text(source: TextFile, head: list[str], promised: str | None) -> Reading | None:
    """The reading when the file is JSON or JSON Lines, else None.

    Raises:
        DataError: it begins like JSON and is broken all over.
    """
    start = source.head().lstrip()
    is_quoted_csv = promised in {"csv", "tsv", "txt"} and start.startswith('"')
    if is_quoted_csv:
        return None
    filled = [line for line in head if line.strip()]
    # One object on one line of a JSON Lines file is one row, whatever lists it holds.
    is_lines = looks_like_jsonl(filled, is_promised=promised == "jsonl") and (len(filled) > 1 or promised == "jsonl")
    # A list or object over several lines may have strings and objects on lines of their own.
    goes_on = start.startswith("[") or (bool(filled) and filled[0].rstrip().endswith(("{", "[", ",", ":")))
    if is_lines and (not goes_on or is_whole(filled[0])):
        return read_jsonl(source.lines())
    reading = read_json(source) or (read_jsonl(source.lines()) if is_lines else None)
    if reading is None and _begins_json(start, promised):
        if source.path.stat().st_size > MAX_WHOLE_BYTES:
            raise DataError(
                f"{source.name} has more than {megabytes(MAX_WHOLE_BYTES)} and does not begin with a list of objects; "
                "write each row as an object on a line of its own (JSON Lines)."
            )
        raise DataError(f"{source.name} is not JSON: {json_error(start)}. Correct it there and upload it again.")
    return reading


def _begins_json(start: str, promised: str | None) -> bool:
    return start[:2] in {'{"', "[{"} or (promised in {"json", "jsonl"} and start[:1] in {"{", "["})


def _first_reasons(table: Table) -> str:
    reasons = [f"line {rejected.line} {rejected.reason}" for rejected in table.rejected[:_NUM_REASONS]]
    return ": " + "; ".join(reasons) if reasons else ""
