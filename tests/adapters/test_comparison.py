"""Adapters beside each other: figures and settings."""

from playground.adapters.comparison import differences, metrics_table, settings_of, titles


def scores(value, n=20, **more):
    metrics = {"macro_f1": value, **more}
    return {"metrics": metrics, "main": "macro_f1", "n": n, "interval": [value - 5, value + 5]}


def apart(*records):
    return differences(titles(records), list(map(settings_of, records)))


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


def test_only_settings_that_differ_are_listed(save_tiny_adapter):
    made = "python -m playground train sentiment --data {0}.csv --name {0} --learning-rate {1} --epochs 3 --rank 7"
    first, second = (
        save_tiny_adapter(name=name, lora={"r": rank}, training={"command": made.format(name, rate), "rows": 10})
        for name, rank, rate in (("first", 4, 0.001), ("second", 2, 0.01))
    )
    assert apart(first, second) == [
        ["", "first", "second"],
        ["Rank", "4", "2"],
        ["--learning-rate", "0.001", "0.01"],
    ]
    assert apart(first, first) == [["", "sentiment/first", "sentiment/first"]]


def test_what_only_one_has_is_a_difference(save_tiny_adapter):
    first = save_tiny_adapter(name="first", training={"languages": ["de", "fr"], "fixes": {"mask-email": 3}})
    second = save_tiny_adapter(name="second", attention="bidirectional")
    assert apart(first, second)[1:] == [
        ["Attention", "causal", "bidirectional"],
        ["Languages", "de, fr", "-"],
        ["Fixes of the rows", "mask-email 3", "-"],
    ]


def test_options_are_read_from_any_command(save_tiny_adapter):
    settings = settings_of(
        save_tiny_adapter(training={"command": "train --column a --column b --no-compile --name 'x y'"})
    )
    assert {name: value for name, value in settings.items() if name.startswith("--")} == {
        "--column": "a, b",
        "--no-compile": "yes",
    }
    assert "--x" not in settings_of(save_tiny_adapter(name="odd", training={"command": "train --x 'never closed"}))


def test_adapters_of_one_name_are_told_apart_by_task(save_tiny_adapter):
    same = [save_tiny_adapter("sentiment", "mine"), save_tiny_adapter("classify", "mine")]
    assert titles([*same, save_tiny_adapter(name="other")]) == ["sentiment/mine", "classify/mine", "other"]
