"""Settings of a run: their limits, what goes together, and the way out to a command or a file and back."""

import json
import math
import shlex
from dataclasses import fields, replace

import pytest

from playground.backbones.catalogue import EMBEDDED_ID
from playground.cli import _parser, _training_settings
from playground.errors import InputError
from playground.training.command import command_line
from playground.training.config import PRESETS, RunConfig, make_config
from playground.training.options import BY_NAME, OPTIONS, checked
from playground.training.settings_file import CHOICES, parse_settings, settings_text

ODD = {
    "rank": 4, "alpha": 12, "dropout": 0.05, "target_modules": ["q_proj", "v_proj"], "use_rslora": True,
    "upper_share": 0.25, "use_dora": True, "loraplus_lr_ratio": 4.0, "init": "pissa", "learning_rate": 2e-4,
    "schedule": "cosine", "optim": "paged_adamw_8bit",
    "weight_decay": 0.1, "batch_size": 6, "rows_a_pass": 2, "epochs": 1.5, "pretrain_epochs": 0.5,
    "time_limit_s": 600.0, "early_stopping": 3,
    "class_weights": True, "max_rows": 300, "max_length": 100, "attention": "bidirectional", "evaluation_rows": 200,
    "learning_curve": True, "seed": 7, "compile": True,
}  # fmt: skip


def config(**changes):
    known = {"task": "classify", "data": "rows.csv", "name": "mine", "preset": "quick", "backbone": EMBEDDED_ID}
    return make_config(**known | changes)


def test_every_option_is_a_setting_of_a_run_with_words_and_possible_usual_values():
    known = {field.name: field for field in fields(RunConfig)}
    assert ODD.keys() == BY_NAME.keys() <= known.keys()
    for option in OPTIONS:
        assert option.info.endswith(".")
        assert "\n" not in option.info
        for preset in PRESETS:
            usual = getattr(make_config("qa", "", "", preset, ""), option.name)
            assert checked(option, usual) == usual


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("rank", 0, r"Rank \(rank\) must be a whole number from 1 to 256, not '0'"),
        ("rank", 2.5, "a whole number"),
        ("rank", True, "a whole number"),
        ("rank", None, "not empty"),
        ("rank", 10**400, "from 1 to 256"),
        ("learning_rate", -(10**400), "must be a number"),
        ("learning_rate", math.nan, r"Learning rate \(learning_rate\) must be a number"),
        ("learning_rate", "1e-3", "not '1e-3'"),
        ("schedule", "wild", "linear or cosine or constant, not 'wild'"),
        ("schedule", ["linear"], "linear or cosine"),
        ("use_dora", 1, "true or false, not '1'"),
        ("target_modules", ["q_proj", ".*"], r"names of layers such as q_proj, not '\.\*'"),
        ("target_modules", {"a": 1}, "names of layers"),
        ("seed", -1, "from 0 to"),
        ("epochs", 0, "from 0.01"),
    ],
)
def test_a_value_that_can_not_be_is_refused_by_name(name, value, words):
    with pytest.raises(InputError, match=words):
        checked(BY_NAME[name], value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"class_weights": True}, "the task 'ner' has none"),
        ({"init": "pissa", "use_dora": True}, "PiSSA and DoRA"),
        ({"init": "pissa", "quantization": "4-bit"}, "use no quantization"),
        ({"init": "loftq", "quantization": "none"}, "the quantization is 'none'; use 4-bit"),
        ({"init": "loftq", "quantization": "8-bit"}, "the quantization is '8-bit'; use 4-bit"),
        ({"init": "loftq", "quantization": "4-bit", "use_dora": True}, "LoftQ and DoRA"),
        ({"stages": [{}, {"rank": 999}]}, r"Rank \(rank\) must be"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        make_config("ner", "rows.csv", "mine", "quick", EMBEDDED_ID, **changes)


def parsed(command):
    options = _parser().parse_args(shlex.split(command)[3:])
    return make_config(backbone=options.backbone, **_training_settings(options))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", [*ODD, "all"])
def test_the_command_gives_the_same_run_again(name, preset):
    odd = {**ODD, "init": "default"} if name == "all" else {name: ODD[name]}
    made = make_config("classify", "rows.csv", "mine", preset, EMBEDDED_ID, **odd)
    assert replace(parsed(command_line(made)), data="rows.csv") == made


def test_the_command_gives_the_same_precision_on_a_machine_with_a_gpu(monkeypatch):
    monkeypatch.setattr("playground.backbones.loading.training_quantization", lambda: "4-bit")
    made = make_config("classify", "rows.csv", "mine", "quick", EMBEDDED_ID, quantization="none")
    assert parsed(command_line(made)).quantization == "none"


def test_the_command_says_no_to_what_a_recipe_would_switch_on(no_shipped_adapters):
    (no_shipped_adapters / "recipes").mkdir()
    recipe = {"task": "classify", "data": "rows", "name": "mine", "preset": "quick", "use_dora": True}
    (no_shipped_adapters / "recipes" / "r.json").write_text(json.dumps(recipe))
    plain = replace(parsed("python -m playground train classify --recipe r"), use_dora=False)
    assert command_line(plain).endswith(" --no-use-dora")
    assert parsed(command_line(plain)) == plain


def test_a_settings_file_gives_the_same_settings_again():
    odd = config(**{**ODD, "use_dora": False}, quantization="none")
    found = parse_settings(settings_text(odd))
    assert config(**found) == odd
    assert found.keys() == {*CHOICES, *BY_NAME}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rank: 4", "no JSON"),
        ("[" * 90_000, "no JSON"),
        ("[1]", "one JSON object"),
        (json.dumps({"rank": 4, "data": "/etc/passwd"}), "no setting 'data'; there are preset, quantization, rank"),
        (json.dumps({"rank": "4"}), r"Rank \(rank\) must be a whole number"),
        (json.dumps({"preset": "wild"}), "'preset' must be turbo or quick or balanced or best, not 'wild'"),
        (json.dumps({"quantization": ["none"]}), "'quantization' must be"),
    ],
)
def test_a_settings_file_is_checked_field_by_field(text, words):
    with pytest.raises(InputError, match=words):
        parse_settings(text)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfe{", "not UTF-8"), (b'{"rank": 4}' + b" " * 100_000, "more than 100,000 bytes")],
)
def test_a_settings_file_that_no_editor_of_ours_wrote_is_refused_everywhere(tmp_path, content, words):
    file = tmp_path / "settings.json"
    file.write_bytes(content)
    command = f"python -m playground train classify --data rows.csv --name mine --config {shlex.quote(str(file))}"
    with pytest.raises(InputError, match=words):
        parsed(command)
    file.write_bytes(b'\xef\xbb\xbf{"rank": 4}')  # as Notepad saves it
    assert parsed(command).rank == 4


def test_the_command_line_loads_a_settings_file_below_what_it_says_itself(tmp_path):
    file = tmp_path / "settings.json"
    file.write_text(settings_text(config(rank=4, use_rslora=True, quantization="4-bit")), encoding="utf-8")
    words = f"python -m playground train classify --data rows.csv --name mine --config {shlex.quote(str(file))}"
    found = parsed(f"{words} --alpha 3")
    assert (found.rank, found.alpha, found.use_rslora, found.preset, found.quantization) == (
        4,
        3,
        True,
        "quick",
        "4-bit",
    )
    assert parsed(f"{words} --quantization none").quantization == "none"
