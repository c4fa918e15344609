"""Held-out rows that tell the truth: like the others, or other groups, or newer ones; never the same text twice."""

import json
import math
import random
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from playground.data.text import excerpt
from playground.data.times import read_times
from playground.errors import DataError, InputError
from playground.types import Row

MIN_ROWS = 4
MAX_HELD_OUT = 500

_INPUT_FIELDS = {"qa": ("context",), "summarize": ("document",), "translate": ("source_text",), "instruct": ("prompt",)}

SPLITS = {
    "stratified": "A random sample, with its share of each label",
    "group": "Whole groups of a column, such as all rows of one customer",
    "time": "The newest rows by a column of dates or numbers",
    "marked": "The rows that a column marks as test, or else as validation",
}
"""Which rows are held out, by the name of the split."""
NEEDS_COLUMN = frozenset({"group", "time", "marked"})
_TRAIN = frozenset("train training".split())
_TEST = frozenset("test testing eval evaluation heldout held-out held_out".split())
_VALIDATION = frozenset("validation valid val dev development".split())
_MARKS = (_TRAIN, _TEST, _VALIDATION)

_Group = list[int]


def check_split(how: str, column: str) -> None:
    """Raises InputError when there is no such split, or it lacks its column."""
    if how not in SPLITS:
        raise InputError(f"There is no split '{how}'; there are {', '.join(SPLITS)}.")
    if how in NEEDS_COLUMN and not column:
        raise InputError(f"The split '{how}' needs a column; name the one that says the {how} of each row.")


def split(
    rows: list[Row], task: str, *, how: str = "stratified", field: str = "", fraction: float = 0.1, seed: int = 0
) -> tuple[list[Row], list[Row]]:
    """Training rows and held-out rows, both in their original order.

    About `fraction` of the rows is held out, one at least and `MAX_HELD_OUT` at most; a single group above that limit
    is cut there and its rest is left out.

    Args:
        rows: usable ones.
        task: what they are for.
        how: a key of `SPLITS`. Stratified: rows with the same input (case, white space and Unicode form aside), or
            with the same context in question answering, stay on one side, and each label gets its share.
        field: where rows keep the group, the time or the mark.
        fraction: share of the rows that is held out.
        seed: decides, except by time.

    Raises:
        DataError: fewer than `MIN_ROWS` rows, all with the same input or of one group, or without times or marks.
    """
    if len(rows) < MIN_ROWS:
        raise DataError(f"There are {len(rows)} usable rows; at least {MIN_ROWS} are needed to train and to check.")
    target = min(MAX_HELD_OUT, max(1, round(len(rows) * fraction)))
    if how == "marked":
        return _marked(rows, field, random.Random(seed))
    if how == "time":
        held_out = _newest(rows, field, target)
    else:
        strata = _groups_of_column(rows, field) if how == "group" else _strata(rows, task)
        held_out = {i for group in _choose(strata, target, random.Random(seed)) for i in group}
    kept = sorted(held_out)[:MAX_HELD_OUT]
    return [row for i, row in enumerate(rows) if i not in held_out], [rows[i] for i in kept]


def marking_field(rows: list[Row], fields: Iterable[str]) -> str | None:
    """The one of `fields` that says of every row what it is for, such as train and test."""
    known = frozenset().union(*_MARKS)

    def is_marking(field: str) -> bool:
        marks: set[str] = set()
        for row in rows:
            mark = _mark(row, field)
            if mark not in known:
                return False
            marks.add(mark)
        return bool(marks & _TRAIN) and len(marks) > 1

    return next((field for field in fields if is_marking(field)), None)


def _mark(row: Row, field: str) -> str:
    value = row.get(field)
    return _normal(value) if isinstance(value, str) else ""


def _marked(rows: list[Row], field: str, rng: random.Random) -> tuple[list[Row], list[Row]]:
    """Rows marked for the training, and at most `MAX_HELD_OUT` of those for the test, or of those for validation."""
    training, test, validation = ([i for i, row in enumerate(rows) if _mark(row, field) in words] for words in _MARKS)
    held_out = test or validation
    if not training or not held_out:
        missing = "test or validation" if training else "train"
        marks = dict.fromkeys(_mark(row, field) for row in rows)
        there = ", ".join(f"'{excerpt(mark, 40)}'" for mark in [*marks][:5])
        raise DataError(f"'{field}' marks no row as {missing}; it has {there}. Choose another column or split.")
    chosen = sorted(rng.sample(held_out, min(len(held_out), MAX_HELD_OUT)))
    return [rows[i] for i in training], [rows[i] for i in chosen]


def marked_for_validation(rows: list[Row], field: str) -> list[Row]:
    """Rows that a column marks as validation, unless they are those that `split` measures on for want of a test."""
    has_test = any(_mark(row, field) in _TEST for row in rows)
    return [row for row in rows if has_test and _mark(row, field) in _VALIDATION]


def _strata(rows: list[Row], task: str) -> list[list[_Group]]:
    """Groups of rows with the same input, by label."""
    groups = _grouped(_input_key(row, task) for row in rows)
    if len(groups) < 2:
        raise DataError(f"All {len(rows)} rows have the same input; add rows with other texts.")
    strata: dict[str, list[_Group]] = defaultdict(list)
    for group in groups:
        strata[str(rows[group[0]].get("label", ""))].append(group)
    return list(strata.values())


def _groups_of_column(rows: list[Row], field: str) -> list[list[_Group]]:
    """All groups as one stratum; rows that name no group are one each."""
    named = (_normal(row.get(field)) if row.get(field) is not None else "" for row in rows)
    groups = _grouped(name or f"\0{i}" for i, name in enumerate(named))
    if len(groups) < 2:
        raise DataError(f"All {len(rows)} rows have the same '{field}'; choose a column with several groups.")
    return [groups]


def _grouped(keys: Iterable[str]) -> list[_Group]:
    groups: dict[str, _Group] = defaultdict(list)
    for i, key in enumerate(keys):
        groups[key].append(i)
    return list(groups.values())


def _newest(rows: list[Row], field: str, target: int) -> set[int]:
    """The newest rows, `target` of them and all that are as old as the oldest of these; rows without a time are old."""
    times = read_times([row.get(field) for row in rows])
    known = sorted(time for time in times if time is not None)
    if len(known) < len(rows) / 2:
        wrong = next(row.get(field) for row, time in zip(rows, times, strict=True) if time is None)
        raise DataError(
            f"Only {len(known)} of {len(rows)} rows have a date or number in '{field}'; the first other value is "
            f"'{excerpt(wrong, 40)}'. Choose another column."
        )
    since = known[-min(target, len(known))]
    if since == known[0]:
        since = next((time for time in known if time > since), math.inf)
    held_out = {i for i, time in enumerate(times) if time is not None and time >= since}
    if not held_out:
        raise DataError(f"All {len(known)} rows have the same '{field}'; choose a column with several times.")
    return held_out


def _choose(strata: list[list[_Group]], target: int, rng: random.Random) -> list[_Group]:
    """Groups with about `target` rows in all, the same share from each stratum, never all of a stratum."""
    num_rows = sum(len(group) for stratum in strata for group in stratum)
    chosen: list[_Group] = []
    left: list[_Group] = []
    for stratum in strata:
        rng.shuffle(stratum)
        quota = int(target * sum(map(len, stratum)) / num_rows)
        taken, others = _take(stratum[1:], quota)
        chosen += taken
        left += others
    # What rounding down left over goes to groups of any label.
    rng.shuffle(left)
    chosen += _take(left, target - sum(map(len, chosen)))[0]
    return chosen or [min((group for stratum in strata for group in stratum), key=len)]


def _take(groups: list[_Group], num_rows: int) -> tuple[list[_Group], list[_Group]]:
    """The first groups that fit into `num_rows`, and the others."""
    taken: list[_Group] = []
    others: list[_Group] = []
    for group in groups:
        fits = len(group) <= num_rows
        (taken if fits else others).append(group)
        num_rows -= len(group) * fits
    return taken, others


def _input_key(row: Row, task: str) -> str:
    if "messages" in row and task == "instruct":
        return _normal(json.dumps(row["messages"][:-1], ensure_ascii=False))
    fields = _INPUT_FIELDS.get(task, ("text",))
    return "\0".join(_normal(row.get(field, "")) for field in fields)


def _normal(value: Any) -> str:
    return " ".join(unicodedata.normalize("NFKC", str(value)).casefold().split())
