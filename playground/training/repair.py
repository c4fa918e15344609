"""The fixes and the split that a person chose, carried out on the rows of a run."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from playground.data.dialogue import replies
from playground.data.duplicates import NEAR, find_leaks
from playground.data.fixes import BALANCE, balance_labels, fix_rows, keeping_all
from playground.data.rows import LoadedRows
from playground.data.splits import marked_for_validation, split
from playground.errors import DataError
from playground.training.config import RunConfig
from playground.training.corpus import read_corpus
from playground.types import Row


def read_repaired(path: Path, config: RunConfig) -> tuple[list[LoadedRows], Counter[str]]:
    """All usable rows of `path` after the fixes of the run, and how many rows each one dropped or changed."""
    return _repaired(read_corpus(path, config.task, config.columns), config.task, config.fixes)


def read_validation(config: RunConfig) -> list[LoadedRows]:
    """The person's own rows to measure on. They are changed like the others, but none is dropped."""
    columns = config.columns if Path(config.validation or "").is_file() else {}
    parts = read_corpus(Path(config.validation or ""), config.task, columns, is_strict=False)
    return _repaired(parts, config.task, keeping_all(config.fixes))[0]


def _repaired(parts: list[LoadedRows], task: str, fixes: Collection[str]) -> tuple[list[LoadedRows], Counter[str]]:
    if not fixes:
        return parts, Counter()
    owners = [part for part, loaded in enumerate(parts) for _ in loaded.rows]
    fixed = fix_rows(task, [row for part in parts for row in part.rows], fixes)
    rows: list[list[Row]] = [[] for _ in parts]
    for row, place in zip(fixed.rows, fixed.places, strict=True):
        rows[owners[place]].append(row)
    # Lines are only known of rows as they were read.
    kept = [replace(part, rows=mine, lines=[]) for part, mine in zip(parts, rows, strict=True) if mine]
    if not kept:
        raise DataError(f"No row is left after {' and '.join(fixes)}; leave one of them out.")
    return kept, Counter(fixed.counts)


def held_out_split(config: RunConfig, parts: list[LoadedRows], loaded: LoadedRows) -> tuple[list[Row], list[Row], int]:
    """Rows to learn from, rows held out, and how many of the former were dropped because they resemble a latter.

    Raises:
        DataError: the column of the split is not there, or the rows can't be split so.
    """
    field = _field_of(parts, config)
    training, held_out = split(loaded.rows, config.task, how=config.split, field=field, seed=config.seed)
    unseen, leaking = without_leaks(config.task, training, held_out)
    if not unseen:
        raise DataError(
            "Every row to learn from is or resembles a row to measure on; choose another split, or add other rows."
        )
    return unseen, held_out, leaking


def validation_rows(config: RunConfig, parts: list[LoadedRows], loaded: LoadedRows) -> list[Row]:
    """Those that the column of the split marks as validation, beside others for the test."""
    return marked_for_validation(loaded.rows, _field_of(parts, config)) if config.split == "marked" else []


def _field_of(parts: list[LoadedRows], config: RunConfig) -> str:
    """Where rows keep the column of the split."""
    column = config.split_column
    known = {name: place for part in parts for name, place in part.fields.items()}
    if column and column not in known:
        raise DataError(f"There is no column '{column}' to split by; the columns are {', '.join(known)}.")
    return known.get(column, "")


def without_leaks(task: str, rows: Sequence[Row], held_out: Sequence[Row]) -> tuple[list[Row], int]:
    """`rows` less those that are or resemble a row of `held_out`, and how many these are."""
    # Prompts may share a long instruction: there only the same one counts.
    threshold = 1.0 if task == "instruct" else NEAR
    # Of a conversation each reply is learnt, of one held out the last is measured.
    learnt = [(index, reply) for index, row in enumerate(rows) for reply in replies(row)]
    leaking = {learnt[leak.row][0] for leak in find_leaks(task, [row for _, row in learnt], held_out, threshold)}
    return [row for index, row in enumerate(rows) if index not in leaking], len(leaking)


def evened(config: RunConfig, rows: list[Row], seed: int) -> list[Row]:
    """`rows` to learn from, with those of rare labels repeated if that was chosen."""
    return balance_labels(rows, seed) if BALANCE in config.fixes else rows


def split_words(config: RunConfig) -> str:
    """What was held out, for the record: ``stratified, seed 0``, ``time by 'date', seed 0``, ``own file held.csv``."""
    if config.validation:
        return f"own file {Path(config.validation).name}"
    column = f" by '{config.split_column}'" if config.split_column else ""
    return f"{config.split}{column}, seed {config.seed}"
