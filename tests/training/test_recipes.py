import json
from dataclasses import fields
from pathlib import Path

import pytest

from playground import settings
from playground.backbones.catalogue import EMBEDDED_ID
from playground.cli import _parser, _training_settings
from playground.errors import InputError
from playground.tasks import get_task
from playground.training.command import command_line
from playground.training.config import RunConfig, make_config
from playground.training.recipes import list_recipes, read_recipe

every_recipe = pytest.mark.parametrize("name", list_recipes())


def settings_of(*words):
    return _training_settings(_parser().parse_args(["train", *map(str, words)]))


def test_every_task_of_the_page_has_a_recipe():
    assert set(list_recipes()) >= {"sentiment", "ner", "qa", "summarize", "translate"}


@every_recipe
def test_a_recipe_makes_a_run_on_rows_in_a_folder_of_ones_own(name, tmp_path):
    config = make_config(backbone=EMBEDDED_ID, **read_recipe(name, tmp_path))
    assert get_task(config.task).name == config.task
    assert Path(config.data).is_relative_to(tmp_path)
    assert Path(config.validation).is_relative_to(tmp_path)
    assert "dev" not in Path(config.data).relative_to(tmp_path).parts
    assert config.recipe == name
    assert all((config.description, config.licence, config.data_description))


@every_recipe
def test_the_command_of_a_recipe_is_short_and_gives_the_same_run(name):
    config = make_config(backbone=EMBEDDED_ID, **read_recipe(name))
    command = command_line(config)
    assert command == f"python -m playground train {config.task} --recipe {name} --name {config.name}"
    again = make_config(backbone=EMBEDDED_ID, **settings_of(*command.split()[4:]))
    assert {f.name: getattr(again, f.name) for f in fields(RunConfig)} == vars(config)


def test_the_command_line_goes_before_the_recipe_and_shows_in_the_command(tmp_path):
    found = settings_of("qa", "--recipe", "qa", "--data", tmp_path, "--name", "mine", "--rank", 4, "--seed", 7)
    config = make_config(backbone=EMBEDDED_ID, **found)
    assert (config.name, config.rank, config.seed) == ("mine", 4, 7)
    assert config.data == str(tmp_path / "train" / "qa")
    assert command_line(config) == "python -m playground train qa --recipe qa --name mine --rank 4 --seed 7"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("qa", "--recipe", "nothing"), "no recipe 'nothing'; there are"),
        (("qa", "--recipe", "../ner"), "no recipe '../ner'"),
        (("ner", "--recipe", "qa"), "is for qa, not for ner"),
        (("qa", "--name", "x"), "--data must be given"),
        (("qa",), "--data and --name must be given"),
    ],
)
def test_mistakes_are_named(words, says):
    with pytest.raises(InputError, match=says):
        settings_of(*words)


def test_an_unknown_setting_is_refused(no_shipped_adapters):
    folder = settings.shipped_adapters() / "recipes"
    folder.mkdir()
    (folder / "odd.json").write_text(json.dumps({"task": "qa", "data": "a", "validation": "b", "ranks": 3}))
    with pytest.raises(InputError, match="ranks"):
        read_recipe("odd")
