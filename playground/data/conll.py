"""Token-per-line files of tagged text (CoNLL, IOB): a blank line ends a sentence."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from playground.data.entities import TAG_LETTERS
from playground.data.headers import is_known
from playground.data.table import Entry, Reading, Rejected
from playground.data.text import excerpt
from playground.data.wordrows import ENDLESS, IOB_TAG, MAX_SENTENCE_TOKENS, names_words

_BARE_TAG = re.compile(r"(?:O|[A-Z][A-Za-z_-]{1,19}|[a-z]+-[a-z/_]{2,40})")
_NUM_TRIED = 300
_TREEBANK_WIDTH = 10
"""Columns of CoNLL-U, https://universaldependencies.org/format.html; entities stand in the last, as in NER=B-PER."""
_IN_MISC = re.compile(rf"(?:^|\|)(?:NE|NER|Entity|name)=([{TAG_LETTERS}]-[^|]+|O)")
_LANGUAGE_PREFIX = re.compile(r"[a-z]{2,3}(?:-[a-z]+)?:(?=.)")
_COUNTER = re.compile(r"\d+(?:[-.]\d+)?")
_PARAGRAPH_ENDS = [[mark] for mark in ".!?。！？"]
_ENDLESS = 400
"""Tokens from which a file without blank lines is divided at full stops."""


@dataclass(frozen=True)
class _Layout:
    """Where token and tag stand in a line."""

    delimiter: str | None
    """None: white space."""
    token: int
    tag: int
    is_bare: bool = False
    """Tags are types without B- and I-."""
    has_prefix: bool = False
    """Tokens begin with a language, as in WikiANN."""
    has_breaks: bool = True

    def is_tag(self, cell: str) -> bool:
        return bool((_BARE_TAG if self.is_bare else IOB_TAG).fullmatch(cell))


@dataclass
class _Sentence:
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    line: int = 0
    problem: str = ""
    bad_line: int = 0
    raw: str = ""


def looks_like_conll(head: list[str]) -> bool:
    """Whether nine in ten of the first lines hold an IOB tag in the same column, one of them other than O."""
    return _layout(head) is not None


def read_conll(head: list[str], lines: Iterable[str]) -> Reading:
    """One row a sentence, with the columns "tokens" and "tags"; a sentence with a bad line is rejected.

    Args:
        head: the first lines, by which the columns are found.
        lines: all of them.
    """
    layout = _layout(head) or _Layout(None, 0, -1)
    notes = [] if layout.has_breaks else ["No blank lines end the sentences; full stops do."]
    return Reading("conll", _entries(lines, layout), ["tokens", "tags"], notes)


def _entries(lines: Iterable[str], layout: _Layout) -> Iterator[Entry]:
    for sentence in _sentences(lines, layout):
        if sentence.problem:
            yield Rejected(sentence.bad_line, sentence.problem, excerpt(sentence.raw))
        else:
            yield sentence.line, {"tokens": sentence.tokens, "tags": sentence.tags}


def _sentences(lines: Iterable[str], layout: _Layout) -> Iterator[_Sentence]:
    sentence = _Sentence()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("-DOCSTART-"):
            if sentence.line:
                yield sentence
            sentence = _Sentence()
        elif not _is_comment(line) and not _is_header(line, number, layout):
            sentence.line = sentence.line or number
            _add_line(sentence, number, line, layout)
            if len(sentence.tokens) >= MAX_SENTENCE_TOKENS:
                sentence.problem, sentence.bad_line, sentence.raw = ENDLESS, sentence.line, line
            if sentence.problem == ENDLESS or (not layout.has_breaks and sentence.tokens[-1:] in _PARAGRAPH_ENDS):
                yield sentence
                sentence = _Sentence()
    if sentence.line:
        yield sentence


def _add_line(sentence: _Sentence, number: int, line: str, layout: _Layout) -> None:
    cells = _cells(line, layout.delimiter)
    if _is_span_of_words(cells):
        return
    if len(cells) == 2 and layout.token == 0 and "\t" in line and not cells[0]:
        return  # a blank that was tagged like a word
    if layout.delimiter == "\t" and "\t" not in line:
        cells = line.split()  # a line written with blanks among others with tabs
    token, tag = _picked(cells, layout)
    if token and tag and layout.is_tag(tag):
        sentence.tokens.append(_LANGUAGE_PREFIX.sub("", token, count=1) if layout.has_prefix else token)
        sentence.tags.append(tag)
    elif not sentence.problem:
        sentence.problem = "has no IOB tag such as O, B-PER or I-PER after the token"
        sentence.bad_line, sentence.raw = number, line


def _picked(cells: list[str], layout: _Layout) -> tuple[str, str]:
    if layout.tag == _TREEBANK_WIDTH:
        if len(cells) < _TREEBANK_WIDTH:
            return "", ""
        found = _IN_MISC.search(cells[-1])
        return cells[1], found.group(1) if found else "O"
    width = max(layout.token, layout.tag) + 1 if layout.tag >= 0 else layout.token + 2
    return (cells[layout.token], cells[layout.tag]) if len(cells) >= width else ("", "")


def _layout(head: list[str]) -> _Layout | None:
    lines = [line for line in head[:_NUM_TRIED] if line.strip() and not _is_comment(line)]
    lines = [line for line in lines if not line.startswith("-DOCSTART-")]
    if not lines:
        return None
    if any(names_words(_cells(lines[0], delimiter)) for delimiter in ("\t", ",", ";")) or _has_sentences(lines):
        return None
    has_breaks = any(not line.strip() for line in head) or len(lines) < _ENDLESS // 4
    for delimiter in ("\t", None, ",", ";"):
        sample = [cells for cells in (_cells(line, delimiter) for line in lines) if not _is_span_of_words(cells)]
        found = _columns(sample)
        if found is None:
            continue
        token, tag, is_bare = found
        has_prefix = all(
            len(cells) > token and (_LANGUAGE_PREFIX.match(cells[token]) or not cells[token]) for cells in sample
        )
        return _Layout(delimiter, token, tag, is_bare, has_prefix, has_breaks)
    return None


def _has_sentences(lines: list[str]) -> bool:
    """Whether it is a table with whole sentences and all their tags in each row."""
    for delimiter in ("\t", ",", ";"):
        names, *rows = (_cells(line, delimiter) for line in lines)
        if len(names) < 2 or not all(map(is_known, names)):
            continue
        num_long = sum(len(cells) == len(names) and len(cells[0].split()) > 1 for cells in rows)
        if num_long > 0.5 * len(rows):
            return True
    return False


def _columns(sample: list[list[str]]) -> tuple[int, int, bool] | None:
    """Columns of token and tag, and whether the tags are bare."""
    counted = all(len(cells) >= 3 and _COUNTER.fullmatch(cells[0]) for cells in sample)
    token = int(counted)
    width = max(map(len, sample))
    is_treebank = counted and all(len(cells) == _TREEBANK_WIDTH for cells in sample)
    if is_treebank and any(_IN_MISC.search(cells[-1]) for cells in sample):
        return 1, _TREEBANK_WIDTH, False
    # GermEval has a second layer of tags behind the first.
    has_layers = counted and all(len(cells) == 4 and IOB_TAG.fullmatch(cells[3]) for cells in sample)
    if has_layers and _are_tags([cells[2] for cells in sample], len(sample)):
        return token, 2, False
    for tag in (-1, *range(token + 1, width)):
        if _are_tags(
            [cells[tag] for cells in sample if -len(cells) <= tag < len(cells) and len(cells) >= 2], len(sample)
        ):
            return token, tag, False
    if width > 1 and _are_tags([cells[0] for cells in sample if cells], len(sample)):
        return _most_varied(sample, range(1, width)), 0, False
    bare = [cells[-1] for cells in sample if len(cells) == 2]
    is_all_bare = len(bare) == len(sample) and all(map(_BARE_TAG.fullmatch, bare)) and len(sample) > 1
    if is_all_bare and 0.2 * len(bare) <= bare.count("O") < len(bare) and len(set(bare)) <= max(2, len(bare) // 2):
        return 0, -1, True
    return None


def _most_varied(sample: list[list[str]], columns: range) -> int:
    """The one of `columns` with the most different words: tokens are more than parts of speech and numbers."""
    words = {column: {cells[column] for cells in sample if len(cells) > column} for column in columns}
    return max(columns, key=lambda column: sum(not _COUNTER.fullmatch(word) for word in words[column]))


def _are_tags(cells: list[str], num_lines: int) -> bool:
    tags = [cell for cell in cells if IOB_TAG.fullmatch(cell)]
    return len(tags) >= 0.9 * num_lines and any(tag.upper() != "O" for tag in tags)


def _cells(line: str, delimiter: str | None) -> list[str]:
    stripped = line.strip("\r\n")
    if delimiter is None:
        return stripped.split()
    if delimiter == "\t":
        return [cell.strip() for cell in stripped.split("\t")] if "\t" in stripped else stripped.split()
    return [cell.strip() for cell in next(csv.reader([stripped], delimiter=delimiter), [])]


def _is_span_of_words(cells: list[str]) -> bool:
    """CoNLL-U's line for words that are written as one, "3-4", before the words themselves."""
    return len(cells) == _TREEBANK_WIDTH and re.fullmatch(r"\d+[-.]\d+", cells[0]) is not None


def _is_comment(line: str) -> bool:
    # GermEval has a tab behind the mark, others nothing; "#" is also the beginning of words that are tagged.
    last = line.rsplit(maxsplit=1)[-1]
    if line.startswith(("# ", "#\t")):
        return not IOB_TAG.fullmatch(last)
    return line.startswith("#") and not IOB_TAG.fullmatch(last) and not _BARE_TAG.fullmatch(last)


def _is_header(line: str, number: int, layout: _Layout) -> bool:
    names = {"tag", "tags", "label", "labels", "ner", "ner_tag", "ner_tags", "entity"}
    return number == 1 and _cells(line, layout.delimiter)[-1].lower() in names
