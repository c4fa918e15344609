"""Rows of one file that say the same as another of its rows, or contradict it."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from playground.data.columns import input_fields, required_fields
from playground.data.dialogue import conversation
from playground.data.duplicates import NEAR, text_key
from playground.data.sketches import MAX_GRAMS, Hashes, Ints, Sketches, all_sketches, resemblance
from playground.types import Row

MAX_COMPARED = 4
"""Earlier texts with which one text is compared in full."""
_NUM_BINS = 64
_BINS_A_BAND = 6
_NUM_BANDS = 16
_TEXTS_AT_ONCE = 10_000  # whose hashes are held a second time
_ESTIMATE_SLACK = 0.1  # twice the standard error of a similarity that is estimated from so many bins

_Signatures = npt.NDArray[np.uint64]
_Texts = tuple[str, ...]


@dataclass(frozen=True)
class Said:
    """What one row says, as far as it is compared with others."""

    exactly: _Texts
    """Its texts and its answer, white space and Unicode form aside."""
    inputs: _Texts
    """`text_key` of each text that is given."""
    answers: frozenset[_Texts]
    """What is to be learnt, each right answer by itself; labels as they are, texts by their `text_key`."""


def read_rows(task: str, rows: Sequence[Row]) -> list[Said]:
    """What is compared of each of `rows`, which are in the shape of `task`."""
    return [_said(task, row) for row in rows]


def exact_duplicates(said: Sequence[Said]) -> dict[int, int]:
    """For each row that repeats an earlier one word for word: the first of them."""
    return _repeated([one.exactly for one in said])


def near_duplicates(task: str, said: Sequence[Said]) -> dict[int, int]:
    """For each row that nearly, but not exactly, repeats an earlier one: the first of them.

    All its texts are those of the other after `text_key` or resemble them by `NEAR` at least, and its labels are the
    same. Prompts may share a long instruction: of them only the same ones count.
    """
    texts = list(dict.fromkeys(key for one in said for key in _texts_of(one)))
    repeats = {} if task == "instruct" else find_repeats(texts)
    first = {texts[i]: texts[j] for i, j in repeats.items()}

    def canonical(one: Said) -> tuple[_Texts, frozenset[_Texts]]:
        answers = frozenset(tuple(first.get(text, text) for text in answer) for answer in one.answers)
        return tuple(first.get(text, text) for text in one.inputs), answers

    exact = exact_duplicates(said)
    return {row: other for row, other in _repeated([canonical(one) for one in said]).items() if row not in exact}


def conflicts(said: Sequence[Said]) -> list[list[int]]:
    """Groups of rows to which the same is given and that share no right answer."""
    groups: dict[_Texts, list[int]] = defaultdict(list)
    for i, one in enumerate(said):
        groups[one.inputs].append(i)
    several = (group for group in groups.values() if len(group) > 1)
    return [group for group in several if not frozenset.intersection(*(_or_silence(said[i]) for i in group))]


def find_repeats(keys: Sequence[str], threshold: float = NEAR) -> dict[int, int]:
    """For each of the different `keys` that resembles an earlier one: the first that it is linked to so.

    Candidates come from locality-sensitive hashing of the sketches (Indyk and Motwani 1998,
    https://doi.org/10.1145/276698.276876) with one permutation (Li, Owen and Zhang 2012,
    https://arxiv.org/abs/1208.1259) and are then compared in full; of pairs at the threshold about one in a thousand is
    missed.
    """
    sketches = all_sketches(keys)
    ends = np.cumsum(sketches.sizes)
    signatures = _signatures(sketches)
    open_rows = np.flatnonzero(sketches.sizes)
    num_compared = np.zeros(len(keys), np.intp)
    found: dict[int, int] = {}
    chance = np.random.default_rng(0)
    for _ in range(_NUM_BANDS):
        band = signatures[:, chance.choice(_NUM_BINS, _BINS_A_BAND, replace=False)]
        for row, other in _paired(band[open_rows], open_rows):
            if num_compared[row] >= MAX_COMPARED or not _may_resemble(signatures, row, other, threshold):
                continue
            num_compared[row] += 1
            one, two = (sketches.hashes[ends[i] - sketches.sizes[i] : ends[i]] for i in (row, other))
            if _similarity(one, two) >= threshold:
                found[row] = other
        open_rows = np.array([row for row in open_rows.tolist() if row not in found], np.intp)
    for row in sorted(found):
        found[row] = found.get(found[row], found[row])
    return found


def _signatures(sketches: Sketches) -> _Signatures:
    """(texts, bins) smallest hash of each bin, 0 where there is none."""
    signatures = np.zeros((len(sketches.sizes), _NUM_BINS), np.uint64)
    ends = np.cumsum(sketches.sizes)
    for first in range(0, len(ends), _TEXTS_AT_ONCE):
        sizes = sketches.sizes[first : first + _TEXTS_AT_ONCE]
        some = Sketches(sketches.hashes[ends[first] - sizes[0] : ends[first] - sizes[0] + sizes.sum()], sizes)
        # They rise within a text, and of several values for one place the last one stays.
        hashes, owners = some.hashes[::-1], some.owners()[::-1]
        signatures[first + owners, (hashes & np.uint64(_NUM_BINS - 1)).astype(np.intp)] = hashes
    return signatures


def _paired(band: _Signatures, rows: Ints) -> list[tuple[int, int]]:
    """Each of `rows` with the first one that has the same values in `band`."""
    _, first, group = np.unique(band, axis=0, return_index=True, return_inverse=True)
    others = rows[first[group.ravel()]]
    is_later = rows > others
    return list(zip(rows[is_later].tolist(), others[is_later].tolist(), strict=True))


def _may_resemble(signatures: _Signatures, row: int, other: int, threshold: float) -> bool:
    return float(np.mean(signatures[row] == signatures[other])) >= threshold - _ESTIMATE_SLACK


def _similarity(one: Hashes, other: Hashes) -> float:
    if MAX_GRAMS in (len(one), len(other)):
        return resemblance(one, other)
    num_shared = len(np.intersect1d(one, other, assume_unique=True))
    return num_shared / (len(one) + len(other) - num_shared)


def _repeated(values: Sequence[object]) -> dict[int, int]:
    first: dict[object, int] = {}
    found = ((i, first.setdefault(value, i)) for i, value in enumerate(values))
    return {i: j for i, j in found if i != j}


def _texts_of(one: Said) -> list[str]:
    return [*one.inputs, *(text for answer in one.answers for text in answer)]


def _or_silence(one: Said) -> frozenset[_Texts]:
    """The right answers; where there is none, saying so is the right one."""
    return one.answers or frozenset([()])


def _said(task: str, row: Row) -> Said:
    if task == "instruct" and row.get("messages"):
        *asked, reply = (message["content"] for message in conversation(row["messages"]))
        return _texts_said(asked, [reply])
    if task in ("sentiment", "classify"):
        key = _key(row["text"])
        return Said((_plain(row["text"]), row["label"]), (key,), frozenset([(f"={row['label']}",)]))
    if task == "ner":
        text = row["text"]
        marked = [(text[e["start"] : e["end"]], e["label"]) for e in row["entities"]]
        places = [f"{e['start']}-{e['end']} {e['label']}" for e in row["entities"]]
        answer = tuple(f"={_key(piece)} {label}" for piece, label in marked)
        return Said((_plain(text), *places), (_key(text),), frozenset([answer]))
    if task == "qa":
        answers = [answer["text"] for answer in row["answers"]]
        given = (row["context"], row["question"])
        exactly = (*map(_plain, given), *sorted(map(_plain, answers)))
        return Said(exactly, tuple(map(_key, given)), frozenset((f"={_key(answer)}",) for answer in answers))
    source, target = input_fields(task)[0], required_fields(task)[1]
    languages = [f"={row[name]}" for name in ("source_lang", "target_lang") if task == "translate"]
    return _texts_said([row[source]], [row[target]], languages)


def _texts_said(given: Sequence[str], answer: Sequence[str], also: Sequence[str] = ()) -> Said:
    exactly = (*map(_plain, given), *map(_plain, answer), *also)
    return Said(exactly, (*map(_key, given), *also), frozenset([tuple(map(_key, answer))]))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _key(text: str) -> str:
    """`text_key`, or the text as it is where nothing but symbols is in it."""
    return text_key(text) or _plain(text)
