import pytest

from playground.evaluation.squad import normalize, score_answers


def f1(gold, predicted, lang=None):
    return score_answers([gold], [predicted], [lang]).metrics["f1"]


@pytest.mark.parametrize(
    ("gold", "predicted", "exact_match", "token_f1"),
    [
        (["the Eiffel Tower"], "Eiffel tower.", 100, 100),
        (["Denver Broncos"], "the Broncos", 0, 200 / 3),
        (["U.S. Army"], "us army", 100, 100),
        (["to to be"], "to be", 0, 80),
        (["gold", "golden anniversary"], "golden", 0, 200 / 3),
        (["gold"], "silver", 0, 0),
        ([], "", 100, 100),
        ([], "something", 0, 0),
        (["something"], "", 0, 0),
    ],
)
def test_scores_follow_the_official_rules(gold, predicted, exact_match, token_f1):
    """Expected numbers worked out by hand from evaluate-v2.0.py."""
    metrics = score_answers([gold], [predicted], ["en"]).metrics
    assert metrics["exact_match"] == exact_match
    assert metrics["f1"] == pytest.approx(token_f1)


def test_answerable_and_unanswerable_questions_are_also_scored_apart():
    scores = score_answers([["a cat"], ["dog"], [], []], ["cat", "", "", "bird"], [None] * 4)
    assert scores.metrics == {"f1": 50, "exact_match": 50, "has_answer_f1": 50, "no_answer_f1": 50}
    assert "no_answer_f1" not in score_answers([["cat"]], ["cat"], ["en"]).metrics


@pytest.mark.parametrize(
    ("text", "lang", "tokens"),
    [
        ("la Casa Blanca", "es", ["casa", "blanca"]),
        ("Der Rhein", "de-AT", ["rhein"]),
        ("the die", "de", ["the"]),
        ("¿A casa?", "pt", ["a", "casa"]),
        ("العالم العربي", "ar", ["عالم", "عربي"]),
        ("北京2008年。", "zh", ["北", "京", "2008", "年"]),
        ("東京タワー", "ja", ["東", "京", "タ", "ワ", "ー"]),
        ("नई दिल्ली", "hi", ["नई", "दिल्ली"]),
        ("The", "en", ["the"]),
        ("?!", "en", ["?!"]),
    ],
)
def test_normalization_knows_the_language(text, lang, tokens):
    assert normalize(text, lang) == tokens


def test_chinese_and_thai_answers_overlap_by_character():
    assert f1(["北京大学"], "北京", "zh") == pytest.approx(200 / 3)
    assert f1(["กรุงเทพ"], "กรุง", "th") == pytest.approx(100 * 2 * 3 / (3 + 6))


def test_an_answer_of_articles_only_is_not_taken_for_no_answer():
    assert f1([], "the") == 0
    assert f1(["The"], "the") == 100


def test_composed_and_decomposed_letters_are_the_same():
    assert f1(["Vi\u1ec7t Nam"], "Vie\u0323\u0302t Nam", "vi") == 100
