from itertools import product

import numpy as np
import pytest

from playground.evaluation.bootstrap import mean_of
from playground.evaluation.metrics import row_scores, score, statistic
from playground.evaluation.significance import difference
from playground.tasks import get_task


def of_values(first, second, **options):
    return difference(mean_of(np.array([*first, *second], dtype=float)), len(first), **options)


def test_p_is_that_of_all_ways_to_swap():
    first, second = np.array([10, 40, 30, 20, 60, 35.0]), np.array([30, 45, 60, 10, 80, 55.0])
    gains = second - first
    swapped = [abs(np.mean(gains * signs)) for signs in product((1, -1), repeat=len(gains))]
    exact = np.mean(np.array(swapped) >= abs(gains.mean()) - 1e-9)
    found = of_values(first, second, num_shuffles=20_000)
    assert found.value == pytest.approx(gains.mean())
    assert found.p_value == pytest.approx(exact, abs=0.01)


def test_the_same_answers_differ_by_nothing_for_sure():
    found = of_values([1, 2, 3], [1, 2, 3])
    assert (found.value, found.interval, found.p_value, found.is_significant) == (0, (0, 0), 1, False)


def test_a_clear_gain_is_significant_and_the_sign_is_the_second_ones():
    gain, loss = of_values([0] * 40, [100] * 40), of_values([100] * 40, [0] * 40)
    assert (gain.value, loss.value) == (100, -100)
    assert gain.p_value == loss.p_value == pytest.approx(1 / 5001)


def test_chance_alone_is_called_significant_as_seldom_as_promised():
    generator = np.random.default_rng(1)
    samples = generator.integers(2, size=(200, 2, 60)) * 100
    false_alarms = sum(of_values(first, second, num_shuffles=400).is_significant for first, second in samples)
    assert false_alarms <= 18  # 5 % of 200, with room for chance


def test_the_same_seed_gives_the_same_figures():
    first, second = [0, 100, 0, 100, 100], [100, 100, 0, 0, 100]
    assert of_values(first, second) == of_values(first, second)
    assert 0 < of_values(first, second).p_value <= 1


CASES = {
    "sentiment": [({"text": "x", "label": "a"}, {"label": "a"}), ({"text": "y", "label": "b"}, {"label": "a"})],
    "ner": [
        ({"text": "Ana", "entities": [{"start": 0, "end": 3, "label": "PER"}]}, {"entities": []}),
        ({"text": "Ana", "entities": []}, {"entities": []}),
        (
            {"text": "Bo", "entities": [{"start": 0, "end": 2, "label": "PER"}]},
            {"entities": [{"start": 0, "end": 2, "label": "PER"}]},
        ),
    ],
    "qa": [
        ({"context": "In Rome.", "question": "?", "answers": [{"text": "Rome", "start": 3}]}, {"answer": None}),
        ({"context": "In Rome.", "question": "?", "answers": []}, {"answer": None}),
    ],
    "summarize": [({"document": "a b", "summary": "a b"}, {"summary": "a"}), ({"document": "c", "summary": "c"}, {})],
    "translate": [
        (
            {"source_text": "a", "target_text": "der Tag", "source_lang": "en", "target_lang": "de"},
            {"translation": "der"},
        ),
        ({"source_text": "b", "target_text": "gut", "source_lang": "en", "target_lang": "de"}, {"translation": "gut"}),
    ],
}


@pytest.mark.parametrize("name", CASES)
def test_the_tested_figure_is_the_reported_metric(name):
    task = get_task(name)
    rows, outputs = zip(*CASES[name], strict=True)
    bare = [{key: value for key, value in row.items() if key != task.target} for row in rows]
    predictions = [row | output for row, output in zip(bare, outputs, strict=True)]
    value = statistic(task, rows, predictions)(np.ones((1, len(rows))))[0]
    assert value == pytest.approx(score(task, rows, predictions).metrics[task.metric])
    single = [score(task, [row], [prediction]).metrics for row, prediction in zip(rows, predictions, strict=True)]
    if name in ("qa", "summarize", "translate"):
        assert row_scores(task, rows, predictions) == pytest.approx([scores[task.metric] for scores in single])
    else:
        assert row_scores(task, rows, predictions)[:2] == {"sentiment": [100, 0], "ner": [0, 100]}[name]
