"""Settings of adapters and runs beside each other."""

from playground.adapters.comparison import differences, titles
from playground.training.compared_settings import of_adapter, of_run
from playground.training.config import make_config
from playground.training.run_files import RunState

MADE = "python -m playground train sentiment --data {0}.csv --name {0} --learning-rate {1} --epochs 3 --rank 7"


def apart(*records):
    return differences(titles(records), list(map(of_adapter, records)))


def test_only_settings_that_differ_are_listed(save_tiny_adapter):
    first, second = (
        save_tiny_adapter(name=name, lora={"r": rank}, training={"command": MADE.format(name, rate), "rows": 10})
        for name, rank, rate in (("first", 4, 0.001), ("second", 2, 0.01))
    )
    assert apart(first, second) == [
        ["", "first", "second"],
        ["Rank", "4", "2"],
        ["Learning rate", "0.001", "0.01"],
    ]
    assert apart(first, first) == [["", "sentiment/first", "sentiment/first"]]


def test_what_only_one_has_is_a_difference(save_tiny_adapter):
    first = save_tiny_adapter(name="first", training={"languages": ["de", "fr"], "fixes": {"mask-email": 3}})
    second = save_tiny_adapter(name="second", attention="bidirectional")
    assert apart(first, second)[1:] == [
        ["Attention", "causal", "bidirectional"],
        ["Languages", "de, fr", "-"],
        ["Fixes", "mask-email 3", "-"],
    ]


def test_what_a_preset_decides_is_compared_with_what_a_command_says(save_tiny_adapter):
    made = "train sentiment --preset {} --time-limit-s {} --data x.csv --name x{}"
    quick, timed = (
        save_tiny_adapter(name=preset, training={"command": made.format(preset, limit, more)})
        for preset, limit, more in (("quick", "300.0", ""), ("balanced", "300", " --max-rows 1000 --learning-curve"))
    )
    assert apart(quick, timed)[1:] == [["Most rows to measure on", "100", "200"]]


def test_options_are_read_from_any_command_and_named_as_in_the_page(save_tiny_adapter):
    command = "train --column a --column b --no-compile --no-replay --parent p --name 'x y' --rm-rf / --epochs many"
    found = of_adapter(save_tiny_adapter(training={"command": command}))
    assert (found["Columns"], found["Compile"], found["Old rows repeated"], found["Start from"]) == (
        *("a, b", "no", "no", "p"),
    )
    assert found["Epochs"] == "many"
    assert not any(title.startswith("--") for title in found)
    for odd in ("train --epochs 'never closed", "train --preset wild", "train --recipe ../../etc"):
        assert "Batch" not in of_adapter(save_tiny_adapter(name=f"odd{len(odd)}", training={"command": odd}))


def test_a_run_and_an_adapter_of_the_same_settings_differ_in_nothing(save_tiny_adapter):
    config = make_config("sentiment", "x.csv", "lamps", "quick", "tiny", data_name="x.csv", target_modules=["v_proj"])
    run = of_run(RunState("a" * 32, config, "running", "Training", created=0.0))
    training = {"command": MADE.format("x", "0.0005") + " --preset quick --batch-size 16 --target-modules v_proj"}
    adapter = of_adapter(save_tiny_adapter(lora={"r": 8, "lora_alpha": 16}, training=training))
    shared = run.keys() & adapter.keys() - {"Backbone", "Longest text"}
    assert {title: run[title] for title in shared} == {title: adapter[title] for title in shared}
    assert (run["Target modules"], run["Early stopping"], run["Upper layers"]) == ("v_proj", "3", "1")
