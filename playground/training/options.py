"""What can be set about a training, in words and with limits: the same for page, command line and settings files."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playground.errors import InputError
from playground.types import Shape

if TYPE_CHECKING:
    from playground.training.config import RunConfig

MODULE_NAME = re.compile(r"[A-Za-z]\w{0,63}")
MAX_MODULES = 64


@dataclass(frozen=True)
class Option:
    """A setting of a run that a person may change."""

    name: str
    """Of the field in ``RunConfig``."""
    kind: type
    """int, float, bool, str (one of `choices`) or list (of names)."""
    title: str
    info: str
    low: float = 0
    high: float = 0
    choices: tuple[str, ...] = ()

    @property
    def named(self) -> str:
        """For a sentence: as the page calls it, and settings files."""
        return f"{self.title} ({self.name})"

    @property
    def flag(self) -> str:
        return f"--{self.name.replace('_', '-')}"


OPTIONS = (
    Option("rank", int, "Rank", "Size r of the LoRA matrices: more can learn more, and takes more memory.", 1, 256),
    Option("alpha", int, "Alpha", "How strongly the adapter acts: its update is scaled by alpha / rank.", 1, 1024),
    Option(
        "dropout", float, "Dropout", "Share of the adapter's inputs left out at random; helps with few rows.", 0, 0.9
    ),
    Option("target_modules", list, "Target modules", "Which linear layers get an adapter; none named: all of them."),
    Option(
        *("upper_share", float, "Upper layers"),
        "Share of the layers, from the top, that learn; texts pass those below only once, which is faster. 1: all.",
        *(0.01, 1),
    ),
    Option("use_rslora", bool, "rsLoRA", "Scale by alpha / √rank, so that large ranks learn as fast as small ones."),
    Option("use_dora", bool, "DoRA", "Learn length and direction of the weights apart: often better, slower to train."),
    Option(
        "loraplus_lr_ratio", float, "LoRA+ ratio", "How many times faster matrix B learns than A; 1: equally.", 1, 64
    ),
    Option(
        *("init", str, "Initialisation"),
        "default: the adapter starts as the base; pissa: from the largest directions of the weights; loftq: from what "
        "4-bit quantization takes away from them.",
        choices=("default", "pissa", "loftq"),
    ),
    Option("learning_rate", float, "Learning rate", "Highest size of a step; lower it when the loss jumps.", 1e-7, 1),
    Option(
        *("schedule", str, "Schedule"),
        "How the learning rate falls after the warm-up: linear or cosine to nothing, or constant.",
        choices=("linear", "cosine", "constant"),
    ),
    Option(
        *("optim", str, "Optimizer"),
        "paged_adamw_8bit keeps its moments in a quarter of the memory, moved to the host when a GPU is full; auto: so "
        "for quantized weights on a GPU, adamw_torch otherwise.",
        choices=("auto", "adamw_torch", "paged_adamw_8bit"),
    ),
    Option("weight_decay", float, "Weight decay", "Pulls the adapter's weights towards zero.", 0, 1),
    Option("batch_size", int, "Batch", "Rows in one step.", 1, 1024),
    Option(
        *("rows_a_pass", int, "Rows in a pass"),
        "Gradients of so many rows at a time are accumulated to a batch; 0: as many as fit 2,048 tokens.",
        *(0, 1024),
    ),
    Option(
        *("pretrain_epochs", float, "Continued pretraining"),
        "Rounds over the bare texts of your rows first, without their labels; for words the backbone hardly knows.",
        *(0, 100),
    ),
    Option("epochs", float, "Epochs", "Rounds over the rows.", 0.01, 10_000),
    Option(
        "time_limit_s",
        float,
        "Time budget",
        "Seconds, continued pretraining included, for each part of a recipe: 600 trains for 10 minutes; 0: as long as "
        "needed.",
        0,
        604_800,
    ),
    Option(
        "early_stopping",
        int,
        "Early stopping",
        "End after so many of 10 checks one after the other that do worse on rows held back; 0: off.",
        0,
        10,
    ),
    Option("class_weights", bool, "Class weights", "Rare labels count more (classification only)."),
    Option("max_rows", int, "Most rows", "A larger file gives a sample of so many.", 4, 1_000_000),
    Option("max_length", int, "Longest text", "Tokens in one window; longer texts are cut or give several.", 8, 8192),
    Option(
        *("attention", str, "Attention"),
        "causal: each token sees those before it; bidirectional: all, for labels, entities and answers.",
        choices=("causal", "bidirectional"),
    ),
    Option(
        "evaluation_rows",
        int,
        "Most rows to measure on",
        "Held out, and given to base and adapter at the end.",
        1,
        100_000,
    ),
    Option(
        *("learning_curve", bool, "Learning curve"),
        "Train again on a quarter and a half of the rows, to see what more rows are worth: 75 % more work.",
    ),
    Option("seed", int, "Seed", "Of everything random: the same seed gives the same adapter.", 0, 2**32 - 1),
    Option("compile", bool, "Compile", "torch.compile: a slow start, then faster steps; needs a C++ compiler."),
)
BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}


def checked(option: Option, value: Any) -> Any:
    """`value` as `option` wants it.

    Raises:
        InputError: it is of another kind or beyond the limits.
    """
    wanted = f"{option.named} must be"
    if option.kind is bool:
        if not isinstance(value, bool):
            raise InputError(f"{wanted} true or false, not {_shown(value)}.")
        return value
    if option.kind is str:
        if value not in option.choices:
            raise InputError(f"{wanted} {' or '.join(option.choices)}, not {_shown(value)}.")
        return value
    if option.kind is list:
        names = value if isinstance(value, list) else [value]
        bad = next((name for name in names if not isinstance(name, str) or not MODULE_NAME.fullmatch(name)), None)
        if bad is not None or len(names) > MAX_MODULES:
            raise InputError(f"{wanted} names of layers such as q_proj, not {_shown(bad or value)}.")
        return sorted(set(names))
    return _number(option, value)


def _number(option: Option, value: Any) -> int | float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # The comparisons refuse NaN and infinity too, and take whole numbers of any size.
    is_right = is_number and option.low <= value <= option.high and (option.kind is float or value == int(value))
    if not is_right:
        kind = "a whole number" if option.kind is int else "a number"
        raise InputError(f"{option.named} must be {kind} from {option.low:g} to {option.high:,g}, not {_shown(value)}.")
    return int(value) if option.kind is int else float(value)


def _shown(value: Any) -> str:
    return "empty" if value is None else f"'{str(value)[:60]}'"


def check(config: "RunConfig", shape: Shape) -> None:
    """Raises InputError for a setting beyond its limits, or one that does not go with another or with `shape`."""
    for option in OPTIONS:
        checked(option, getattr(config, option.name))
    if config.class_weights and shape != "classify":
        raise InputError(f"Class weights are for labels; the task '{config.task}' has none: switch them off.")
    if config.init != "default" and config.use_dora:
        title = {"pissa": "PiSSA", "loftq": "LoftQ"}[config.init]
        raise InputError(f"{title} and DoRA both change the weights they start from; choose one of them.")
    if config.init == "loftq" and config.quantization != "4-bit":
        raise InputError(
            f"LoftQ starts from what 4-bit quantization takes away, and the quantization is '{config.quantization}'; "
            "use 4-bit quantization with it, or the initialisation 'default'."
        )
    if config.init == "pissa" and config.quantization != "none":
        raise InputError(
            "PiSSA starts from the exact weights; use no quantization with it, or the initialisation 'default'."
        )
