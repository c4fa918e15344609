"""Going on from an adapter that is there: its settings, labels and weights, and the rows that it learnt from."""

import random
from collections.abc import Sequence
from dataclasses import replace

import torch

from playground.adapters import store
from playground.adapters.peft_format import LoraSettings, read_layout, read_settings
from playground.adapters.record import AdapterRecord
from playground.adapters.weights import read_tensors
from playground.errors import AdapterError, InputError
from playground.training.config import RunConfig
from playground.training.options import BY_NAME, OPTIONS, checked
from playground.training.repair import without_leaks
from playground.training.trainee import Trainee
from playground.types import Row

OLD_ROWS_A_NEW_ONE = 4
FEWEST_OLD_ROWS = 200
"""So many are repeated at least, even beside a handful of new ones, so that what was learnt is not forgotten."""


def parent_of(config: RunConfig) -> AdapterRecord | None:
    """The adapter that the run goes on from; None: it begins with a fresh one.

    Raises:
        AdapterError: it is gone or damaged.
    """
    return store.find(config.task, config.parent) if config.parent else None


def with_settings_of(parent: AdapterRecord, config: RunConfig) -> RunConfig:
    """`config` with what the weights of `parent` decide.

    Raises:
        InputError: its layers have different ranks, or its record does not say which of them learnt.
    """
    found, layout = read_settings(parent), read_layout(parent)
    if found.rank_pattern or found.alpha_pattern:
        raise InputError(f"'{parent.title}' has layers of different ranks, which can't be trained further here.")
    return replace(
        config,
        parent_run=str(parent.training.get("run", "")),
        rank=found.rank,
        alpha=_whole_alpha(found),
        use_rslora=found.use_rslora,
        use_dora=found.use_dora,
        init="default",
        target_modules=sorted({module.rsplit(".", 1)[-1] for module in layout.pairs}),
        upper_share=checked(BY_NAME["upper_share"], parent.training.get("upper_share", 1.0)),
        attention=parent.attention,
    )


def told_apart(config: RunConfig, settled: RunConfig) -> str:
    """A sentence about the settings in which `settled`, as `with_settings_of` gives it, is not what `config` asks for;
    empty: it is in all.
    """
    titles = [
        option.title
        for option in OPTIONS
        # No target modules named: whichever there are.
        if getattr(config, option.name) not in (getattr(settled, option.name), [])
    ]
    if not titles:
        return ""
    return f"Going on from '{config.parent}' takes some settings from it, whatever was chosen: {', '.join(titles)}."


def _whole_alpha(found: LoraSettings) -> int:
    return max(int(found.alpha), 1)


def check_backbone(parent: AdapterRecord, backbone_id: str, checksum: str) -> None:
    """Raises AdapterError when `parent` was made for another backbone."""
    if not parent.is_for(backbone_id, checksum):
        raise AdapterError(
            f"'{parent.title}' was made for the backbone '{parent.backbone['id']}', not for '{backbone_id}'; start "
            "with a fresh adapter."
        )


def put_weights(parent: AdapterRecord, trainee: Trainee) -> None:
    """Puts the weights of `parent` into `trainee`; outputs of the head for new labels stay as they are.

    Raises:
        AdapterError: it is damaged, or has other layers.
    """
    kept, found = read_tensors(parent), read_settings(parent)
    grown = found.alpha / _whole_alpha(found)  # adapters made elsewhere may have any alpha
    mine = {_saved_name(name): weight for name, weight in trainee.named_parameters() if weight.requires_grad}
    if kept.keys() != mine.keys():
        raise AdapterError(f"'{parent.title}' has other layers than the backbone; start with a fresh adapter.")
    with torch.no_grad():
        for name, weight in mine.items():
            known = kept[name].to(weight) * (grown if ".lora_B." in name else 1.0)
            weight[: len(known)] = known


def _saved_name(name: str) -> str:
    """As PEFT calls a parameter of the trainee in its file."""
    return name.removeprefix("model.").replace(".default", "").replace("modules_to_save.", "")


def replayed(task: str, old: Sequence[Row], new: Sequence[Row], seed: int) -> list[Row]:
    """Some of the rows in `old`, none of which resembles one of `new`: what those correct is not learnt again."""
    fresh, _ = without_leaks(task, old, new)
    size = max(OLD_ROWS_A_NEW_ONE * len(new), FEWEST_OLD_ROWS)
    return random.Random(seed).sample(fresh, min(size, len(fresh)))
