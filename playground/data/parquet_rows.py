"""Rows of a Parquet file as JSON on the standard output: ``python -m playground.data.parquet_rows FILE sample|all``."""

import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from playground import settings
from playground.data.cells import plain_value
from playground.data.gathering import MAX_SAMPLE_CHARS, SEED
from playground.types import Row

_NUM_WEIGHED = 1000
_ROWS_AT_ONCE = 20_000
_INDEX = "__row__"


def print_rows(path: Path, *, is_sampled: bool) -> None:
    """Prints the columns and the number of rows, then each row behind its place, as JSON a line each."""
    lazy = pl.scan_parquet(path)
    columns = lazy.collect_schema().names()
    num_rows = int(lazy.select(pl.len()).collect().item())
    _print({"columns": columns, "num_rows": num_rows})
    places = _drawn(num_rows, _affordable(lazy)) if is_sampled else range(num_rows)
    names = _class_names(pl.read_parquet_metadata(path).get("huggingface"))
    for place, row in _numbered_rows(lazy, places):
        _print([place, _plain_row(row, names)])


def _print(value: Any) -> None:
    sys.stdout.write(json.dumps(value, default=str) + "\n")


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


def _numbered_rows(lazy: pl.LazyFrame, places: Sequence[int]) -> Iterator[tuple[int, Row]]:
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
            yield place + 1, row


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


if __name__ == "__main__":
    print_rows(Path(sys.argv[1]), is_sampled=sys.argv[2] == "sample")
