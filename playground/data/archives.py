"""What the files of an archive hold together: tables, parallel texts, texts by folder, texts with brat's marks."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, islice, zip_longest
from pathlib import Path, PurePosixPath

from playground import settings
from playground.data.decoding import open_text
from playground.data.gathering import MAX_REJECTED
from playground.data.headers import language_of
from playground.data.table import Entry, Reading, Rejected
from playground.data.text import excerpt
from playground.data.unpacking import Member
from playground.errors import DataError

_IGNORED_NAMES = re.compile(
    r"(?:read|licen[cs]e|copying|citation|notice|authors|changelog|sources?\b|dataset_infos?)", re.IGNORECASE
)
_IGNORED_SUFFIXES = frozenset(
    (
        ".md .rst .html .htm .pdf .docx .png .jpg .jpeg .gif .svg "
        ".py .ipynb .sh .css .js .yaml .yml .toml .ini .log .lock"
    ).split()
)
_TEXT_SUFFIXES = frozenset({"", ".txt", ".text"})
_TRAINING = re.compile(r"(?:^|[^a-z])train", re.IGNORECASE)
_HELD_OUT = re.compile(r"(?:^|[^a-z])(?:test|dev|val|valid|validation|eval)(?:[^a-z]|$)", re.IGNORECASE)
_MIN_TEXTS = 4
_BRAT_SUFFIX = ".ann"
_BRAT_MARK = re.compile(r"(T\S*)\t(\S+) (\d+)(?: \d+;\d+)* (\d+)(?:\t|$)")

ReadFile = Callable[[Path, str], Reading]
"""Reads one file under the name it had."""


def read_archive(members: list[Member], read_file: ReadFile, *, name: str) -> Reading:
    """The rows of all files in an archive that belong together.

    Raises:
        DataError: none of them holds rows; the message says what is in it.
    """
    useful = [member for member in members if _is_useful(member)]
    if not useful:
        raise DataError(f"{name} holds no file with rows, but {_listed(members)}; put a CSV or JSONL file into it.")
    if any(PurePosixPath(member.name).suffix.lower() in (".zip", ".7z", ".rar", ".tar") for member in useful):
        raise DataError(f"{name} holds another archive; pack the files themselves.")
    notes: list[str] = []
    return (
        _brat(useful)
        or _texts_by_folder(useful)
        or _parallel(useful)
        or _tables(_for_training(useful, notes), read_file, name, notes)
    )


def _is_useful(member: Member) -> bool:
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.suffix.lower() in _IGNORED_SUFFIXES or _IGNORED_NAMES.match(path.name):
        return False
    return member.path.stat().st_size > 0 or path.suffix == _BRAT_SUFFIX


def _for_training(members: list[Member], notes: list[str]) -> list[Member]:
    """Only the files for training where others are named as made for testing."""
    training = [member for member in members if _TRAINING.search(member.name)]
    held_out = [member for member in members if _HELD_OUT.search(member.name) and member not in training]
    if not training or not held_out:
        return members
    notes.append(f"{_listed(training)} is used, {_listed(held_out)} is not.")
    return [member for member in members if member not in held_out]


def _tables(members: list[Member], read_file: ReadFile, name: str, notes: list[str]) -> Reading:
    """All tables that have the columns of the largest one, one after the other."""
    readings: list[tuple[Member, Reading]] = []
    problems: list[str] = []
    for member in members:
        try:
            readings.append((member, _with_columns(read_file(member.path, PurePosixPath(member.name).name))))
        except DataError as err:
            problems.append(str(err))
    if not readings:
        raise DataError(f"{name} holds no file with rows: {' '.join(problems[:3])}")
    sizes: Counter[frozenset[str]] = Counter()
    for member, reading in readings:
        sizes[_kind(reading)] += member.path.stat().st_size
    wanted = sizes.most_common(1)[0][0]
    used = [(member, reading) for member, reading in readings if _kind(reading) == wanted]
    skipped = [member for member, reading in readings if _kind(reading) != wanted]
    if skipped:
        notes.append(f"{_listed(skipped)} has other columns and is not used.")
    notes += [f"Not used: {problem}" for problem in problems[:5]]
    first = used[0][1]
    # A reading adds to its notes while it is used, so that the list itself has to stay.
    first.notes[:0] = notes
    if len(used) == 1:
        return first
    files = _listed([member for member, _ in used])
    first.notes.insert(0, f"Rows come from {len(used)} files of {name}, {files}; lines count through them.")
    return replace(first, entries=_chained([reading for _, reading in used]), num_rows=None)


def _kind(reading: Reading) -> frozenset[str]:
    return frozenset(reading.columns or ())


def _with_columns(reading: Reading) -> Reading:
    """`reading` with the columns of its first row where they only come with the rows."""
    if reading.columns is not None:
        return reading
    entries = iter(reading.entries)
    head: list[Entry] = []
    for entry in islice(entries, MAX_REJECTED):
        head.append(entry)
        if not isinstance(entry, Rejected):
            return replace(reading, entries=chain(head, entries), columns=list(entry[1]))
    return replace(reading, entries=chain(head, entries), columns=[])


def _chained(readings: list[Reading]) -> Iterator[Entry]:
    before = 0
    for reading in readings:
        last = 0
        for entry in reading.entries:
            line = entry.line if isinstance(entry, Rejected) else entry[0]
            last = max(last, line)
            if isinstance(entry, Rejected):
                yield Rejected(before + line, entry.reason, entry.raw)
            else:
                yield before + line, entry[1]
        before += last


def _texts_by_folder(members: list[Member]) -> Reading | None:
    """Rows of files with one text each, in folders that are named after their labels."""
    by_folder: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        path = PurePosixPath(member.name.replace("\\", "/"))
        if path.suffix.lower() in _TEXT_SUFFIXES and len(path.parts) > 1:
            by_folder[path.parent.name].append(member)
    folders = {label: files for label, files in by_folder.items() if len(files) > 1}
    texts = [(label, file) for label, files in folders.items() for file in files]
    if len(folders) < 2 or len(texts) < _MIN_TEXTS or len(texts) < 0.8 * len(members):
        return None
    notes = [f"Each file is a text and its folder the label: {', '.join(sorted(folders)[:12])}."]
    return Reading("txt", _texts(texts), ["text", "label", "file"], notes)


def _texts(texts: list[tuple[str, Member]]) -> Iterator[Entry]:
    for number, (label, member) in enumerate(texts, 1):
        try:
            text = open_text(member.path, member.name).read(settings.MAX_TEXT_CHARS).strip()
        except DataError as err:
            yield Rejected(number, str(err).removesuffix("."), member.name)
            continue
        yield number, {"text": text, "label": label, "file": member.name}


def _parallel(members: list[Member]) -> Reading | None:
    """Rows of two files of lines whose names differ in a language only, such as ``corpus.de`` and ``corpus.en``."""
    pairs = [(member, language_of(PurePosixPath(member.name).suffix.lstrip("."))) for member in members]
    pairs = pairs if all(lang for _, lang in pairs) else [(member, _language_in(member.name)) for member in members]
    spoken = [(member, lang) for member, lang in pairs if lang]
    if len(spoken) != 2 or spoken[0][1] == spoken[1][1] or len(members) != 2:
        return None
    (left, source), (right, target) = spoken
    if _without_language(left.name) != _without_language(right.name):
        return None
    columns = ["source_text", "target_text", "source_lang", "target_lang"]
    return Reading("txt", _pairs(left, right, str(source), str(target)), columns)


def _pairs(left: Member, right: Member, source: str, target: str) -> Iterator[Entry]:
    lines = zip_longest(open_text(left.path, left.name).lines(), open_text(right.path, right.name).lines())
    for number, (one, other) in enumerate(lines, 1):
        if one is None or other is None:
            yield Rejected(number, "is in one of the two files only", excerpt(one or other))
        elif one.strip() or other.strip():
            texts = {"source_text": one.strip(), "target_text": other.strip()}
            yield number, {**texts, "source_lang": source, "target_lang": target}


def _language_in(name: str) -> str | None:
    """The language that ends the stem of a name such as ``train.en.txt`` or ``text_de.txt``."""
    path = PurePosixPath(name)
    if path.suffix.lower() not in _TEXT_SUFFIXES:
        return None
    return language_of(re.split(r"[._-]", path.stem)[-1])


def _without_language(name: str) -> str:
    path = PurePosixPath(name)
    if language_of(path.suffix.lstrip(".")):
        return str(path.with_suffix(""))
    return "".join(re.split(r"([._-])", str(path.with_suffix("")))[:-1])


def _brat(members: list[Member]) -> Reading | None:
    """Rows of texts with the entities that brat keeps beside them (https://brat.nlplab.org/standoff.html)."""
    by_name = {member.name: member for member in members}
    pairs = [
        (by_name[text], member)
        for name, member in by_name.items()
        if name.endswith(_BRAT_SUFFIX) and (text := f"{name.removesuffix(_BRAT_SUFFIX)}.txt") in by_name
    ]
    return Reading("txt", _marked(pairs), ["text", "entities", "file"]) if pairs else None


def _marked(pairs: list[tuple[Member, Member]]) -> Iterator[Entry]:
    for number, (text, marks) in enumerate(pairs, 1):
        try:
            body = open_text(text.path, text.name).read(settings.MAX_TEXT_CHARS)
            # A text without any entity has an empty file of marks.
            lines = list(open_text(marks.path, marks.name).lines()) if marks.path.stat().st_size else []
        except DataError as err:
            yield Rejected(number, str(err).removesuffix("."), text.name)
            continue
        found = map(_BRAT_MARK.match, lines)
        entities = [{"start": int(m[3]), "end": int(m[4]), "label": m[2]} for m in found if m]
        yield number, {"text": body, "entities": entities, "file": text.name}


def _listed(members: list[Member]) -> str:
    names = [PurePosixPath(member.name).name for member in members]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (", ".join(names[:3]) or "nothing") + more
