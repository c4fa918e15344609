"""Held-out rows that tell the truth: like the others, and never the same text twice."""

import json
import random
import unicodedata
from collections import defaultdict
from typing import Any

from playground.errors import DataError
from playground.types import Row

MIN_ROWS = 4
MAX_HELD_OUT = 500

_INPUT_FIELDS = {"qa": ("context",), "summarize": ("document",), "translate": ("source_text",), "instruct": ("prompt",)}

_Group = list[int]


def split(rows: list[Row], task: str, *, fraction: float = 0.1, seed: int = 0) -> tuple[list[Row], list[Row]]:
    """Training rows and held-out rows, both in their original order.

    Rows with the same input (case, white space and Unicode form aside), or with the same context in question
    answering, stay on one side, and each label gets its share. About `fraction` of the rows is held out, one at
    least and `MAX_HELD_OUT` at most; a single group above that limit is cut there and its rest is left out.

    Raises:
        DataError: fewer than `MIN_ROWS` rows, or all with the same input.
    """
    if len(rows) < MIN_ROWS:
        raise DataError(f"There are {len(rows)} usable rows; at least {MIN_ROWS} are needed to train and to check.")
    groups: dict[str, _Group] = defaultdict(list)
    for i, row in enumerate(rows):
        groups[_input_key(row, task)].append(i)
    if len(groups) < 2:
        raise DataError(f"All {len(rows)} rows have the same input; add rows with other texts.")
    target = min(MAX_HELD_OUT, max(1, round(len(rows) * fraction)))
    strata: dict[str, list[_Group]] = defaultdict(list)
    for group in groups.values():
        strata[str(rows[group[0]].get("label", ""))].append(group)
    chosen = _choose(list(strata.values()), target, random.Random(seed))
    held_out = {i for group in chosen for i in group}
    kept = sorted(held_out)[:MAX_HELD_OUT]
    return [row for i, row in enumerate(rows) if i not in held_out], [rows[i] for i in kept]


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
