"""chrF++ and BLEU of translations into any mixture of languages, equal to sacreBLEU's.

chrF++ is Popović (2017), https://aclanthology.org/W17-4770/, in the version of https://github.com/mjpost/sacrebleu:
character 1- to 6-grams without white space and word 1- and 2-grams, beta 2, precision and recall averaged over the
orders that occur. Its counts are kept for each row, so that they can be drawn again. BLEU is computed by sacreBLEU.
Shapes: B resamples, N rows; 24 = 8 n-gram orders x (predicted, gold, matching).
"""

import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from sacrebleu.tokenizers.tokenizer_char import TokenizerChar
from sacrebleu.tokenizers.tokenizer_zh import TokenizerZh

from playground.evaluation.bootstrap import Statistic, estimate
from playground.evaluation.scores import Scores, ratio

CHAR_ORDER = 6
WORD_ORDER = 2
BETA = 2
BY_CHARACTER = {"ja", "th", "km", "lo", "my", "bo"}
"""Target languages without spaces between words, and without a segmenter that needs no download."""
_PUNCTUATION = frozenset(string.punctuation)


def score_translations(gold: Sequence[str], predicted: Sequence[str], target_langs: Sequence[str]) -> Scores:
    """chrF++ and BLEU over all rows, and for each target language.

    Args:
        gold: one reference translation for each row.
        predicted: the translations; an empty one matches nothing.
        target_langs: codes such as ``fr`` or ``pt-BR``; they choose BLEU's tokenizer. Empty where unknown.
    """
    counts = _all_counts(gold, predicted)
    triples = zip(predicted, gold, target_langs, strict=True)
    tokens = [(_tokenize(guess, lang), _tokenize(truth, lang)) for guess, truth, lang in triples]
    value, interval = estimate(lambda weights: chrf_from_counts(weights @ counts), len(counts))
    langs = np.array(target_langs)
    per_class = {}
    for lang in sorted(set(target_langs) - {""}):
        rows = np.flatnonzero(langs == lang)
        chrf = float(chrf_from_counts(counts[rows].sum(axis=0, keepdims=True))[0])
        per_class[lang] = {"chrf++": chrf, "bleu": _bleu([tokens[i] for i in rows]), "support": len(rows)}
    return Scores(
        metrics={"chrf++": value, "bleu": _bleu(tokens)},
        main="chrf++",
        n=len(counts),
        interval=interval,
        per_class=per_class,
    )


def chrf_of(gold: Sequence[str], predicted: Sequence[str]) -> Statistic:
    """chrF++ of rows that are drawn again."""
    counts = _all_counts(gold, predicted)
    return lambda weights: chrf_from_counts(weights @ counts)


def _all_counts(gold: Sequence[str], predicted: Sequence[str]) -> np.ndarray:
    """(N, 24)"""
    pairs = zip(predicted, gold, strict=True)
    return np.array([chrf_counts(guess, truth) for guess, truth in pairs], dtype=float)


def chrf_counts(predicted: str, gold: str) -> list[int]:
    """For each n-gram order how many are predicted, gold and matching, flat (24,)."""
    counts: list[int] = []
    for guess, truth in zip(_ngrams(predicted), _ngrams(gold), strict=True):
        # sacreBLEU leaves an order out when the reference is too short to have it.
        num_predicted = guess.total() if truth else 0
        counts += [num_predicted, truth.total(), (guess & truth).total()]
    return counts


def chrf_from_counts(counts: np.ndarray) -> np.ndarray:
    """chrF++ from 0 to 100: (B, 24) -> (B,)."""
    predicted, gold, matches = np.moveaxis(counts.reshape(len(counts), -1, 3), 2, 0)
    occurs = (predicted > 0) & (gold > 0)
    num_orders = occurs.sum(axis=1)
    precision = ratio((ratio(matches, predicted) * occurs).sum(axis=1), num_orders)
    recall = ratio((ratio(matches, gold) * occurs).sum(axis=1), num_orders)
    return 100 * (1 + BETA**2) * ratio(precision * recall, BETA**2 * precision + recall)


def _ngrams(text: str) -> list[Counter[tuple[str, ...]]]:
    characters = "".join(text.split())
    words = [piece for word in text.split() for piece in _detach_punctuation(word)]
    by_character = [_count_ngrams(characters, n) for n in range(1, CHAR_ORDER + 1)]
    return by_character + [_count_ngrams(words, n) for n in range(1, WORD_ORDER + 1)]


def _count_ngrams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))


def _detach_punctuation(word: str) -> list[str]:
    """One mark is taken off the end or else off the beginning, never both."""
    if len(word) > 1 and word[-1] in _PUNCTUATION:
        return [word[:-1], word[-1]]
    if len(word) > 1 and word[0] in _PUNCTUATION:
        return [word[0], word[1:]]
    return [word]


def _tokenize(text: str, lang: str) -> str:
    return _tokenizer(lang.lower().replace("_", "-").split("-")[0])(text.rstrip())


@cache
def _tokenizer(primary_lang: str) -> Callable[[str], str]:
    tokenizer: Callable[[str], str] = Tokenizer13a()
    if primary_lang in {"zh", "yue"}:
        tokenizer = TokenizerZh()
    elif primary_lang in BY_CHARACTER:
        tokenizer = TokenizerChar()
    return tokenizer


def _bleu(tokens: Sequence[tuple[str, str]]) -> float:
    """Corpus BLEU of tokenized (predicted, gold) pairs."""
    predicted, gold = zip(*tokens, strict=True)
    return float(BLEU(tokenize="none", force=True).corpus_score(list(predicted), [list(gold)]).score)
