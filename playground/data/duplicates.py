"""Training rows whose text is held out as well, word for word or nearly: what is measured on them proves little."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import regex

from playground.data.dialogue import conversation
from playground.data.sketches import MAX_GRAMS, Hashes, Ints, all_sketches, batches, resemblance, sketches_of
from playground.types import Row

NEAR = 0.85
"""Jaccard similarity from which two texts count as one.

Chosen by reading pairs of the training and validation files: from 0.85 on they are the same sentence or paragraph with
a word more or less, another spelling, a cut end; below 0.8 more and more of them are different sentences that follow
one pattern ('X is a village in the district of Y').
"""

_COMPARED_FIELDS = {"qa": ("context",), "summarize": ("document",), "translate": ("source_text", "target_text")}

_NAMES_AND_LINKS = regex.compile(r"https?\b[!-~]*|www\.[!-~]*|@\w+")
_INVISIBLE = regex.compile(r"[\p{Cf}\ufe00-\ufe0f\u0640]+")  # with variation selectors and the Arabic tatweel
_BETWEEN_WORDS = regex.compile(r"[\p{P}\p{S}\p{Z}\p{C}]+")


@dataclass(frozen=True)
class Leak:
    row: int
    """Index into the training rows."""
    held_out: int
    """Index of the held-out row that it resembles most."""
    similarity: float
    """From the threshold to 1, which says that the texts are the same after `text_key`, accents aside."""


def text_key(text: str) -> str:
    """`text` without what makes no difference: case, Unicode form, punctuation, symbols, links, @names, blanks."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    plain = _INVISIBLE.sub("", _NAMES_AND_LINKS.sub(" ", folded))
    return str(_BETWEEN_WORDS.sub(" ", plain)).strip()


def compared_texts(task: str, row: Row) -> list[str]:
    """The texts of `row` that must not be learnt from and measured on, each by itself.

    Of a conversation that is what was said before the last reply, less the system's message, which many
    conversations share.

    Raises:
        DataError: a conversation can't be read.
    """
    if task == "instruct" and row.get("messages"):
        said = conversation(row["messages"])
        asked = said[:-1] if said[-1]["role"] == "assistant" else said
        return ["\n\n".join(message["content"] for message in asked if message["role"] != "system")]
    fields = ("prompt",) if task == "instruct" else _COMPARED_FIELDS.get(task, ("text",))
    return [str(row.get(field) or "") for field in fields]


def find_leaks(task: str, training: Sequence[Row], held_out: Sequence[Row], threshold: float = NEAR) -> list[Leak]:
    """The `training` rows that have a text of a `held_out` row, each with the most similar one, in their order.

    Similar is a Jaccard similarity of at least `threshold` between the sets of groups of five letters; of long texts
    it is estimated from the 512 groups with the smallest hashes (Broder 1997, "On the resemblance and containment of
    documents", https://doi.org/10.1109/SEQUEN.1997.666900; standard error about 0.016). Accents don't count there.
    Short texts count only when their keys are the same, and texts without letters or digits never do.

    Raises:
        DataError: a conversation can't be read.
    """
    known = {key: rows[0] for key, rows in _rows_by_key(task, held_out).items()}
    keys = _rows_by_key(task, training)
    others = [key for key in keys if key not in known]
    index = _Index(list(known), threshold)
    held_rows = list(known.values())
    matches = {key: (1.0, known[key]) for key in keys if key in known}
    matches |= {others[i]: (similarity, held_rows[j]) for i, j, similarity in index.matches(others)}
    best: dict[int, tuple[float, int]] = {}
    for key, match in matches.items():
        for row in keys[key]:
            best[row] = min(best.get(row, match), match, key=lambda one: (-one[0], one[1]))
    return [Leak(row, held, similarity) for row, (similarity, held) in sorted(best.items())]


def _rows_by_key(task: str, rows: Sequence[Row]) -> dict[str, list[int]]:
    """Indices of the rows of each key; many questions share one paragraph, so there are fewer keys than rows."""
    found: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        for key in map(text_key, compared_texts(task, row)):
            if key:
                found.setdefault(key, []).append(i)
    return found


class _Index:
    """Held-out texts by the groups of letters that occur in them."""

    def __init__(self, keys: Sequence[str], threshold: float) -> None:
        self._threshold = threshold
        sketches = all_sketches(keys)
        self._hashes, self._sizes = sketches
        self._starts = sketches.starts()
        order = np.argsort(self._hashes, kind="stable")
        self._owners = sketches.owners()[order]
        self._vocabulary, self._first, self._counts = np.unique(
            self._hashes[order], return_index=True, return_counts=True
        )

    def matches(self, keys: Sequence[str]) -> Iterator[tuple[int, int, float]]:
        """(index into `keys`, index of the most similar held-out text, similarity) of those near enough."""
        if not len(self._vocabulary):
            return
        done = 0
        for batch in batches(keys):
            sketches = sketches_of(batch)
            places = np.searchsorted(self._vocabulary, sketches.hashes)
            places[places == len(self._vocabulary)] = 0
            is_known = self._vocabulary[places] == sketches.hashes
            num_known = np.bincount(sketches.owners()[is_known], minlength=len(batch))
            # Of a text that is near enough to any other, at least this share is known.
            candidates = (num_known >= self._threshold * sketches.sizes) & (sketches.sizes > 0)
            starts = sketches.starts()
            for i in np.flatnonzero(candidates):
                span = slice(starts[i], starts[i] + sketches.sizes[i])
                j, similarity = self._best(sketches.hashes[span], places[span][is_known[span]])
                if similarity >= self._threshold:
                    yield done + int(i), j, similarity
            done += len(batch)

    def _best(self, hashes: Hashes, places: Ints) -> tuple[int, float]:
        """The most similar held-out text; `places` are those of the known `hashes` in the vocabulary."""
        counts = self._counts[places]
        ends = np.cumsum(counts)
        posted = np.arange(ends[-1]) + np.repeat(self._first[places] - ends + counts, counts)
        num_shared = np.bincount(self._owners[posted], minlength=len(self._sizes))
        similarities = num_shared / (len(hashes) + self._sizes - num_shared)
        if len(hashes) == MAX_GRAMS or self._sizes.max() == MAX_GRAMS:
            longer = np.maximum(len(hashes), self._sizes)
            for j in np.flatnonzero((longer == MAX_GRAMS) & (num_shared >= self._threshold * longer)):
                other = self._hashes[self._starts[j] : self._starts[j] + self._sizes[j]]
                similarities[j] = resemblance(hashes, other)
        best = int(similarities.argmax())
        return best, float(similarities[best])
