"""The settings of a training as a JSON file that people keep, share and load again."""

import json
from pathlib import Path
from typing import Any, get_args

from playground.errors import InputError
from playground.training.config import PRESETS, RunConfig
from playground.training.options import BY_NAME, OPTIONS, checked
from playground.types import Quantization

CHOICES = {"preset": tuple(PRESETS), "quantization": get_args(Quantization)}
"""Settings beside the `OPTIONS`, with what they may be."""
MAX_BYTES = 100_000


def settings_text(config: RunConfig) -> str:
    """The file of the settings of `config`; rows, name and backbone are not part of it."""
    names = [*CHOICES, *(option.name for option in OPTIONS)]
    return json.dumps({name: getattr(config, name) for name in names}, indent=1, ensure_ascii=False) + "\n"


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a file, as `parse_settings` takes them.

    Raises:
        InputError: it is no such file, or one of them is not allowed.
        FileNotFoundError: there is none.
    """
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputError(f"The file of settings has more than {MAX_BYTES:,} bytes; load one that was downloaded here.")
    try:
        return parse_settings(content.decode("utf-8-sig"))
    except UnicodeDecodeError as err:
        raise InputError("The file of settings is not UTF-8; load one that was downloaded here.") from err


def parse_settings(text: str) -> dict[str, Any]:
    """The settings in a file's `text`, each checked; as keywords of `RunConfig`.

    Raises:
        InputError: it is no such file, or names the setting that is unknown or beyond its limits.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise InputError(f"The settings are no JSON ({err}); load a file that was downloaded here.") from err
    if not isinstance(values, dict):
        raise InputError('The settings must be one JSON object, such as {"rank": 16}.')
    return {name: _setting(name, value) for name, value in values.items()}


def _setting(name: str, value: Any) -> Any:
    if name in BY_NAME:
        return checked(BY_NAME[name], value)
    if name not in CHOICES:
        raise InputError(f"There is no setting '{name[:60]}'; there are {', '.join([*CHOICES, *BY_NAME])}.")
    if value not in CHOICES[name]:
        raise InputError(f"'{name}' must be {' or '.join(CHOICES[name])}, not '{str(value)[:60]}'.")
    return value
