"""Parquet files, of which only what is wanted is read."""

import json
import random
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import polars as pl

from playground import settings
from playground.data.cells import plain_value
from playground.data.gathering import MAX_SAMPLE_CHARS, SEED
from playground.data.table import Entry, Reading
from playground.data.unpacking import first_bytes
from playground.errors import DataError
from playground.types import Row

_NUM_WEIGHED = 1000
_ROWS_AT_ONCE = 20_000
_INDEX = "__row__"
_PARQUET_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def is_parquet(path: Path) -> bool:
    return first_bytes(path, 4) == b"PAR1"


def read_parquet(path: Path, *, name: str, is_sampled: bool) -> Reading:
    """The rows, with the names of Hugging Face class labels instead of their numbers.

    Args:
        is_sampled: only a random sample of a file of more rows than memory should hold.

    Raises:
        DataError: damaged, incomplete or without rows.
    """
    try:
        lazy = pl.scan_parquet(path)
        metadata = pl.read_parquet_metadata(path)
        columns = lazy.collect_schema().names()
        num_rows = int(lazy.select(pl.len()).collect().item())
        places = _drawn(num_rows, _affordable(lazy)) if is_sampled else range(num_rows)
        entries = _parquet_rows(lazy, places, _class_names(metadata.get("huggingface")))
        first = list(islice(entries, 1))
    except _PARQUET_ERRORS as err:
        raise DataError(f"{name} is a damaged or incomplete Parquet file; write it again.") from err
    if not num_rows:
        raise DataError(f"{name} has columns ({', '.join(columns)}) but no rows; add at least one row.")
    return Reading("parquet", chain(first, entries), columns, [], num_rows if is_sampled else None)


def _affordable(lazy: pl.LazyFrame) -> int:
    """How many rows may be held, by the size of the first ones."""
    head = lazy.head(_NUM_WEIGHED).collect()
    row_chars = max(head.estimated_size() / max(head.height, 1), 1)
    return max(min(settings.MAX_SAMPLE_ROWS, int(MAX_SAMPLE_CHARS / row_chars)), 1)


def _drawn(num_rows: int, num_wanted: int) -> Sequence[int]:
    """Numbers of the rows to read, from 0: all, or a random sample of the whole file."""
    if num_rows <= num_wanted:
        return range(num_rows)
    return sorted(random.Random(SEED).sample(range(num_rows), num_wanted))


def _parquet_rows(lazy: pl.LazyFrame, places: Sequence[int], names: dict[str, list[str]]) -> Iterator[Entry]:
    """Rows a part of the file at a time, so that only one part is held beside what is made of it."""
    for start in range(0, len(places), _ROWS_AT_ONCE):
        wanted = places[start : start + _ROWS_AT_ONCE]
        first, length = wanted[0], wanted[-1] - wanted[0] + 1
        part = lazy.slice(first, length)
        if length > len(wanted):
            inside = pl.Series([place - first for place in wanted], dtype=pl.UInt32)
            part = part.with_row_index(_INDEX).filter(pl.col(_INDEX).is_in(inside.implode())).drop(_INDEX)
        rows = part.collect(engine="streaming").iter_rows(named=True)
        for place, row in zip(wanted, rows, strict=True):
            yield place + 1, _plain_row(row, names)


def _class_names(metadata: str | None) -> dict[str, list[str]]:
    """Label names by column from what the ``datasets`` library writes into Parquet files."""
    try:
        features = json.loads(metadata or "{}")["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    names = {}
    for column, feature in features.items() if isinstance(features, dict) else ():
        for kind in _kinds(feature):
            if isinstance(kind, dict) and isinstance(kind.get("names"), list):
                names[column] = [str(label) for label in kind["names"]]
    return names


def _kinds(feature: Any) -> Iterator[Any]:
    """`feature` and what it is a list of, in each way in which ``datasets`` has written lists."""
    yield feature
    if isinstance(feature, list) and feature:
        yield feature[0]
    elif isinstance(feature, dict):
        yield feature.get("feature")


def _plain_row(row: Row, names: dict[str, list[str]]) -> Row:
    return {
        key: _named(plain_value(value), names[key]) if key in names else plain_value(value)
        for key, value in row.items()
    }


def _named(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        return [_named(inner, names) for inner in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else value
