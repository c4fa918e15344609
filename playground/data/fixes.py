"""What can be done about what `playground.data.doctor` finds: switches by name. Rows are copied, never changed."""

import random
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from playground.data.masking import mask_row
from playground.data.pii import KINDS, find_details
from playground.data.repeats import conflicts, exact_duplicates, near_duplicates, read_rows
from playground.errors import InputError
from playground.types import Row

EXACT, NEAR_ONES, CONFLICTS = "drop-exact-duplicates", "drop-near-duplicates", "drop-conflicts"
MASK_ALL, NAMES, BALANCE = "mask-pii", "mask-names", "balance-labels"
LOWER = "lower-case-labels"
MASKS = {f"mask-{kind}": kind for kind in KINDS}
MAX_REPEATS = 4
"""How often a row of a rare label is learnt from at most when labels are balanced."""

FIXES: dict[str, str] = {
    MASK_ALL: "Mask all personal details but names",
    **{name: f"Mask each {KINDS[kind]} as [{kind.upper()}]" for name, kind in MASKS.items()},
    LOWER: "Write all labels in small letters",
    EXACT: "Drop exact duplicates, keep the first",
    CONFLICTS: "Drop rows that contradict each other, all of them",
    NEAR_ONES: "Drop near duplicates, keep the first",
    NAMES: "Mask each name of a person as [NAME]",
    BALANCE: f"Repeat rows of rare labels, up to {MAX_REPEATS} times",
}
"""What each fix does, by its name; they are done in this order."""


@dataclass(frozen=True)
class Fixed:
    rows: list[Row]
    places: list[int]
    """Where each of the rows was before."""
    counts: dict[str, int]
    """Rows that each fix dropped or changed."""


def check_fixes(fixes: Collection[str]) -> list[str]:
    """`fixes` without repeats, in the order in which they are done.

    Raises:
        InputError: there is no such fix.
    """
    unknown = [name for name in fixes if name not in FIXES]
    if unknown:
        raise InputError(f"There is no fix '{unknown[0]}'; there are {', '.join(FIXES)}.")
    return [name for name in FIXES if name in fixes]


def fix_rows(task: str, rows: Sequence[Row], fixes: Collection[str]) -> Fixed:
    """`rows` after `fixes`, as far as one look at a text is enough for them.

    Balancing, which is for the rows to learn from alone, is left to `balance_labels`; names, which take long to find,
    are left to `playground.data.names.mask_names`, for the rows that are used.

    Details are masked first, so that rows that differ in nothing else count as duplicates.

    Raises:
        InputError: there is no such fix.
    """
    kept = list(enumerate(rows))
    counts: dict[str, int] = {}
    for name in check_fixes(fixes):
        if kinds := _masked_kinds(name):
            masked = [mask_row(task, row, partial(find_details, kinds=kinds)) for _, row in kept]
            counts[name] = sum(new is not old for new, (_, old) in zip(masked, kept, strict=True))
            kept = [(place, row) for row, (place, _) in zip(masked, kept, strict=True)]
        elif name == LOWER:
            lower = [_with_lower_label(row) for _, row in kept]
            counts[name] = sum(new is not old for new, (_, old) in zip(lower, kept, strict=True))
            kept = [(place, row) for row, (place, _) in zip(lower, kept, strict=True)]
        elif name not in (NAMES, BALANCE):
            unwanted = _unwanted(task, [row for _, row in kept], name)
            counts[name] = len(unwanted)
            kept = [pair for i, pair in enumerate(kept) if i not in unwanted]
    return Fixed([row for _, row in kept], [place for place, _ in kept], counts)


def keeping_all(fixes: Collection[str]) -> list[str]:
    """Those of `fixes` that change rows and drop none; rows to measure on get them too."""
    return [name for name in fixes if name == LOWER or _masked_kinds(name)]


def _with_lower_label(row: Row) -> Row:
    label = row.get("label")
    return row if not isinstance(label, str) or label == label.lower() else {**row, "label": label.lower()}


def _masked_kinds(fix: str) -> list[str]:
    return list(KINDS) if fix == MASK_ALL else [MASKS[fix]] if fix in MASKS else []


def balance_labels(rows: Sequence[Row], seed: int) -> list[Row]:
    """`rows` with those of rarer labels repeated until each label has as many as the commonest, or `MAX_REPEATS` times
    its own; entities and texts have no label and stay as they are.
    """
    by_label: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if isinstance(row.get("label"), str):
            by_label[row["label"]].append(row)
    most = max(map(len, by_label.values()), default=0)
    chance = random.Random(seed)
    added: list[Row] = []
    for label in sorted(by_label):
        own = by_label[label]
        missing = min(most, MAX_REPEATS * len(own)) - len(own)
        whole, rest = divmod(missing, len(own))
        added += own * whole + chance.sample(own, rest)
    return [*rows, *added]


def label_counts(rows: Sequence[Row]) -> Counter[str]:
    return Counter(str(row["label"]) for row in rows if row.get("label") is not None)


def _unwanted(task: str, rows: Sequence[Row], fix: str) -> set[int]:
    said = read_rows(task, rows)
    if fix == EXACT:
        return set(exact_duplicates(said))
    if fix == NEAR_ONES:
        return set(near_duplicates(task, said))
    return {row for group in conflicts(said) for row in group}
