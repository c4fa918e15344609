"""Parquet files, decoded in a process of its own.

The decoder asks for whatever memory a damaged file claims to need, and ends its process where there is not so much.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from playground import settings
from playground.data.jsonrows import with_paths
from playground.data.table import Entry, Reading
from playground.data.unpacking import first_bytes
from playground.errors import DataError


def is_parquet(path: Path) -> bool:
    return first_bytes(path, 4) == b"PAR1"


def read_parquet(path: Path, *, name: str, is_sampled: bool) -> Reading:
    """The rows, with the names of Hugging Face class labels instead of their numbers.

    Args:
        is_sampled: only a random sample of a file of more rows than memory should hold.

    Raises:
        DataError: damaged, incomplete or without rows; damage further down is only found while the rows are read.
    """
    lines = _decoded(path, name, "sample" if is_sampled else "all")
    head = json.loads(next(lines))
    entries: Iterator[Entry] = (tuple(json.loads(line)) for line in lines)
    first = list(islice(entries, 1))
    if not head["num_rows"]:
        raise DataError(f"{name} has columns ({', '.join(head['columns'])}) but no rows; add at least one row.")
    num_rows = head["num_rows"] if is_sampled else None
    reading = with_paths(Reading("parquet", chain(first, entries), None, [], num_rows))
    return reading if reading.notes else replace(reading, columns=head["columns"])


def _decoded(path: Path, name: str, how_many: str) -> Iterator[str]:
    """What `playground.data.parquet_rows` prints about the file."""
    command = [sys.executable, "-m", "playground.data.parquet_rows", str(path.resolve()), how_many]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=settings.REPOSITORY,
        encoding="utf-8",
    ) as child:
        try:
            yield from child.stdout or ()
            if child.wait() != 0:
                raise DataError(f"{name} is a damaged or incomplete Parquet file; write it again.")
        finally:
            child.kill()  # whoever wants no more rows does not wait for them
