"""Tables with a column for each label, in which 1 says that the row has it."""

from dataclasses import replace
from typing import Any

from playground.data.headers import role_score
from playground.data.table import Table
from playground.data.text import excerpt
from playground.types import Row

LABEL = "label"
_FLAGS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
_NUM_LOOKED_AT = 1000
_NUM_NAMED = 5


def with_label(table: Table) -> Table:
    """`table`, with a column `LABEL` of their names where each row has a single 1 among columns of 0 and 1.

    Where a row has several, a note says that only one of the columns can be learnt. With a column of labels nothing is
    done.
    """
    rows = table.rows[:_NUM_LOOKED_AT]
    flags = [name for name in table.columns if all(_flag(row.get(name)) is not None for row in rows)]
    if len(flags) < 2 or any(role_score(name, LABEL) == 3 for name in table.columns):
        return table
    labels = [_labels(row, flags) for row in rows]
    if any(len(found) > 1 for found in labels):
        table.notes.append(f"A row can have several of {_quoted(flags)}; an adapter learns one: choose its column.")
        return table
    if not all(labels) or len({found[0] for found in labels}) < 2:
        return table
    table.notes.append(f"Each row has one of {_quoted(flags)}; the column '{LABEL}' says which.")
    labelled = [row | {LABEL: found[0] if len(found := _labels(row, flags)) == 1 else None} for row in table.rows]
    return replace(table, columns=[*table.columns, LABEL], rows=labelled)


def _flag(value: Any) -> bool | None:
    return _FLAGS.get(str(value).strip().lower())


def _labels(row: Row, flags: list[str]) -> list[str]:
    return [name for name in flags if _flag(row.get(name))]


def _quoted(names: list[str]) -> str:
    more = f" and {len(names) - _NUM_NAMED:,} more" if len(names) > _NUM_NAMED else ""
    return ", ".join(f"'{excerpt(name, 40)}'" for name in names[:_NUM_NAMED]) + more
