import random

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF

from playground.evaluation.bootstrap import count_by_row
from playground.evaluation.translation import chrf_counts, chrf_from_counts, score_translations

FRENCH = [
    ("Le chat est sur le tapis.", "Le chat dort sur le tapis."),
    ("(Bonjour) à tous !", "Bonjour à tous !"),
    ("Il a dit « oui ».", "Il a dit oui."),
    ("Elle n'est pas venue hier soir.", ""),
    ("Oui.", "Oui."),
]
CHINESE = [
    ("我昨天去了动物园。", "昨天我去了动物园。"),
    ("汤姆输了比赛。", "汤姆输了。"),
    ("这是2008年的事。", "这是 2008 年的事"),
]
JAPANESE = [("昨日、動物園に行きました。", "昨日動物園へ行った。"), ("トムが負けた。", "トムは負けました。")]
HINDI = [("मैं कल चिड़ियाघर गया था।", "मैं कल चिड़ियाघर गया।"), ("वह बहुत अच्छा है।", "वह अच्छा है।")]


def random_pairs(seed):
    draw = random.Random(seed)
    words = ["alpha", "beta,", "(gamma)", "delta.", "x", "!", "naïve", "été", "dix-sept", "&amp;"]
    gold = [draw.choices(words, k=draw.randint(1, 15)) for _ in range(25)]
    return [(" ".join(line), " ".join(w if draw.random() < 0.7 else draw.choice(words) for w in line)) for line in gold]


CASES = {
    "fr": (FRENCH, "fr", "13a"),
    "zh": (CHINESE, "zh", "zh"),
    "zh-TW": (CHINESE, "zh-TW", "zh"),
    "ja": (JAPANESE, "ja", "char"),
    "hi": (HINDI, "hi", "13a"),
    "pt-BR": (random_pairs(0), "pt-BR", "13a"),
    "unknown": (random_pairs(1), "", "13a"),
}


@pytest.mark.parametrize(("pairs", "lang", "tokenizer"), CASES.values(), ids=CASES)
def test_numbers_equal_sacrebleu(pairs, lang, tokenizer):
    gold, predicted = (list(texts) for texts in zip(*pairs, strict=True))
    scores = score_translations(gold, predicted, [lang] * len(gold))
    assert scores.metrics["chrf++"] == pytest.approx(CHRF(word_order=2).corpus_score(predicted, [gold]).score)
    assert scores.metrics["bleu"] == pytest.approx(BLEU(tokenize=tokenizer).corpus_score(predicted, [gold]).score)


def test_each_target_language_is_also_scored_alone():
    gold, predicted = zip(*FRENCH, *CHINESE, strict=True)
    together = score_translations(gold, predicted, ["fr"] * len(FRENCH) + ["zh"] * len(CHINESE))
    alone = score_translations(*zip(*CHINESE, strict=True), ["zh"] * len(CHINESE))
    assert set(together.per_class) == {"fr", "zh"}
    assert together.per_class["zh"] == pytest.approx(alone.metrics | {"support": len(CHINESE)})


def test_resampled_counts_score_like_repeated_rows():
    pairs = random_pairs(2)
    picks = np.random.default_rng(0).integers(len(pairs), size=(3, len(pairs)))
    weights = count_by_row(picks, np.ones(picks.shape), len(pairs))
    ours = chrf_from_counts(weights @ np.array([chrf_counts(predicted, gold) for gold, predicted in pairs]))
    for row, value in zip(picks, ours, strict=True):
        gold, predicted = (list(texts) for texts in zip(*(pairs[i] for i in row), strict=True))
        assert value == pytest.approx(CHRF(word_order=2).corpus_score(predicted, [gold]).score)


def test_nothing_translated_scores_zero():
    scores = score_translations(["Oui."], [""], ["fr"])
    assert (scores.metrics, scores.interval) == ({"chrf++": 0, "bleu": 0}, (0, 0))
