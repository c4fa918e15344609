import random

import pytest
from rouge_score import rouge_scorer

from playground.evaluation.text_overlap import lcs_length, score_texts, tokenize

ENGLISH = [
    ("The cat sat on the mat, didn't it?", "the cat didn't sit on a mat"),
    ("Prices rose 3.5% in March.", "In March, prices rose by 3.5 percent."),
    ("One two three", ""),
    ("same words here", "here words same"),
]
OTHERS = [
    ("今天北京天气很好。", "北京今天天气好"),
    ("กรุงเทพมหานครเป็นเมืองหลวง", "เมืองหลวงคือกรุงเทพ"),
    ("दिल्ली भारत की राजधानी है", "भारत की राजधानी दिल्ली"),
    ("Москва — столица России", "столица россии Москва"),
    ("العاصمة هي القاهرة", "القاهرة هي العاصمة"),
]


class Tokenizer:
    def tokenize(self, text):
        return tokenize(text)


def reference(pairs, **options):
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], **options)
    rows = [scorer.score(gold, predicted) for gold, predicted in pairs]
    return {name: 100 * sum(row[name].fmeasure for row in rows) / len(rows) for name in rows[0]}


def random_pairs(seed):
    draw = random.Random(seed)
    return [tuple(" ".join(draw.choices("abcdefgh", k=draw.randint(0, 40))) for _ in range(2)) for _ in range(20)]


@pytest.mark.parametrize("pairs", [ENGLISH, random_pairs(0), random_pairs(1)], ids=["english", "random", "random 2"])
def test_numbers_equal_rouge_score_on_plain_english(pairs):
    assert score_texts(*zip(*pairs, strict=True)).metrics == pytest.approx(reference(pairs))


@pytest.mark.parametrize("pair", OTHERS)
def test_numbers_equal_rouge_score_given_our_tokens(pair):
    metrics = score_texts([pair[0]], [pair[1]]).metrics
    assert metrics == pytest.approx(reference([pair], tokenizer=Tokenizer()))
    assert metrics["rouge1"] > 50


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't PANIC!", ["don", "t", "panic"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("GPT-4是模型", ["gpt", "4", "是", "模", "型"]),
        ("カメラを", ["カ", "メ", "ラ", "を"]),
        ("น้ำ", ["น้", "ำ"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("… 😀 —", []),
    ],
)
def test_tokens_are_words_or_characters_by_script(text, tokens):
    assert tokenize(text) == tokens


@pytest.mark.parametrize("seed", range(5))
def test_lcs_length_equals_the_quadratic_table(seed):
    draw = random.Random(seed)
    first, second = (draw.choices("abcd", k=draw.randint(0, 150)) for _ in range(2))
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            table[i + 1][j + 1] = table[i][j] + 1 if one == other else max(table[i][j + 1], table[i + 1][j])
    assert lcs_length(first, second) == table[-1][-1]


def test_exact_match_ignores_white_space_only():
    scores = score_texts(["42", "Yes.", "a b"], [" 42\n", "yes.", "a  b"], with_exact_match=True)
    assert scores.metrics["exact_match"] == pytest.approx(200 / 3)


def test_main_metric_is_rouge_l_with_its_interval():
    pairs = random_pairs(3)
    scores = score_texts(*zip(*pairs, strict=True))
    assert (scores.main, scores.n) == ("rougeL", 20)
    assert scores.interval[0] < scores.metrics["rougeL"] < scores.interval[1]
