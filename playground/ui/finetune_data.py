"""An uploaded table as the trainer will see it: its task and columns, the usable rows, and those set aside."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from playground.adapters.record import AdapterRecord
from playground.data.batch import write_rows
from playground.data.columns import ColumnMap, known_fields, missing_fields, propose, required_fields
from playground.data.reading import COMPRESSED, SUFFIXES, read_table
from playground.data.rows import map_table
from playground.data.splits import MIN_ROWS
from playground.data.table import Rejected, Table
from playground.errors import DataError, InputError
from playground.tasks import get_task
from playground.training.features import head_labels
from playground.training.learnt_rows import settings_of
from playground.types import Row
from playground.ui import languages, render

FIELD_TITLES = {
    "text": "Text",
    "label": "Label",
    "entities": "Entities",
    "tokens": "Words",
    "tags": "Tag of each word",
    "context": "Text",
    "question": "Question",
    "answers": "Answer",
    "answer_start": "Where the answer begins",
    "document": "Text",
    "summary": "Summary",
    "source_text": "Text",
    "target_text": "Translation",
    "source_lang": "Language of the text",
    "target_lang": "Language of the translation",
    "prompt": "Prompt",
    "completion": "Completion",
    "messages": "Conversation",
    "prompt_input": "More of the prompt",
}
FILE_TYPES = [*SUFFIXES, *COMPRESSED]
NUM_COLUMNS = 4
"""Columns that any task may want at most."""
NOT_THERE = ""
NUM_PREVIEW_ROWS = 5
NUM_LABELS_SHOWN = 12


@dataclass(frozen=True)
class Inspection:
    table: Table
    mapping: ColumnMap
    rows: list[Row]
    rejected: list[Rejected]
    problem: str
    """Why nothing can be learnt from these rows yet; empty when something can."""
    lines: list[int] = field(default_factory=list)
    """Line of each row in the file."""
    fields: dict[str, str] = field(default_factory=dict)
    """Where rows keep the value of each column."""
    remarks: list[str] = field(default_factory=list)
    """On single rows that were repaired."""
    on_all: list[str] = field(default_factory=list)
    """On how all of them were read."""
    known_labels: tuple[str, ...] = ()
    """Of the adapter that the training is to go on from."""


def inspect(path: Path, task: str | None = None, columns: dict[str, str] | None = None) -> Inspection:
    """What training would find in the file.

    Args:
        path: the upload.
        task: None leaves the choice to what the file looks like.
        columns: column by row field; None: recognised.

    Raises:
        DataError: it can't be read as a table.
    """
    table = _table(check_suffix(path))
    mapping = propose(table, task) if task is None or columns is None else ColumnMap(task, columns)
    try:
        found = map_table(table, mapping)
    except DataError as err:
        return Inspection(table, mapping, [], [], _without_columns(table, mapping) or str(err))
    problem = _problem(table, mapping.task, found.rows, found.rejected, None)
    remarks = found.notes[len(table.notes) + len(found.on_all) :]
    return Inspection(
        table, mapping, found.rows, found.rejected, problem, found.lines, found.fields, remarks, found.on_all
    )


def _without_columns(table: Table, mapping: ColumnMap) -> str:
    """What the form still has to be told; empty when each field has its column."""
    fields = missing_fields(mapping.task, mapping.columns)
    if not fields:
        return ""
    named = " and for ".join(f"“{FIELD_TITLES[field]}”" for field in fields)
    hint = " (or the language)" if fields[-1].endswith("_lang") else ""
    return f"Choose the column for {named}{hint}. {table.name} has the columns {', '.join(table.columns)}."


@lru_cache(maxsize=2)
def _table(path: Path) -> Table:
    """Kept, since every correction of a column looks at it again; an upload's path changes with its content."""
    return read_table(path)


def check_suffix(path: Path) -> Path:
    """`path` if files of this kind can be read.

    Raises:
        DataError: they can't.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in COMPRESSED]
    if not suffixes or suffixes[-1] not in SUFFIXES:
        raise DataError(
            f"{path.name} is no table that can be read; use CSV, TSV, JSONL, JSON, Parquet, XLSX, TXT, CoNLL or ZIP."
        )
    return path


def going_on_from(found: Inspection, parent: AdapterRecord | None) -> Inspection:
    """`found` with what stands in the way of a training that begins with `parent`, which knows labels and has rows."""
    problem = _problem(found.table, found.mapping.task, found.rows, found.rejected, parent)
    return replace(found, problem=problem, known_labels=tuple(parent.labels) if parent else ())


def _problem(table: Table, task: str, rows: list[Row], rejected: list[Rejected], parent: AdapterRecord | None) -> str:
    # Whether old rows are still as they were takes a look at all of them, so it is asked only where it matters.
    fewest = 1 if len(rows) < MIN_ROWS and parent and settings_of(parent) else MIN_ROWS
    if len(rows) < fewest:
        why = f" The first reason: line {rejected[0].line}: {in_words(rejected[0].reason, task)}." if rejected else ""
        gone = f", because none of those that '{parent.name}' learnt from is here" if parent and fewest > 1 else ""
        needed = f"at least {fewest} are needed to learn and to measure{gone}"
        return f"{table.name} has {usable(rows)}; {needed}.{why}"
    try:
        head_labels(get_task(task), rows, parent.labels if parent else ())
    except DataError as err:
        return str(err)
    return ""


def column_choices(found: Inspection, field: str) -> list[tuple[str, str]]:
    """(shown, value) pairs for one row field."""
    pairs = [(column, column) for column in found.table.columns]
    if field.endswith("_lang"):
        chosen = found.mapping.columns.get(field, "")
        pairs += [(f"Always {title}", f"={code}") for title, code in languages.choices()]
        if chosen.startswith("=") and chosen not in {value for _, value in pairs}:
            pairs.append((f"Always {chosen[1:]}", chosen))
    return [*pairs, ("Not in the file", NOT_THERE)]


def fields_of(task: str) -> tuple[str, ...]:
    return known_fields(task)[:NUM_COLUMNS]


def reasons(found: Inspection) -> str:
    titles = {field: f"“{title}”" for field, title in FIELD_TITLES.items()}
    # The columns of CoNLL have no names that the person would know.
    is_nameless = found.table.format == "conll"
    why = found.mapping.remarks if is_nameless else found.mapping.reasons_with(titles)
    sentences = [f"This looks like rows for “{get_task(found.mapping.task).title}”.", *why]
    return render.info(" ".join(sentences)) + "".join(render.hint(note) for note in found.table.notes)


def preview(found: Inspection) -> str:
    """Counts, the first rows as they will be learnt from, and the first that were set aside, with their lines."""
    parts = [render.problem(found.problem)] if found.problem else []
    parts += map(render.hint, found.on_all)
    counts = f"{usable(found.rows)}, {len(found.rejected):,} set aside"
    parts.append(f'<p class="pg-lead">{counts}{_labels(found)}</p>')
    if found.rows:
        fields = required_fields(found.mapping.task)
        shown = [[cell(row, field) for field in fields] for row in found.rows[:NUM_PREVIEW_ROWS]]
        parts.append(render.table([FIELD_TITLES[field] for field in fields], shown))
    if found.remarks:
        remarks = "".join(f"<li>{render.said(remark)}</li>" for remark in found.remarks)
        parts.append(f"<details><summary>Repaired or noted in single rows</summary><ul>{remarks}</ul></details>")
    if found.rejected:
        aside = [
            (str(one.line), in_words(one.reason, found.mapping.task), one.raw)
            for one in found.rejected[:NUM_PREVIEW_ROWS]
        ]
        more = len(found.rejected) - len(aside)
        parts.append(render.table(("Line", "Set aside because", "It begins"), aside))
        parts.append(f'<p class="pg-lead">and {more:,} more</p>' if more else "")
    return "".join(parts)


def in_words(reason: str, task: str) -> str:
    """Why a row was set aside, with the field that the reason begins with called as in the form."""
    named = re.match(rf"(?:The )?({'|'.join(known_fields(task))})\b", reason)
    return f"“{FIELD_TITLES[named[1]]}”{reason[named.end() :]}" if named else reason


def usable(rows: Sequence[Row]) -> str:
    """How many they are, in words."""
    return f"{len(rows):,} usable {'row' if len(rows) == 1 else 'rows'}"


def _labels(found: Inspection) -> str:
    if "label" not in required_fields(found.mapping.task) or not found.rows:
        return ""
    counts = Counter(row["label"] for row in found.rows).most_common()
    shown = " · ".join(f"<bdi>{escape(label)}</bdi> {count:,}" for label, count in counts[:NUM_LABELS_SHOWN])
    more = f" and {len(counts) - NUM_LABELS_SHOWN} more" if len(counts) > NUM_LABELS_SHOWN else ""
    return f". Labels: {shown}{more}"


def cell(row: Row, field: str) -> str:
    """One field of a usable row in a few words."""
    value: Any = row.get(field)
    if field == "entities":
        named = [f"{row['text'][entity['start'] : entity['end']]} ({entity['label']})" for entity in value]
        return ", ".join(named) or "none"
    if field == "answers":
        return " / ".join(answer["text"] for answer in value) or "no answer"
    if value is None and row.get("messages"):
        *before, last = (message["content"] for message in row["messages"] if message["role"] != "system")
        return last if field == "completion" else "\n".join(before)
    return str(value)


def write_rejected(found: Inspection, folder: Path) -> Path:
    """JSON Lines with line number, reason and beginning of every row that was set aside."""
    path = folder / f"{found.table.name.partition('.')[0]}-set-aside.jsonl"
    write_rows(path, [asdict(one) for one in found.rejected], "jsonl")
    return path


def write_pasted(text: str, folder: Path) -> Path:
    """Pasted rows as a file with the suffix that their beginning suggests.

    Raises:
        InputError: nothing was pasted.
    """
    if not text.strip():
        raise InputError("No rows were pasted; paste some lines, the first one with the names of the columns.")
    path = folder / ("pasted-rows.jsonl" if text.lstrip()[0] in "{[" else "pasted-rows.csv")
    path.write_text(text, encoding="utf-8", errors="replace")
    return path


def valid_name(file_name: str, task: str) -> str:
    """A name for the adapter after the file's: ``My Reviews.csv`` gives ``my-reviews``."""
    plain = unicodedata.normalize("NFKD", file_name.partition(".")[0]).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    return slug if slug and slug != "none" else f"my-{task}"


def chosen_columns(task: str, values: Sequence[str | None]) -> dict[str, str]:
    """Column by row field from the values of the dropdowns, which are in the order of `fields_of`."""
    return {field: value for field, value in zip(fields_of(task), values, strict=False) if value}
