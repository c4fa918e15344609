"""ROUGE in any language, and the tokens it counts.

ROUGE is Lin (2004), https://aclanthology.org/W04-1013/, as in https://github.com/google-research/google-research/tree/master/rouge
without stemming. That implementation sees only a-z and 0-9; here every letter, mark and digit of Unicode counts, and
scripts written without spaces between words are counted by character.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
import regex

from playground.evaluation.bootstrap import estimate, mean_of
from playground.evaluation.scores import Scores

UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]"
"""Scripts that don't put spaces between words."""
_TOKEN = regex.compile(rf"(?V1){UNSPACED}\p{{M}}*|[[\p{{L}}\p{{M}}\p{{N}}]--{UNSPACED}]+")


def tokenize(text: str) -> list[str]:
    """Lower-case words without punctuation; characters with their marks in scripts without spaces."""
    tokens: list[str] = _TOKEN.findall(unicodedata.normalize("NFC", text).lower())
    return tokens


def score_texts(gold: Sequence[str], predicted: Sequence[str], *, with_exact_match: bool = False) -> Scores:
    """Mean ROUGE-1, -2 and -L F-measures, and optionally how many texts are the same but for white space."""
    pairs = [(tokenize(truth), tokenize(guess)) for truth, guess in zip(gold, predicted, strict=True)]
    value, interval = estimate(mean_of(np.array([rouge_l(*pair) for pair in pairs])), len(pairs))
    metrics = {"rougeL": value} | {f"rouge{n}": float(np.mean([rouge_n(*pair, n) for pair in pairs])) for n in (1, 2)}
    if with_exact_match:
        same = [truth.split() == guess.split() for truth, guess in zip(gold, predicted, strict=True)]
        metrics["exact_match"] = 100 * float(np.mean(same))
    return Scores(metrics=metrics, main="rougeL", n=len(pairs), interval=interval)


def rouge_n(gold: Sequence[str], predicted: Sequence[str], n: int) -> float:
    """F-measure of shared n-grams, 0 to 100."""
    truth, guess = (Counter(zip(*(tokens[i:] for i in range(n)), strict=False)) for tokens in (gold, predicted))
    return overlap_f1((truth & guess).total(), guess.total(), truth.total())


def rouge_l(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """F-measure of the longest common subsequence, 0 to 100."""
    return overlap_f1(lcs_length(gold, predicted), len(predicted), len(gold))


def overlap_f1(matches: int, predicted: int, gold: int) -> float:
    """F1 from counts, 0 to 100."""
    return 200.0 * matches / (predicted + gold) if matches else 0.0


def lcs_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence.

    Bit-parallel, because summaries make the quadratic table slow: Hyyrö (2004), "Bit-parallel LCS-length computation
    revisited", after Crochemore et al. (2001), https://doi.org/10.1016/S0020-0190(01)00182-X. A zero bit at i says
    that the subsequence grows at token i of `first`.
    """
    positions: dict[str, int] = {}
    for i, token in enumerate(first):
        positions[token] = positions.get(token, 0) | 1 << i
    all_ones = (1 << len(first)) - 1
    state = all_ones
    for token in second:
        matches = state & positions.get(token, 0)
        state = ((state + matches) | (state - matches)) & all_ones
    return len(first) - state.bit_count()
