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
from playground.data.table import Entry, Reading, Rejected, chained
from playground.data.text import excerpt
from playground.data.unpacking import Member
from playground.errors import DataError

_IGNORED_NAMES = re.compile(
    r"(?:read|licen[cs]e|copying|citation|notice|authors|changelog|sources\b|dataset_infos?)", re.IGNORECASE
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
_SIDE_NAMES = {"src": "source", "source": "source", "tgt": "target", "trg": "target", "target": "target"}
_SIDES = frozenset(_SIDE_NAMES.values())
_BRAT_SUFFIX = ".ann"
_BRAT_MARK = re.compile(r"(T\S*)\t(\S+) (\d+)(?: \d+;\d+)* (\d+)(?:\t|$)")

ReadFile = Callable[[Path, str], Reading]
"""Reads one file under the name it had."""


def read_archive(members: list[Member], read_file: ReadFile, *, name: str) -> Reading:
    """The rows of all files in an archive that belong together.

    Raises:
        DataError: none of them holds rows; the message says what is in it.
    """
    useful = [member for member in members if has_rows(member.name) and _is_filled(member)]
    if not useful:
        raise DataError(f"{name} holds no file with rows, but {_listed(members)}; put a CSV or JSONL file into it.")
    if any(PurePosixPath(member.name).suffix.lower() in (".zip", ".7z", ".rar", ".tar") for member in useful):
        raise DataError(f"{name} holds another archive; pack the files themselves.")
    notes: list[str] = []
    training = _for_training(useful, notes)
    found = _brat(training) or _texts_by_folder(training) or _parallel(training)
    if found:
        found.notes[:0] = notes
    return found or _tables(training, read_file, name, notes)


def has_rows(name: str) -> bool:
    """Whether a file of that name may hold rows, and does not only describe those of others."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.suffix.lower() not in _IGNORED_SUFFIXES and not _IGNORED_NAMES.match(path.name)


def _is_filled(member: Member) -> bool:
    return member.path.stat().st_size > 0 or member.name.endswith(_BRAT_SUFFIX)


def for_training(names: list[str]) -> list[str]:
    """Only the names of files for training where others are named as made for testing."""
    training = {name for name in names if _TRAINING.search(name)}
    held_out = {name for name in names if _HELD_OUT.search(name)} - training
    return [name for name in names if name not in held_out] if training else names


def _for_training(members: list[Member], notes: list[str]) -> list[Member]:
    """Only the files for training where others are named as made for testing."""
    names = set(for_training([member.name for member in members]))
    used = [member for member in members if member.name in names]
    if len(used) < len(members):
        held_out = [member for member in members if member.name not in names]
        training = [member for member in used if _TRAINING.search(member.name)]
        told = [_parts(training, _TRAINING), _parts(held_out, _HELD_OUT)]
        is_used, is_not = ("is" if len(parts) == 1 else "are" for parts in told)
        notes.append(f"{_shortened(told[0])} {is_used} used, {_shortened(told[1])} {is_not} not.")
    return used


def _parts(members: list[Member], pattern: re.Pattern[str]) -> list[str]:
    """The files or folders whose names have `pattern`, each once."""
    paths = (PurePosixPath(member.name.replace("\\", "/")) for member in members)
    return list(dict.fromkeys(next(part for part in path.parts if pattern.search(part)) for path in paths))


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
    return replace(first, entries=chained([reading for _, reading in used]), num_rows=None)


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
    """Rows of files of lines whose names differ in a language or a side only: ``corpus.de`` and ``corpus.en``."""
    for place in (_by_suffix, _by_stem, _by_folder):
        pairs: dict[str, dict[str, Member]] = defaultdict(dict)
        for member in members:
            stem, side = place(PurePosixPath(member.name.replace("\\", "/")))
            pairs[stem][side] = member
        sides = list(next(iter(pairs.values())))
        is_paired = len(sides) == 2 and all(set(pair) == set(sides) for pair in pairs.values())
        if is_paired and all(sides) and len(members) == 2 * len(pairs):
            source, target = sides if set(sides) != _SIDES else ("source", "target")
            columns = ["source_text", "target_text", *(["source_lang", "target_lang"] if set(sides) != _SIDES else [])]
            parts = [Reading("txt", _pairs(pair[source], pair[target], source, target)) for pair in pairs.values()]
            return Reading("txt", chained(parts), columns)
    return None


def _pairs(left: Member, right: Member, source: str, target: str) -> Iterator[Entry]:
    """Lines side by side; `source` and `target` are languages, or else the `_SIDES` themselves."""
    languages = {"source_lang": source, "target_lang": target} if {source, target} != _SIDES else {}
    lines = zip_longest(open_text(left.path, left.name).lines(), open_text(right.path, right.name).lines())
    for number, (one, other) in enumerate(lines, 1):
        if one is None or other is None:
            yield Rejected(number, "is in one of the two files only", excerpt(one or other))
        elif one.strip() or other.strip():
            yield number, {"source_text": one.strip(), "target_text": other.strip(), **languages}


def _by_suffix(path: PurePosixPath) -> tuple[str, str]:
    """What ``train.en`` and ``train.src`` have before their language or side, and that; "" where there is none."""
    return f"{path.parent}/{path.stem}", _side(path.suffix.lstrip("."))


def _by_stem(path: PurePosixPath) -> tuple[str, str]:
    """The same for ``train.en.txt``, ``text_de.txt`` and ``source.txt``."""
    *stem, last = re.split(r"([._-])", path.stem)
    side = _side(last) if path.suffix.lower() in _TEXT_SUFFIXES else ""
    return f"{path.parent}/{''.join(stem)}", side


def _by_folder(path: PurePosixPath) -> tuple[str, str]:
    """The same for ``de/corpus.txt``."""
    side = _side(path.parent.name) if path.suffix.lower() in _TEXT_SUFFIXES else ""
    return f"{path.parent.parent}/{path.name}", side


def _side(word: str) -> str:
    return _SIDE_NAMES.get(word.lower()) or language_of(word) or ""


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
    return _shortened([PurePosixPath(member.name).name for member in members])


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (", ".join(names[:3]) or "nothing") + more
