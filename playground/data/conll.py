"""Token-per-line files of tagged text (CoNLL, IOB): a blank line ends a sentence."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from playground.data.table import Rejected, Table
from playground.data.text import excerpt

_TAG = re.compile(r"(?:[BIESLU][-_]\S+|O)")
_NUM_TRIED = 300


@dataclass
class _Sentence:
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    line: int = 0
    problem: str = ""
    bad_line: int = 0
    raw: str = ""


def looks_like_conll(text: str) -> bool:
    """Whether nine in ten of the first lines end in an IOB tag, one of them other than O."""
    lines = [line for line in text.split("\n", _NUM_TRIED)[:_NUM_TRIED] if line.strip() and not _is_comment(line)]
    cells = [_cells(line) for line in lines]
    column = _tag_column(cells)
    tags = [parts[column] for parts in cells if len(parts) >= 2 and -len(parts) <= column < len(parts)]
    num_tags = sum(bool(_TAG.fullmatch(tag)) for tag in tags)
    return num_tags >= 0.9 * len(lines) and any(tag != "O" for tag in tags if _TAG.fullmatch(tag))


def read_conll(text: str, *, name: str, max_rows: int) -> Table:
    """One row a sentence, with the columns "tokens" and "tags"; a sentence with a bad line is rejected."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    table = Table(["tokens", "tags"], [], [], [], "conll", [], name)
    for sentence in _sentences(lines):
        if len(table.rows) >= max_rows:
            table.notes.append(f"Only the first {max_rows:,} sentences of {name} are used.")
            break
        if sentence.problem:
            table.rejected.append(Rejected(sentence.bad_line, sentence.problem, excerpt(sentence.raw)))
        else:
            table.rows.append({"tokens": sentence.tokens, "tags": sentence.tags})
            table.lines.append(sentence.line)
    return table


def _sentences(lines: list[str]) -> Iterator[_Sentence]:
    sample = [_cells(line) for line in lines[:_NUM_TRIED] if line.strip() and not _is_comment(line)]
    token_column, tag_column = _token_column(sample), _tag_column(sample)
    sentence = _Sentence()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("-DOCSTART-"):
            if sentence.line:
                yield sentence
            sentence = _Sentence()
        elif not _is_comment(line) and not _is_header(line, number):
            sentence.line = sentence.line or number
            _add_line(sentence, number, line, token_column, tag_column)
    if sentence.line:
        yield sentence


def _add_line(sentence: _Sentence, number: int, line: str, token_column: int, tag_column: int) -> None:
    cells = _cells(line)
    width = max(token_column, tag_column) + 1 if tag_column >= 0 else token_column + 2
    if len(cells) >= width and _TAG.fullmatch(cells[tag_column]):
        sentence.tokens.append(cells[token_column])
        sentence.tags.append(cells[tag_column])
    elif not sentence.problem:
        sentence.problem = "has no IOB tag such as O, B-PER or I-PER after the token"
        sentence.bad_line, sentence.raw = number, line


def _cells(line: str) -> list[str]:
    stripped = line.strip("\r\n")
    return [cell.strip() for cell in stripped.split("\t")] if "\t" in stripped else stripped.split()


def _tag_column(sample: list[list[str]]) -> int:
    """The last column, or an earlier one where a second layer of tags follows the first, as in GermEval."""
    if sample and sum(len(cells) == 4 and all(map(_TAG.fullmatch, cells[2:])) for cells in sample) > 0.9 * len(sample):
        return 2 if all(cells[0].isdigit() for cells in sample) else -1
    return -1


def _token_column(sample: list[list[str]]) -> int:
    """The first column, or the second when the first counts the tokens."""
    return int(bool(sample) and all(len(cells) >= 3 and cells[0].isdigit() for cells in sample))


def _is_comment(line: str) -> bool:
    return line.startswith("# ") and not _TAG.fullmatch(line.rsplit(maxsplit=1)[-1])


def _is_header(line: str, number: int) -> bool:
    return number == 1 and _cells(line)[-1].lower() in {"tag", "tags", "label", "ner", "ner_tag", "ner_tags", "entity"}
