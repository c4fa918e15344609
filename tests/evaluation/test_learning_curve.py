import pytest

from playground.evaluation.learning_curve import learning_curve
from playground.tasks import get_task

ROWS = [{"text": str(number), "label": "ab"[number % 2]} for number in range(40)]


def right_up_to(number):
    return [row | {"label": row["label"] if place < number else "c"} for place, row in enumerate(ROWS)]


def test_the_last_step_is_tested_on_the_same_rows():
    found = learning_curve(get_task("sentiment"), ROWS, [(10, right_up_to(0)), (20, right_up_to(10)), (40, ROWS)])
    assert [point["rows"] for point in found["points"]] == [10, 20, 40]
    values = [point["value"] for point in found["points"]]
    assert values[0] == 0
    assert values[2] == 100
    assert found["gain"]["value"] == pytest.approx(values[2] - values[1])
    assert found["gain"]["p_value"] < 0.01
    low, high = found["gain"]["interval"]
    assert 0 < low < found["gain"]["value"] < high


def test_two_that_answer_alike_gain_nothing():
    found = learning_curve(get_task("sentiment"), ROWS, [(10, right_up_to(30)), (20, right_up_to(30))])
    assert found["gain"]["value"] == 0
    assert found["gain"]["interval"] == [0, 0]
    assert found["gain"]["p_value"] == 1
