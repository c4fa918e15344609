"""The expert settings of the Fine-tune tab: controls, their way into a run, the command, the file, the estimate."""

import json
import shlex
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from playground.cli import _parser, _training_settings
from playground.errors import InputError
from playground.training.config import make_config
from playground.training.estimate import Estimate
from playground.training.options import OPTIONS
from playground.ui import finetune_choices, finetune_estimate, finetune_expert, finetune_form

USUAL = make_config("classify", "", "", "quick", "")


@pytest.fixture
def form(loader):
    loader.backbone_id = "tiny"
    with gr.Blocks() as page:
        built = finetune_form.build()
        finetune_form.wire(built, loader)
    handlers = {event.name: event.fn for event in page.fns.values()}
    return SimpleNamespace(parts=built, handlers=handlers)


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "my rows.csv"
    path.write_text("text,label\n" + "late,delivery\ndear,price\n" * 10)
    return path


def values(**changes):
    """Of the expert controls, as the preset quick has them."""
    return [changes.get(option.name, getattr(USUAL, option.name)) for option in OPTIONS]


def configured(path, **changes):
    own = ("tiny", str(path), "mine", "quick", "none", "classify", "text", "label")
    return finetune_choices.configured(*own, expert=values(**changes))


def test_every_option_has_one_control_with_words(form):
    controls = form.parts.expert.controls
    assert list(controls) == [option.name for option in OPTIONS]
    assert sorted(name for names in finetune_expert.GROUPS.values() for name in names) == sorted(controls)
    for option in OPTIONS:
        assert (controls[option.name].label, controls[option.name].info) == (option.title, option.info)
        assert controls[option.name].value == getattr(USUAL, option.name)


def test_what_was_changed_reaches_the_run_and_the_rest_is_as_the_preset(rows):
    config = configured(rows, rank=32, use_dora=True, target_modules=["v_proj", "q_proj"], learning_rate=0.001)
    assert (config.rank, config.use_dora, config.learning_rate) == (32, True, 0.001)
    assert config.target_modules == ["q_proj", "v_proj"]
    assert (config.epochs, config.alpha, config.max_rows) == (USUAL.epochs, USUAL.alpha, USUAL.max_rows)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rank": None}, r"Rank \(rank\) must be"),
        ({"epochs": -1}, "epochs"),
        ({"init": "pissa", "use_dora": True}, "PiSSA"),
    ],
)
def test_what_can_not_work_is_refused_by_name(rows, changes, says):
    with pytest.raises(InputError, match=says):
        configured(rows, **changes)


def test_either_switch_for_class_weights_is_enough(rows):
    own = ("tiny", str(rows), "mine", "quick", "none", "classify", "text", "label")
    for checks, expert in ((["class-weights"], values()), ([], values(class_weights=True))):
        config = finetune_choices.configured(*own, checks=[checks, "stratified", None, None], expert=expert)
        assert config.class_weights is True
        assert config.fixes == []
    assert finetune_choices.configured(*own, expert=values()).class_weights is False


def test_a_preset_fills_everything_and_a_task_what_depends_on_it(form):
    expert = form.parts.expert
    best = finetune_expert.preset_chosen(expert, "classify", "best")
    assert best[expert.controls["rank"]] == 16
    assert set(best) == set(expert.filled)
    summaries = finetune_expert.task_chosen(expert, "summarize", "best")
    assert summaries[expert.controls["attention"]] == "causal"
    assert expert.controls["rank"] not in summaries


def test_the_command_of_the_page_gives_the_settings_of_the_page(form, rows):
    config = configured(rows, rank=32, early_stopping=2)
    for updates in finetune_expert.as_command(form.parts.expert, config):
        command = updates[form.parts.expert.command].value
        file = Path(updates[form.parts.expert.file].value["path"])
        settings = json.loads(file.read_text(encoding="utf-8"))
    assert str(rows.parent) not in command
    options = _parser().parse_args(shlex.split(command)[3:])
    assert vars(options)["rank"] == 32
    assert _training_settings(options)["early_stopping"] == 2
    assert (settings["rank"], settings["early_stopping"], settings["preset"]) == (32, 2, "quick")


def test_settings_come_back_from_a_file(form, tmp_path):
    expert, load = form.parts.expert, form.handlers["load"]
    file = tmp_path / "settings.json"
    file.write_text('{"preset": "best", "rank": 5, "quantization": "4-bit"}')
    *_, updates, _ = load(str(file), "quick", "classify")
    assert updates[expert.controls["rank"]] == 5
    assert updates[expert.controls["epochs"]] == make_config("classify", "", "", "best", "").epochs
    assert (updates[form.parts.preset], updates[form.parts.quantization]) == ("best", "4-bit")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"rank": 0}', "rank"),
        (b'{"rang": 1}', "no setting &#x27;rang&#x27;"),
        (b"\xff\xfe", "not UTF-8"),
        (b" " * 200_000, "more than"),
        (b"[1]", "one JSON object"),
    ],
)
def test_a_file_that_holds_no_settings_changes_nothing(form, tmp_path, content, says):
    file = tmp_path / "settings.json"
    file.write_bytes(content)
    (updates,) = form.handlers["load"](str(file), "quick", "classify")
    assert list(updates) == [form.parts.expert.outcome]
    assert says in updates[form.parts.expert.outcome]


def test_an_estimate_that_does_not_fit_offers_settings_that_are_taken_over(form, monkeypatch):
    box, expert = form.parts.estimate, form.parts.expert
    offer = {"rows_a_pass": 1, "quantization": "4-bit"}
    monkeypatch.setattr(
        finetune_estimate, "estimate", lambda config, niceness: Estimate(9, 1.0, 0.0, 0.0, 2**33, 2**31, offer)
    )
    *_, told = finetune_estimate.told(box, USUAL)
    assert (
        "8.0 GB of memory, but only 2.0 GB are free; it would fit with Rows in a pass 1, quantization 4-bit"
        in (told[box.outcome])
    )
    assert told[box.take].visible is True
    taken = form.handlers["take"](told[box.offer])
    assert taken[expert.controls["rows_a_pass"]] == 1
    assert taken[form.parts.quantization] == "4-bit"
