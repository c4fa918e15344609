"""Rows in the shape that training and evaluation need, and the reasons why others are not."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from playground.data.answers import qa_row
from playground.data.columns import ColumnMap, known_fields, missing_fields, propose, required_fields
from playground.data.dialogue import answered, conversation, is_said, unended
from playground.data.entities import from_inline, ner_row, offsets_in_bytes
from playground.data.headers import language_of
from playground.data.literals import as_literal
from playground.data.reading import read_table
from playground.data.table import Rejected, Table
from playground.data.text import as_written, clean_text, describe_type, excerpt
from playground.errors import DataError, InputError
from playground.types import Row

_LABEL_KEYS = ("name", "label", "value")
"""Where a label that is an object says what it is called."""
_MAX_LABEL_CHARS = 200
_NUM_NOTES = 20
_NUM_TRIED = 2000
"""Rows that tell what their offsets count."""
_IN_BYTES = (
    "The starts and ends of entities count bytes of UTF-8, not characters: as characters, many lie inside words or "
    "behind the text. They are read as bytes."
)
_NO_LABELS = frozenset({"nan", "null", "n/a", "#n/a", "<na>", "\\n"})
"""What programs write into empty cells."""
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")
"""What comes along when words are copied, and makes two labels of one."""
_WHOLE = re.compile(r"([+-]?\d+)[.,]0+")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")

_Checked = tuple[Row, list[str]]


@dataclass(frozen=True)
class LoadedRows:
    rows: list[Row]
    rejected: list[Rejected]
    notes: list[str]
    """Sentences about what was guessed or repaired, in the file and in single rows."""
    lines: list[int] = field(default_factory=list)
    """Line of each row in its file."""
    fields: dict[str, str] = field(default_factory=dict)
    """Where rows keep the value of each column of the file: the field that it fills, or its own or a free name."""
    on_all: list[str] = field(default_factory=list)
    """Those of the notes that say how all of the rows were read."""


def load_training_rows(
    path: Path, task: str, columns: dict[str, str] | None = None, *, is_strict: bool = True
) -> LoadedRows:
    """Rows of `task` from a file of any supported format.

    Args:
        columns: column by row field, as in `ColumnMap.columns`; what it lacks is guessed.
        is_strict: whether `columns` that the file does not have are a mistake; otherwise they are guessed too.

    Raises:
        DataError: the file can't be read, a field has no column, or no row is left.
        InputError: an unknown task.
    """
    table = read_table(path)
    there = {name: column for name, column in (columns or {}).items() if column in table.columns or column[:1] == "="}
    chosen = dict(columns or {}) if is_strict else there
    if missing_fields(task, chosen):
        chosen = {**propose(table, task).columns, **chosen}
    loaded = map_table(table, ColumnMap(task, chosen))
    if not loaded.rows:
        reasons = "; ".join(f"line {one.line}: {one.reason}" for one in loaded.rejected[:3])
        raise DataError(f"{table.name} has no row that can be used for {task}: {reasons}.")
    return loaded


def map_table(table: Table, mapping: ColumnMap) -> LoadedRows:
    """All of `table` in the shape of the task: rows with their lines, and those set aside.

    Raises:
        DataError: a required field has no column, or one that isn't there.
        InputError: an unknown task.
    """
    found = _examined(mapping.task, _mapped(table, mapping))
    rejected = sorted(table.rejected + found.rejected, key=lambda one: one.line)
    return replace(found, rejected=rejected, notes=table.notes + found.notes, fields=_places(table, mapping))


def _places(table: Table, mapping: ColumnMap) -> dict[str, str]:
    filled = {column: name for name, column in mapping.columns.items()}
    return {column: filled.get(column) or _free_name(column, mapping.task) for column in table.columns}


def validate_rows(task: str, rows: Iterable[tuple[int, Row]]) -> tuple[list[Row], list[Rejected]]:
    """The usable ones of `rows`, cleaned, and the others; each comes with its line number.

    Raises:
        InputError: an unknown task.
    """
    found = _examined(task, rows)
    return found.rows, found.rejected


def _examined(task: str, rows: Iterable[tuple[int, Row]]) -> LoadedRows:
    required_fields(task)
    rows = list(rows)
    check, on_all = _check(task, rows)
    good: list[Row] = []
    lines: list[int] = []
    rejected: list[Rejected] = []
    remarks: dict[str, list[int]] = {}
    for line, row in rows:
        try:
            if not isinstance(row, dict):
                raise DataError(f"is {describe_type(row)}, not an object with fields")
            checked, said = check(row)
        except InputError as err:
            rejected.append(Rejected(line, str(err).removesuffix("."), excerpt(row)))
            continue
        good.append(checked)
        lines.append(line)
        for remark in dict.fromkeys(said):
            remarks.setdefault(remark, []).append(line)
    return LoadedRows(good, rejected, on_all + _noted(remarks) + _id_notes(good), lines, on_all=on_all)


def _check(task: str, rows: Sequence[tuple[int, Row]]) -> tuple[Callable[[Row], _Checked], list[str]]:
    """What makes rows of `task` of such ones, and a note about all of them."""
    if task != "ner" or not offsets_in_bytes(row for _, row in rows[:_NUM_TRIED] if isinstance(row, dict)):
        return _CHECKS[task], []
    return partial(ner_row, in_bytes=True), [_IN_BYTES]


def _noted(remarks: dict[str, list[int]]) -> list[str]:
    """A sentence a remark, with the first of its lines and the number of the others."""
    notes = []
    for remark, lines in remarks.items():
        others = f" and {len(lines) - 1:,} more" if len(lines) > 1 else ""
        notes.append(f"Line {lines[0]}{others}: {remark}.")
    more = len(notes) - _NUM_NOTES
    return [*notes[:_NUM_NOTES], f"There are {more} more remarks of this kind."] if more > 0 else notes


def _id_notes(rows: list[Row]) -> list[str]:
    ids = Counter(str(row["id"]) for row in rows if row.get("id") not in (None, ""))
    repeated = [name for name, count in ids.items() if count > 1]
    if not repeated:
        return []
    return [f"{len(repeated)} ids occur more than once, such as '{excerpt(repeated[0], 40)}'; all rows are kept."]


def _mapped(table: Table, mapping: ColumnMap) -> list[tuple[int, Row]]:
    """Rows under the names of the fields; other columns are kept, out of the way of these names."""
    _check_columns(table, mapping)
    chosen = mapping.columns
    used = set(chosen.values())
    inline = chosen.get("entities") is not None and chosen.get("entities") == chosen.get("text")
    mapped = []
    for line, row in zip(table.lines, table.rows, strict=True):
        there = ((field, column) for field, column in chosen.items() if column in row or column.startswith("="))
        fields = {field: _cell(row, column, field, chosen) for field, column in there}
        if inline:
            fields["text"], fields["entities"] = from_inline(str(fields.get("text") or ""))
        extra = fields.pop("prompt_input", None)
        if extra and fields.get("prompt"):
            fields["prompt"] = f"{as_written(fields['prompt'])}\n\n{as_written(extra)}"
        others = {_free_name(name, mapping.task): value for name, value in row.items() if name not in used}
        mapped.append((line, {**fields, **others}))
    return mapped


def _check_columns(table: Table, mapping: ColumnMap) -> None:
    for name, column in mapping.columns.items():
        if name not in known_fields(mapping.task):
            raise DataError(f"{mapping.task} has no field '{name}'; it has {', '.join(known_fields(mapping.task))}.")
        if not column.startswith("=") and column not in table.columns:
            raise DataError(f"{table.name} has no column '{column}' for {name}; it has {', '.join(table.columns)}.")
    missing = missing_fields(mapping.task, mapping.columns)
    if missing:
        hint = " or a language code such as '=en'" if missing[0].endswith("_lang") else ""
        raise DataError(
            f"{mapping.task} needs {' and '.join(missing)}; say which column of {table.name} that is{hint}. "
            f"Its columns are {', '.join(table.columns)}."
        )


def _cell(row: Row, column: str, field: str, chosen: dict[str, str]) -> Any:
    if column.startswith("="):
        return column[1:]
    value = row.get(column)
    if isinstance(value, dict) and field in ("source_text", "target_text"):
        return value.get(chosen[field.replace("_text", "_lang")][1:])
    return value


def _free_name(name: str, task: str) -> str:
    return f"original_{name}" if name in known_fields(task) else name


def _text(row: Row, field: str) -> str:
    value = row.get(field)
    if value is None:
        raise DataError(f"{field} is missing")
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return clean_text(value, field)


def _check_class(row: Row) -> _Checked:
    text, label = _text(row, "text"), row.get("label")
    if isinstance(label, str) and label.lstrip().startswith('{"choices"'):
        label = (as_literal(label) or {}).get("choices", label)  # several choices in a CSV of Label Studio
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    if isinstance(label, dict):
        label = next((label[key] for key in _LABEL_KEYS if isinstance(label.get(key), str)), label)
    if isinstance(label, list):
        raise DataError(f"has {len(label)} labels; each row needs exactly one")
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if label is None or not str(label).strip() or str(label).strip().casefold() in _NO_LABELS:
        raise DataError("label is missing")
    if isinstance(label, dict):
        raise DataError(f"label must be a word, not {excerpt(label, 60)}")
    name = clean_text(str(label).lower() if isinstance(label, bool) else str(label), "label")
    name = " ".join(_INVISIBLE.sub("", name).split()).removeprefix("__label__")  # fastText's
    whole = _WHOLE.fullmatch(name)
    name = whole[1] if whole else name
    if len(name) > _MAX_LABEL_CHARS:
        raise DataError(f"label has {len(name)} characters, more than {_MAX_LABEL_CHARS}; is it the right column?")
    return {**row, "text": text, "label": name}, []


def _check_summary(row: Row) -> _Checked:
    return {**row, "document": _text(row, "document"), "summary": _text(row, "summary")}, []


def _check_translation(row: Row) -> _Checked:
    texts = {field: _text(row, field) for field in ("source_text", "target_text")}
    langs = {field: _language(row.get(field), field) for field in ("source_lang", "target_lang")}
    if langs["source_lang"] == langs["target_lang"]:
        raise DataError(f"source_lang and target_lang are both '{langs['source_lang']}'")
    return {**row, **texts, **langs}, []


def _language(value: Any, field: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{field} is missing; it is a language code such as en or pt-BR")
    known = language_of(value)
    if known is None and not _LANGUAGE.fullmatch(value.strip()):
        raise DataError(f"{field} is '{excerpt(value, 40)}', which is no language code such as en or pt-BR")
    return known or value.strip()


def _check_prompt(row: Row) -> _Checked:
    nested = [name for name in ("prompt", "completion") if as_written(row.get(name)) is not row.get(name)]
    row = {**row, **{name: as_written(row[name]) for name in nested}}
    notes = [f"the {name} is no text but a list or an object, and is written as JSON" for name in nested]
    whole = _text(row, "completion")
    completion = unended(whole)
    if completion != whole:
        notes.append("the mark at the end of the completion was left out; where it ends is learnt anyway")
    return {**row, "prompt": _text(row, "prompt"), "completion": clean_text(completion, "completion")}, notes


def _check_instruction(row: Row) -> _Checked:
    row = _with_messages(row)
    prompt, completion = row.get("prompt"), row.get("completion")
    are_lists = isinstance(prompt, list) and isinstance(completion, list)
    if row.get("messages") is None and (are_lists or is_said(prompt) or is_said(completion)):
        row = {key: value for key, value in row.items() if key not in ("prompt", "completion")}
        before = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        reply = completion if isinstance(completion, list) else [{"role": "assistant", "content": completion}]
        row["messages"] = reply if reply[: len(before)] == before else before + reply
    if row.get("messages") is None:
        return _check_prompt(row)
    whole = conversation(row["messages"])
    messages = answered(whole)
    roles = [message["role"] for message in messages]
    if "user" not in roles:
        said = ", ".join(message["role"] for message in whole) or "none"
        raise DataError(f"messages must hold a user's message and end with the assistant's, but are {said}")
    notes = ["what comes after the assistant's last message was left out"] if len(messages) < len(whole) else []
    return {**row, "messages": messages}, notes


def _with_messages(row: Row) -> Row:
    """`row`, whose conversation may stand in another column than that of the other rows, as where files were joined."""
    if any(row.get(field) is not None for field in known_fields("instruct")):
        return row
    spoken = next((name for name, value in row.items() if is_said(value)), None)
    return {"messages" if name == spoken else name: value for name, value in row.items()}


_CHECKS: dict[str, Callable[[Row], _Checked]] = {
    "sentiment": _check_class,
    "classify": _check_class,
    "ner": ner_row,
    "qa": qa_row,
    "summarize": _check_summary,
    "translate": _check_translation,
    "instruct": _check_instruction,
}
