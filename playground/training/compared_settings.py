"""The settings of adapters and runs, by the titles that the page has for them, so that they can be compared."""

import shlex
from collections.abc import Mapping
from typing import Any

from playground.adapters.peft_format import read_settings
from playground.adapters.record import AdapterRecord
from playground.errors import InputError
from playground.training.command import command_line
from playground.training.config import RunConfig, make_config
from playground.training.options import BY_NAME, OPTIONS, Option
from playground.training.recipes import read_recipe
from playground.training.run_files import RunState

OF_THE_TRAINING = {
    "data": "Data",
    "rows": "Rows",
    "languages": "Languages",
    "preset": "Preset",
    "steps": "Steps",
    "quantization": "Quantization",
    "split": "Split",
    "fixes": "Fixes",
    "update_size": "Size of its update, as a share of the weights",
    "wall_time_s": "Training time in seconds",
}
"""Titles of what the record of an adapter says about its training."""
OF_THE_COMMAND = {
    "--recipe": "Recipe",
    "--parent": "Start from",
    "--replay": "Old rows repeated",
    "--column": "Columns",
    "--base-rows": "Rows that the base is measured on",
}
"""Titles of what only a command says, beside the `OPTIONS`."""
KNOWN_LATER = (
    *("Labels", "Prompt", "Languages", "Steps", "Split", "Fixes", "Training time in seconds"),
    OF_THE_TRAINING["update_size"],
)
"""Titles of what a run has at its end only."""


def of_adapter(record: AdapterRecord) -> dict[str, str]:
    """What the adapter is and how it was made, by title.

    Raises:
        AdapterError: ``adapter_config.json`` can't be read.
    """
    lora, training = read_settings(record), record.training
    return {
        "Backbone": f"{record.backbone['id']} ({record.backbone['checksum'][:8]})",
        "Labels": ", ".join(record.labels),
        **_of_command(record.task, str(training.get("command", ""))),
        **_titled("rank", lora.rank),
        **_titled("alpha", lora.alpha),
        **_titled("use_rslora", lora.use_rslora),
        **_titled("use_dora", lora.use_dora),
        **_titled("attention", record.attention),
        **_titled("max_length", record.max_length),
        "Prompt": record.prompt,
        **{title: _shown(training[key]) for key, title in OF_THE_TRAINING.items() if key in training},
        **(_titled("seed", training["seed"]) if "seed" in training else {}),
        **{f"generation: {name}": _shown(value) for name, value in record.generation.items()},
    }


def of_adapter_beside_runs(record: AdapterRecord) -> dict[str, str]:
    """Those of an adapter that a run has from the start. Raises AdapterError as `of_adapter`."""
    found = {title: value for title, value in of_adapter(record).items() if title not in KNOWN_LATER}
    return found | {"Backbone": record.backbone["id"]}


def of_run(state: RunState) -> dict[str, str]:
    """Those of a run, by title."""
    config, learnt = state.config, state.material.get("training_rows")
    return {
        "Backbone": config.backbone,
        **_of_command(config.task, command_line(config)),
        "Data": config.data_name or config.data,
        **({"Rows": f"{learnt:,}"} if learnt is not None else {}),
        "Preset": config.preset,
        "Quantization": config.quantization,
    }


def _of_command(task: str, command: str) -> dict[str, str]:
    """The settings in the command that made an adapter, with those that its preset or recipe decided."""
    given = _flags(command)
    usual = _usual(task, given)
    found = {title: given[flag] for flag, title in OF_THE_COMMAND.items() if flag in given}
    for option in OPTIONS:
        if option.flag in given:
            found |= _titled(option.name, given[option.flag])
        elif usual:
            found |= _titled(option.name, getattr(usual, option.name))
    return found


def _flags(command: str) -> dict[str, str]:
    """What a command says, by its long options: ``yes`` and ``no`` for those without a value."""
    try:
        words = shlex.split(command)
    except ValueError:  # an imported adapter may have any text here
        return {}
    found: dict[str, str] = {}
    for word, after in zip(words, [*words, "--"][1:], strict=True):
        if word.startswith("--no-"):
            found[f"--{word.removeprefix('--no-')}"] = "no"
        elif word.startswith("--"):
            value = "yes" if after.startswith("--") else after
            found[word] = f"{found[word]}, {value}" if word in found else value
    return found


def _usual(task: str, given: Mapping[str, str]) -> RunConfig | None:
    """What holds where a command says nothing; None: it names no preset or recipe that there is."""
    try:
        if "--recipe" in given:
            return make_config(backbone="", **read_recipe(given["--recipe"], task=task))
        return make_config(task, "", "", given["--preset"], "") if "--preset" in given else None
    except InputError:
        return None


def _titled(name: str, value: Any) -> dict[str, str]:
    option = BY_NAME[name]
    return {option.title: _as_kind(option, value)}


def _as_kind(option: Option, value: Any) -> str:
    """A value, or its text in a command, in words that are the same for the same value."""
    try:
        if option.kind is int:
            return f"{int(value):,}"
        if option.kind is float:
            return f"{float(value):g}"
    except (ValueError, OverflowError):
        return str(value)
    if option.kind is list:
        names = value.split(",") if isinstance(value, str) else value
        return ", ".join(sorted(names)) or "all"
    return _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
