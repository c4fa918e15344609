"""Exact match and token F1 of extractive answers, with "no answer".

The rules of SQuAD 2.0, https://rajpurkar.github.io/SQuAD-explorer/ (``evaluate-v2.0.py``), with the articles and the
splitting by character that MLQA (Lewis et al. 2020, https://aclanthology.org/2020.acl-main.653/) adds for other
languages. Two differences, both in favour of plain sense: the Arabic article is removed only where a word begins, and
an answer made of nothing but articles or punctuation stays as it is, so that it is never taken for "no answer".
"""

import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import regex

from playground.evaluation.bootstrap import estimate, mean_of
from playground.evaluation.scores import Scores
from playground.evaluation.text_overlap import UNSPACED, overlap_f1

ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "ar": r"\bال",
}
"""By language; MLQA has none for Hindi and Chinese, and languages it lacks keep their articles too."""
_PUNCTUATION = regex.compile(rf"[\p{{P}}{regex.escape(string.punctuation)}]")
_PIECE = regex.compile(rf"(?V1){UNSPACED}\p{{M}}*|[\S--{UNSPACED}]+")


def normalize(text: str, lang: str | None = None) -> list[str]:
    """Lower-case tokens without punctuation and articles; without a language the articles are English, as in SQuAD."""
    text = unicodedata.normalize("NFC", text).lower()
    bare = _PUNCTUATION.sub("", text)
    articles = ARTICLES.get((lang or "en").lower().split("-")[0])
    tokens: list[str] = _PIECE.findall(regex.sub(articles, " ", bare) if articles else bare) or _PIECE.findall(text)
    return tokens


def score_answers(gold: Sequence[Sequence[str]], predicted: Sequence[str], langs: Sequence[str | None]) -> Scores:
    """Exact match and F1 over all questions, and F1 over those with and those without an answer.

    Args:
        gold: the accepted answers of each question; none when it has no answer.
        predicted: one answer for each, empty for "no answer".
        langs: ISO 639-1 codes, or None where unknown.
    """
    rows = list(zip(gold, predicted, langs, strict=True))
    exact = np.array([_best(_exact_match, *row) for row in rows])
    f1 = np.array([_best(_token_f1, *row) for row in rows])
    has_answer = np.array([bool(answers) for answers in gold])
    value, interval = estimate(mean_of(f1), len(rows))
    metrics = {"f1": value, "exact_match": float(exact.mean())}
    per_class = {}
    for name, part in (("has_answer", has_answer), ("no_answer", ~has_answer)):
        if part.any():
            metrics[f"{name}_f1"] = float(f1[part].mean())
            counts = {"exact_match": float(exact[part].mean()), "support": int(part.sum())}
            per_class[name] = {"f1": metrics[f"{name}_f1"], **counts}
    return Scores(metrics=metrics, main="f1", n=len(rows), interval=interval, per_class=per_class)


def token_f1(gold: Sequence[str], predicted: str, lang: str | None) -> float:
    """F1 (0 to 100) of one answer against the best of the accepted ones; both empty is a hit."""
    return _best(_token_f1, gold, predicted, lang)


def exact_match(gold: Sequence[str], predicted: str, lang: str | None) -> float:
    """100 when one answer is the same as one of the accepted ones, else 0; both empty is a hit."""
    return _best(_exact_match, gold, predicted, lang)


def _best(
    measure: Callable[[list[str], list[str]], float], answers: Sequence[str], predicted: str, lang: str | None
) -> float:
    guess = normalize(predicted, lang)
    return max(measure(normalize(answer, lang), guess) for answer in answers or [""])


def _exact_match(gold: list[str], predicted: list[str]) -> float:
    return 100.0 if gold == predicted else 0.0


def _token_f1(gold: list[str], predicted: list[str]) -> float:
    if not gold or not predicted:
        return _exact_match(gold, predicted)
    return overlap_f1((Counter(gold) & Counter(predicted)).total(), len(predicted), len(gold))
