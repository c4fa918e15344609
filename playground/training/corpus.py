"""Rows to learn from: one file of any readable kind, or a folder (or ``*`` pattern) of JSON Lines files."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from playground.data.dialogue import as_instruction
from playground.data.rows import LoadedRows, load_training_rows
from playground.errors import DataError
from playground.types import Row


def load_corpus(path: Path, task: str, columns: dict[str, str], max_rows: int, seed: int) -> LoadedRows:
    """At most `max_rows` usable rows of `path`; of several files, each gives as equal a part as it can.

    Raises:
        DataError: there is no such file or no usable row.
    """
    return balanced(read_corpus(path, task, columns), max_rows, seed)


def read_corpus(path: Path, task: str, columns: dict[str, str], *, is_strict: bool = True) -> list[LoadedRows]:
    """All usable rows of `path`, a part a file. Raises DataError as `load_corpus` does.

    Args:
        path: file, folder or pattern.
        task: what the rows are for.
        columns: column by row field, of a single file; what it lacks is recognised.
        is_strict: whether `columns` that the file does not have are a mistake.
    """
    if path.is_file():
        return [load_training_rows(path, task, columns or None, is_strict=is_strict)]
    return [load_training_rows(file, task, None) for file in files_of(path)]


def files_of(path: Path) -> list[Path]:
    """The files that the rows in `path` come from: itself, or those in the folder or of the pattern.

    Raises:
        DataError: there is none.
    """
    if path.is_file():
        return [path]
    files = sorted(path.parent.glob(path.name) if "*" in path.name else path.glob("*.jsonl*"))
    if not files:
        raise DataError(f"'{path}' is neither a file nor a folder with .jsonl or .jsonl.gz files.")
    return files


def balanced(parts: list[LoadedRows], max_rows: int, seed: int) -> LoadedRows:
    """At most `max_rows` rows of the `parts`, as equal a share of each as it can give."""
    rows: list[Row] = []
    # Smallest files first: what they can't fill is shared out among the larger ones.
    for index, part in enumerate(sorted(parts, key=lambda part: len(part.rows))):
        rows += map(as_instruction, sample(part.rows, (max_rows - len(rows)) // (len(parts) - index), seed))
    rejected = [row for part in parts for row in part.rejected]
    return LoadedRows(rows, rejected, [note for part in parts for note in part.notes])


def thin(parts: list[LoadedRows], shares: Mapping[str, float], seed: int) -> list[LoadedRows]:
    """`parts` with only a share of the rows of each source named; a file that has none left is dropped."""
    chance = random.Random(seed)
    return keep(parts, lambda row: chance.random() < shares.get(str(row.get("source")), 1.0))


def keep(parts: list[LoadedRows], is_wanted: Callable[[Row], bool]) -> list[LoadedRows]:
    """`parts` with the wanted rows only; a file that has none is dropped."""
    kept = [replace(part, rows=[row for row in part.rows if is_wanted(row)]) for part in parts]
    return [part for part in kept if part.rows]


def sample(rows: list[Row], size: int, seed: int) -> list[Row]:
    """`size` of `rows` in their order, or all when there are fewer."""
    if len(rows) <= size:
        return rows
    chosen = random.Random(seed).sample(range(len(rows)), size)
    return [rows[index] for index in sorted(chosen)]
