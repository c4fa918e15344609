"""Adapters beside each other: figures and settings."""

from playground.adapters.comparison import metrics_table, titles


def scores(value, n=20, **more):
    metrics = {"macro_f1": value, **more}
    return {"metrics": metrics, "main": "macro_f1", "n": n, "interval": [value - 5, value + 5]}


def test_metrics_are_in_one_table_the_main_one_first(save_tiny_adapter):
    first = save_tiny_adapter(name="first", metrics={"adapter": scores(70, accuracy=71), "base": scores(40)})
    second = save_tiny_adapter(name="second", metrics={"adapter": scores(80.04, 1200), "data": "test.csv"})
    third = save_tiny_adapter(name="third")
    assert metrics_table([first, second, third]) == [
        ["", "first", "second", "third"],
        ["Macro-F1", "70.0 (65.0 to 75.0)", "80.0 (75.0 to 85.0)", "-"],
        ["Accuracy", "71.0", "-", "-"],
        ["Macro-F1 without adapter", "40.0 (35.0 to 45.0)", "-", "-"],
        ["Rows measured on", "20", "1,200", "-"],
        ["Measured on", "-", "test.csv", "-"],
    ]


def test_an_adapter_that_went_on_is_shown_with_the_one_before(save_tiny_adapter):
    first = save_tiny_adapter(name="first", metrics={"adapter": scores(70), "base": scores(40)})
    second = save_tiny_adapter(name="second", metrics={"adapter": scores(80), "parent": scores(70)})
    assert ["Macro-F1 of the adapter before", "-", "70.0 (65.0 to 75.0)"] in metrics_table([first, second])


def test_adapters_of_one_name_are_told_apart_by_task(save_tiny_adapter):
    same = [save_tiny_adapter("sentiment", "mine"), save_tiny_adapter("classify", "mine")]
    assert titles([*same, save_tiny_adapter(name="other")]) == ["sentiment/mine", "classify/mine", "other"]
