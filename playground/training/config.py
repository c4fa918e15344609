"""What one fine-tuning is asked to do, and the presets behind plain words."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from playground.data.fixes import check_fixes
from playground.data.splits import check_split
from playground.errors import InputError
from playground.tasks import Task, get_task
from playground.training.options import check
from playground.types import Attention, Quantization, Shape

Preset = Literal["turbo", "quick", "balanced", "best"]
Init = Literal["default", "pissa", "loftq"]
Optim = Literal["auto", "adamw_torch", "paged_adamw_8bit"]
Schedule = Literal["linear", "cosine", "constant"]
PRESETS: Mapping[Preset, str] = {
    "turbo": "As quick, but only the upper half of the layers learns: less time and memory.",
    "quick": "Three rounds over up to 1,000 rows, or what five minutes allow.",
    "balanced": "Three rounds over up to 5,000 rows; the usual choice.",
    "best": "Four rounds over everything, with a larger adapter; take a break.",
}


@dataclass(frozen=True)
class RunConfig:
    """One fine-tuning run; serialised as ``config.json`` in its folder."""

    task: str
    data: str
    """File, or folder of JSON Lines files, to learn from."""
    name: str
    """Name of the adapter to make."""
    backbone: str
    parent: str = ""
    """Adapter of the same task to go on from; empty: a fresh one."""
    parent_run: str = ""
    """The `run` of that adapter, where it has one."""
    replay: bool = True
    """Whether rows that the parent learnt from are repeated, where they are still there, so that it forgets less."""
    validation: str | None = None
    """Rows to measure on; None holds some of `data` out."""
    columns: dict[str, str] = field(default_factory=dict)
    """Row field to column name; empty: recognised from the file."""
    preset: Preset = "balanced"
    quantization: Quantization = "none"
    """Precision of the frozen weights during training."""
    rank: int = 8
    alpha: int = 16
    dropout: float = 0.0
    target_modules: list[str] = field(default_factory=list)
    """Last parts of the names of the linear layers to adapt; none: all."""
    upper_share: float = 1.0
    """Share of the backbone's blocks, from the top, that get an adapter; each row passes those below only once."""
    use_rslora: bool = False
    use_dora: bool = False
    loraplus_lr_ratio: float = 1.0
    """Learning rate of B over that of A, https://arxiv.org/abs/2402.12354."""
    init: Init = "default"
    """pissa: from the largest singular values of the weights, https://arxiv.org/abs/2404.02948. loftq: from what 4-bit
    quantization takes away from them, https://arxiv.org/abs/2310.08659."""
    learning_rate: float = 5e-4
    optim: Optim = "auto"
    """AdamW, by its name in `transformers`; auto: in 8 bits where quantized weights are trained on a GPU."""
    schedule: Schedule = "linear"
    weight_decay: float = 0.01
    batch_size: int = 16
    """Rows in one step."""
    rows_a_pass: int = 0
    """At most so many rows go through the backbone at once; 0: only their tokens limit that."""
    early_stopping: int = 0
    """Checks one after the other that do worse on rows held back, after which the training ends; 0: none are held
    back."""
    pretrain_epochs: float = 0.0
    """Rounds over the bare texts of the rows before the training."""
    epochs: float = 3.0
    max_rows: int = 5000
    """Rows to learn from; a larger file gives a sample that favours no language."""
    max_length: int = 256
    """Tokens in one window."""
    attention: Attention = "causal"
    time_limit_s: float = 0.0
    """The schedule ends by then, continued pretraining included; 0: no limit. Each of the `stages` has its own."""
    evaluation_rows: int = 200
    base_rows: int | None = None
    """How many of them the base is measured on too; None: all."""
    learning_curve: bool = False
    """Whether the training is done again on a quarter and a half of the rows, to see what more of them are worth."""
    compile: bool = False
    """Compile the blocks with torch.compile: a minute at the start (needs a C++ compiler), then 2 to 3 times faster."""
    seed: int = 0
    class_weights: bool = False
    """Rare labels count more in the loss."""
    fixes: list[str] = field(default_factory=list)
    """Keys of `playground.data.fixes.FIXES`: what is done to the rows before they are split."""
    split: str = "stratified"
    """Key of `playground.data.splits.SPLITS`: which rows are held out where there is no `validation`."""
    split_column: str = ""
    """Column of the file with the group or the time of each row."""
    start_share: float = 0.0
    """Share of the weights from before the training in those after it (WiSE-FT, https://arxiv.org/abs/2109.01903)."""
    logit_adjustment: bool = False
    """Take out of the learning how frequent each label is in each language and source (classify)."""
    source_shares: dict[str, float] = field(default_factory=dict)
    """Share of the rows of a ``source`` that may be drawn, 0 to 1; sources not named: all."""
    validation_shares: dict[str, float] = field(default_factory=dict)
    """The same for the rows to measure on."""
    augmentations: dict[str, float] = field(default_factory=dict)
    """Share of the rows that each of ``data.augment.AUGMENTATIONS`` changes."""
    stages: list[dict[str, Any]] = field(default_factory=list)
    """Settings that differ in each part of the training, one after the other; none: one part with the settings
    above."""
    description: str = ""
    licence: str = "Not stated"
    data_description: str = ""
    data_name: str = ""
    """What cards and commands call `data`; empty: its path."""
    recipe: str = ""
    """The recipe that the other settings come from."""
    run: str = ""
    """What tells the adapter of a run of the page from another one of the same name."""

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False), encoding="utf-8")


def load_config(path: Path) -> RunConfig:
    return as_config(json.loads(path.read_text(encoding="utf-8")))


def as_config(values: Mapping[str, Any]) -> RunConfig:
    """The run of the `values` by name, as `RunConfig.save` writes them; those that this version does not know are left
    out.
    """
    known = {f.name for f in fields(RunConfig)}
    return RunConfig(**{key: value for key, value in values.items() if key in known})


ROWS_A_STEP: Mapping[Shape, int] = {"classify": 16, "tag": 16, "span": 8, "generate": 8}
_USUAL = {"epochs": 3.0, "rank": 8, "alpha": 16, "early_stopping": 3}
_QUICK = {**_USUAL, "max_rows": 1000, "evaluation_rows": 100, "time_limit_s": 300.0}
PRESET_SETTINGS: Mapping[Preset, Mapping[str, Any]] = {
    "turbo": {**_QUICK, "upper_share": 0.5},
    "quick": {**_QUICK, "learning_curve": True},
    "balanced": {**_USUAL, "max_rows": 5000, "evaluation_rows": 200},
    "best": {**_USUAL, "epochs": 4.0, "max_rows": 200_000, "rank": 16, "alpha": 32, "evaluation_rows": 400},
}


def make_config(task: str, data: Path | str, name: str, preset: str, backbone: str, **overrides: Any) -> RunConfig:
    """A run with the settings of `preset` for `task`; `overrides` that are None count as not given.

    Raises:
        InputError: there is no such task, preset, fix or split, or a setting is beyond its limits.
    """
    chosen = next((known for known in PRESETS if known == preset), None)
    if chosen is None:
        raise InputError(f"There is no preset '{preset}'; use one of {', '.join(PRESETS)}.")
    found: Task = get_task(task)
    config = RunConfig(
        task=found.name,
        data=str(data),
        name=name,
        backbone=backbone,
        preset=chosen,
        batch_size=ROWS_A_STEP[found.shape],
        max_length=found.max_length,
        attention=found.attention,
        **PRESET_SETTINGS[chosen],
    )
    made = replace(config, **{key: value for key, value in overrides.items() if value is not None})
    for stage in made.stages or [{}]:
        check(replace(made, **stage), found.shape)
    if not made.validation:
        check_split(made.split, made.split_column)
    return replace(made, fixes=check_fixes(made.fixes))
