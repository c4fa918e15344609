"""Rows to learn from: one file of any readable kind, or a folder (or ``*`` pattern) of JSON Lines files."""

import random
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
    if path.is_file():
        whole = load_training_rows(path, task, columns or None)
        chosen = [as_instruction(row) for row in sample(whole.rows, max_rows, seed)]
        return LoadedRows(chosen, whole.rejected, whole.notes)
    files = sorted(path.parent.glob(path.name) if "*" in path.name else path.glob("*.jsonl*"))
    if not files:
        raise DataError(f"'{path}' is neither a file nor a folder with .jsonl or .jsonl.gz files.")
    parts = [load_training_rows(file, task, None) for file in files]
    rows: list[Row] = []
    # Smallest files first: what they can't fill is shared out among the larger ones.
    for index, part in enumerate(sorted(parts, key=lambda part: len(part.rows))):
        rows += map(as_instruction, sample(part.rows, (max_rows - len(rows)) // (len(parts) - index), seed))
    rejected = [row for part in parts for row in part.rejected]
    return LoadedRows(rows, rejected, [note for part in parts for note in part.notes])


def sample(rows: list[Row], size: int, seed: int) -> list[Row]:
    """`size` of `rows` in their order, or all when there are fewer."""
    if len(rows) <= size:
        return rows
    chosen = random.Random(seed).sample(range(len(rows)), size)
    return [rows[index] for index in sorted(chosen)]
