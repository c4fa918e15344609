"""Adapters beside each other: what they reach, and in what they differ."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from playground.adapters.figures import figure, metric_title
from playground.adapters.peft_format import read_settings
from playground.adapters.record import AdapterRecord

NOTHING = "-"
OF_THE_TRAINING = {
    "data": "Data",
    "rows": "Rows",
    "languages": "Languages",
    "preset": "Preset",
    "steps": "Steps",
    "quantization": "Quantization while training",
    "split": "Rows to measure on",
    "fixes": "Fixes of the rows",
    "seed": "Seed",
    "wall_time_s": "Training time in seconds",
}
SAID_ALREADY = {
    *("--name", "--data", "--validation", "--backbone", "--preset", "--rank", "--alpha", "--use-rslora", "--use-dora"),
    *("--attention", "--max-length", "--quantization", "--fix", "--split", "--split-column", "--seed"),
}
"""Options of the command that are among the other settings, or say nothing about the training."""


def titles(records: Sequence[AdapterRecord]) -> list[str]:
    """What the columns are called: names, with their task where two have the same."""
    names = [record.name for record in records]
    return [f"{record.task}/{record.name}" if names.count(record.name) > 1 else record.name for record in records]


def metrics_table(records: Sequence[AdapterRecord]) -> list[list[str]]:
    """Header and lines: each metric, and what was measured on."""
    scores = [record.metrics.get("adapter") for record in records]
    mains = dict.fromkeys(one["main"] for one in scores if one)
    names = [*mains, *(name for one in scores if one for name in one["metrics"] if name not in mains)]
    parents = [record.metrics.get("parent") for record in records]
    return [
        ["", *titles(records)],
        *([metric_title(name), *(_figure(one, name) for one in scores)] for name in dict.fromkeys(names)),
        *(
            [f"{metric_title(name)} of the adapter before", *(_figure(one, name) for one in parents)]
            for name in (mains if any(parents) else ())
        ),
        *([f"{metric_title(name)} without adapter", *(_figure(_base(one), name) for one in records)] for name in mains),
        ["Rows measured on", *(f"{one['n']:,}" if one else NOTHING for one in scores)],
        ["Measured on", *(measured_on(record) for record in records)],
    ]


def measured_on(record: AdapterRecord) -> str:
    return str(record.metrics.get("data") or NOTHING)


def differences(columns: Sequence[str], settings: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """Header and a line for each setting that is not the same in all; no line where all are.

    Args:
        columns: what the adapters or runs are called.
        settings: of each, by title.
    """
    names = dict.fromkeys(name for one in settings for name in one)
    lines = [[name, *(one.get(name, NOTHING) for one in settings)] for name in names]
    return [["", *columns], *(line for line in lines if len(set(line[1:])) > 1)]


def settings_of(record: AdapterRecord) -> dict[str, str]:
    """What the adapter is and how it was made, by title.

    Raises:
        AdapterError: ``adapter_config.json`` can't be read.
    """
    lora = read_settings(record)
    training = record.training
    return {
        "Backbone": f"{record.backbone['id']} ({record.backbone['checksum'][:8]})",
        "Labels": ", ".join(record.labels),
        "Rank": str(lora.rank),
        "Alpha": f"{lora.alpha:g}",
        "rsLoRA": str(lora.use_rslora).lower(),
        "DoRA": str(lora.use_dora).lower(),
        "Attention": record.attention,
        "Tokens in one window": str(record.max_length),
        "Prompt": record.prompt,
        **{title: _shown(training[key]) for key, title in OF_THE_TRAINING.items() if key in training},
        **options_of(str(training.get("command", ""))),
        **{f"generation: {name}": _shown(value) for name, value in record.generation.items()},
    }


def options_of(command: str) -> dict[str, str]:
    """The options in the command that made an adapter."""
    try:
        words = shlex.split(command)
    except ValueError:  # an imported adapter may have any text here
        return {}
    found: dict[str, str] = {}
    for place, word in enumerate(words):
        if word.startswith("--") and word not in SAID_ALREADY:
            after = words[place + 1 : place + 2]
            value = after[0] if after and not after[0].startswith("--") else "yes"
            found[word] = f"{found[word]}, {value}" if word in found else value
    return found


def _base(record: AdapterRecord) -> Mapping[str, Any] | None:
    base: Mapping[str, Any] | None = record.metrics.get("base")
    return base


def _figure(scores: Mapping[str, Any] | None, name: str) -> str:
    return figure(scores, name) if scores and name in scores["metrics"] else NOTHING


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
