"""Texts as small sets of numbers, whose overlap says how much the texts resemble each other.

A sketch holds the hashes of the groups of five letters that occur in a text; of a long text the 512 smallest (Broder
1997, "On the resemblance and containment of documents", https://doi.org/10.1109/SEQUEN.1997.666900; the similarity is
then an estimate with a standard error of about 0.016).
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import regex

MAX_GRAMS = 512

_ACCENTS = regex.compile(r"\p{Inherited}+")
_HAN_OR_KANA = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}]")

_GRAM = 5  # letters
_MIN_LETTERS = 32  # in 'Tom is here' and 'Mary is here' too few letters differ to tell them apart
_BATCH_CHARS = 1 << 18
_HASH_BITS = 44  # the upper 20 bits of 64 number the texts of a batch

Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.intp]


class Sketches(NamedTuple):
    """The smallest hashes of each text's groups of letters, at most `MAX_GRAMS`, in rising order."""

    hashes: Hashes
    """Of one text after the other."""
    sizes: Ints
    """Number of hashes of each text."""

    def owners(self) -> Ints:
        """Which text each hash belongs to."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def starts(self) -> Ints:
        return np.cumsum(self.sizes) - self.sizes


def resemblance(one: Hashes, other: Hashes) -> float:
    """Jaccard similarity of the texts, as far as both sketches reach."""
    reach = min(sketch[-1] for sketch in (one, other) if len(sketch) == MAX_GRAMS)
    one, other = one[one <= reach], other[other <= reach]
    num_shared = len(np.intersect1d(one, other, assume_unique=True))
    return num_shared / (len(one) + len(other) - num_shared)


def batches(keys: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    num_chars = 0
    for key in keys:
        batch.append(key)
        num_chars += len(key)
        if num_chars > _BATCH_CHARS:
            yield batch
            batch, num_chars = [], 0
    if batch:
        yield batch


def all_sketches(keys: Sequence[str]) -> Sketches:
    """Those of `keys`, however many there are."""
    parts = [sketches_of(batch) for batch in batches(keys)]
    hashes = np.concatenate([np.empty(0, np.uint64), *(part.hashes for part in parts)])
    return Sketches(hashes, np.concatenate([np.empty(0, np.intp), *(part.sizes for part in parts)]))


def sketches_of(keys: Sequence[str]) -> Sketches:
    letters = [_letters(key) for key in keys]
    texts = "\n".join(text if len(text) >= _MIN_LETTERS else "" for text in letters)
    codes = np.frombuffer(texts.encode("utf-32-le"), "<u4")
    is_break = codes == ord("\n")
    owners = np.cumsum(is_break, dtype=np.uint64)
    num_grams = max(0, len(codes) - _GRAM + 1)
    hashes = np.zeros(num_grams, np.uint64)
    for i in range(_GRAM):
        hashes = _mixed(hashes + codes[i : i + num_grams])
    is_inside = (owners[:num_grams] == owners[_GRAM - 1 :]) & ~is_break[:num_grams]
    # Text number and hash in one number: a single sort serves the whole batch (np.unique takes ten times as long).
    tagged = np.sort((owners[:num_grams] << np.uint64(_HASH_BITS) | hashes >> np.uint64(64 - _HASH_BITS))[is_inside])
    is_new = np.ones(len(tagged), bool)
    is_new[1:] = tagged[1:] != tagged[:-1]
    tagged = tagged[is_new]
    sizes = np.bincount((tagged >> np.uint64(_HASH_BITS)).astype(np.intp), minlength=len(keys))
    ranks = np.arange(len(tagged)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    smallest = tagged[ranks < MAX_GRAMS] & np.uint64((1 << _HASH_BITS) - 1)
    return Sketches(smallest, np.minimum(sizes, MAX_GRAMS))


def _letters(key: str) -> str:
    """`key` without accents, and with Chinese characters and kana twice: each says as much as several letters."""
    if key.isascii():
        return key
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", key))
    return str(_HAN_OR_KANA.sub(r"\g<0>\g<0>", plain))


def _mixed(hashes: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (https://prng.di.unimi.it/splitmix64.c): each bit of the result depends on all."""
    hashes = (hashes ^ hashes >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ hashes >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return hashes ^ hashes >> np.uint64(31)
