"""Recipes of the shipped adapters: everything a run needs but the rows, as JSON in ``adapters/recipes``."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from playground import settings
from playground.errors import InputError
from playground.training.config import RunConfig
from playground.training.corpus import balanced, thin
from playground.training.repair import read_validation
from playground.types import Row

DATA_FOLDER = Path("data")
"""Where the rows are expected when nobody says where."""


def list_recipes() -> list[str]:
    return sorted(path.stem for path in _folder().glob("*.json"))


def read_recipe(name: str, data: Path | None = None, task: str = "") -> dict[str, Any]:
    """Settings of the recipe `name` as keywords of ``RunConfig``.

    Args:
        data: folder with the rows, in which the paths of the recipe lie.
        task: the one that it must be for; any where it is empty.

    Raises:
        InputError: there is no such recipe, it is for another task, or it has a setting that runs don't know.
    """
    if name not in list_recipes():
        raise InputError(f"There is no recipe '{name}'; there are {', '.join(list_recipes()) or 'none'}.")
    recipe: dict[str, Any] = json.loads((_folder() / f"{name}.json").read_text(encoding="utf-8"))
    named = recipe.keys() | {key for stage in recipe.get("stages", []) for key in stage}
    unknown = named - {field.name for field in fields(RunConfig)}
    if unknown:
        raise InputError(f"The recipe '{name}' has settings that runs don't know: {', '.join(sorted(unknown))}.")
    if task and recipe["task"] != task:
        raise InputError(f"The recipe '{name}' is for {recipe['task']}, not for {task}.")
    root = data or DATA_FOLDER
    stages = [_with_paths(stage, root) for stage in recipe.get("stages", [])]
    return {**_with_paths(recipe, root), "stages": stages, "recipe": name}


def rows_to_measure_on(name: str, task: str, data: Path | None, max_rows: int, seed: int) -> list[Row]:
    """A balanced sample of at most `max_rows` rows that the recipe `name` measures on.

    Raises:
        InputError: as `read_recipe`.
        DataError: the rows are not there, or can't be read.
    """
    recipe = RunConfig(**read_recipe(name, data, task) | {"name": "", "backbone": ""})
    return balanced(thin(read_validation(recipe), recipe.validation_shares, seed), max_rows, seed).rows


def _with_paths(settings_of: dict[str, Any], root: Path) -> dict[str, Any]:
    """Settings whose paths, which the recipe gives within the data folder, begin with `root`."""
    return settings_of | {key: str(root / settings_of[key]) for key in ("data", "validation") if key in settings_of}


def _folder() -> Path:
    return settings.shipped_adapters() / "recipes"
