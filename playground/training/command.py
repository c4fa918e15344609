"""The command that makes an adapter again."""

import shlex
from pathlib import Path
from typing import Any

from playground.backbones.catalogue import EMBEDDED_ID
from playground.training.config import RunConfig, make_config
from playground.training.options import OPTIONS
from playground.training.recipes import read_recipe

ALWAYS_NAMED = (
    *("preset", "quantization", "rank", "alpha", "learning_rate", "batch_size", "epochs", "max_rows", "max_length"),
    "attention",
)
"""Without a recipe; the quantization too, because a command without it leaves the choice to the machine."""
NAMED_IF_UNUSUAL = (
    "base_rows",
    *(option.name for option in OPTIONS if option.name not in ALWAYS_NAMED),
)


def command_line(config: RunConfig) -> str:
    """The command that makes this adapter again; where a recipe says the rest, what differs from it."""
    words = ["python -m playground train", config.task]
    if config.recipe:
        words += ["--recipe", config.recipe]
        usual = make_config(backbone=config.backbone, **read_recipe(config.recipe))
    else:
        usual = make_config(config.task, "", "", config.preset, config.backbone)
        words += ["--data", shlex.quote(config.data_name or config.data)]
        if config.validation:
            # A run of the page has a copy, whose folder is nobody's business.
            name = Path(config.validation).name if config.data_name else config.validation
            words += ["--validation", shlex.quote(name)]
    words += ["--name", config.name]
    if config.parent and (config.parent, config.replay) != (usual.parent, usual.replay):
        words += ["--parent", config.parent, *([] if config.replay else ["--no-replay"])]
    for name, column in config.columns.items():
        words += ["--column", shlex.quote(f"{name}={column}")]
    for fix in config.fixes:
        words += ["--fix", fix]
    if config.split != "stratified" and not config.validation:
        words += ["--split", config.split, "--split-column", shlex.quote(config.split_column)]
    if config.backbone != EMBEDDED_ID:
        words += ["--backbone", shlex.quote(config.backbone)]
    for option in (*ALWAYS_NAMED, *NAMED_IF_UNUSUAL):
        value = getattr(config, option)
        if value != getattr(usual, option) or (option in ALWAYS_NAMED and not config.recipe):
            words += _named(option, value)
    return " ".join(words)


def _named(option: str, value: Any) -> list[str]:
    flag = option.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", ",".join(value) if isinstance(value, list) else str(value)]
