"""PEFT's adapter files, read without torch: which tensors there are and how each pair is scaled.

Shapes: r rank, I inputs of a layer, O its outputs, L labels, H hidden size.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError, safe_open

from playground.adapters.record import CONFIG_FILE, WEIGHTS_FILE, AdapterRecord
from playground.adapters.untrusted import MAX_JSON_BYTES, parse_object, read_limited, shown, take
from playground.errors import AdapterError

MAX_ADAPTER_BYTES = 256 * 1024 * 1024
FLOATS = frozenset({"F64", "F32", "F16", "BF16"})

# What changes the forward pass or the frozen weights beyond W + scale * B @ A and DoRA's magnitudes.
_UNSUPPORTED = (
    "use_qalora",
    "use_bdlora",
    "lora_bias",
    "alora_invocation_tokens",
    "arrow_config",
    "corda_config",
    "kasa_config",
    "layer_replication",
    "lora_ga_config",
    "loftq_config",
    "megatron_config",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "velora_config",
)
_INITS_THAT_KEEP_THE_BACKBONE = (None, True, False, "gaussian", "orthogonal")
_LORA_KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
_MAGNITUDE_KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_magnitude_vector")
_HEAD_KEY = re.compile(r"base_model\.model\.(?:[\w.]+\.)?(?:score|classifier)\.(?P<part>weight|bias)")
# PEFT takes each pattern key as a regular expression; one from elsewhere could take forever, so repetition is out.
_PATTERN_KEY = re.compile(r"\^?[\w.]+")
_MODULE_NAME = re.compile(r"[\w.-]+")
_NAMES_OF_MODULES = ("target_modules", "exclude_modules", "layers_pattern")
"""PEFT takes a bare text in their place as a regular expression, too."""


@dataclass(frozen=True)
class LoraSettings:
    """The part of ``adapter_config.json`` that decides how the tensors are used."""

    rank: int
    alpha: float
    rank_pattern: Mapping[str, Any]
    alpha_pattern: Mapping[str, Any]
    use_rslora: bool
    use_dora: bool

    def scale(self, module: str) -> float:
        """Factor of B @ A: alpha / r, or alpha / sqrt(r) with rank stabilisation (https://arxiv.org/abs/2312.03732)."""
        alpha = float(_match(self.alpha_pattern, module, self.alpha))
        rank = self.rank_of(module)
        return alpha / math.sqrt(rank) if self.use_rslora else alpha / rank

    def rank_of(self, module: str) -> int:
        return int(_match(self.rank_pattern, module, self.rank))


@dataclass(frozen=True)
class Layout:
    """Names of the tensors in the weights file."""

    pairs: Mapping[str, tuple[str, str]]
    """A (r, I) and B (O, r) of each module path."""
    magnitudes: Mapping[str, str]
    """DoRA's lengths of the rows of W + scale * B @ A, (O,), of each module path; none without DoRA."""
    head: str | None
    """Weight (L, H)."""
    head_bias: str | None
    """(L,)"""


@dataclass(frozen=True)
class _Tensor:
    shape: tuple[int, ...]
    dtype: str


def read_settings(record: AdapterRecord) -> LoraSettings:
    """What ``adapter_config.json`` says.

    Raises:
        AdapterError: it is not plain LoRA, or a value can't be used.
    """
    where = f"{record.title}: {CONFIG_FILE}"
    config = parse_object(read_limited(record.path / CONFIG_FILE, MAX_JSON_BYTES, record.title), where)
    _check_plain(config, where)
    rank, alpha = take(config, "r", int, where), take(config, "lora_alpha", float, where)
    ranks, alphas = config.get("rank_pattern") or {}, config.get("alpha_pattern") or {}
    for kind, patterns in ((int, ranks), (float, alphas)):
        for key in take({"pattern": patterns}, "pattern", dict, where):
            if not _PATTERN_KEY.fullmatch(key):
                raise AdapterError(f"{where}: the pattern {shown(key)} must be a plain module name.")
            take(patterns, key, kind, where)
    for value in (rank, *ranks.values()):
        if value < 1:
            raise AdapterError(f"{where}: a rank must be at least 1, not {value}.")
    use_rslora, use_dora = (take(config, key, bool, where, default=False) for key in ("use_rslora", "use_dora"))
    return LoraSettings(rank, alpha, ranks, alphas, use_rslora, use_dora)


def read_layout(record: AdapterRecord) -> Layout:
    """Names of the tensors in ``adapter_model.safetensors``, checked against settings, shape and labels.

    Raises:
        AdapterError: the file is broken, holds other tensors than LoRA pairs and a head, or they don't fit together.
    """
    settings = read_settings(record)
    tensors = _read_header(record)
    where = f"{record.title}: {WEIGHTS_FILE}"
    layout = _sort(tensors, where)
    for module, names in layout.pairs.items():
        shapes = [tensors[name].shape for name in names]
        _check_pair(settings.rank_of(module), shapes, f"{where}: {shown(module)}")
    _check_magnitudes(settings, layout, tensors, where)
    _check_head(record, layout, tensors, where)
    return layout


def _match(patterns: Mapping[str, Any], module: str, default: float) -> float:
    """PEFT's rule: the first pattern that equals the end of the path from a dot on."""
    for pattern, value in patterns.items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return float(value)
    return default


def _check_plain(config: dict[str, Any], where: str) -> None:
    kind = take(config, "peft_type", str, where)
    if kind != "LORA":
        raise AdapterError(f"{where} is for {shown(kind)}; only LoRA adapters can be used.")
    for key in _UNSUPPORTED:
        if config.get(key):
            raise AdapterError(f"{where} sets '{key}'; only plain LoRA can be used.")
    for key in _NAMES_OF_MODULES:
        for name in config[key] if isinstance(config.get(key), list) else [config.get(key)]:
            if name is not None and not (isinstance(name, str) and _MODULE_NAME.fullmatch(name)):
                raise AdapterError(f"{where}: '{key}' must hold plain module names, not {shown(name)}.")
    if config.get("bias", "none") != "none":
        raise AdapterError(f"{where} trains biases ('bias': {shown(config['bias'])}); only plain LoRA can be used.")
    init = config.get("init_lora_weights")
    if init not in _INITS_THAT_KEEP_THE_BACKBONE:
        raise AdapterError(f"{where}: 'init_lora_weights' is {shown(init)}, which needs a changed backbone.")


def _read_header(record: AdapterRecord) -> dict[str, _Tensor]:
    try:
        with safe_open(record.path / WEIGHTS_FILE, framework="numpy") as weights:
            slices = {name: weights.get_slice(name) for name in weights.keys()}  # noqa: SIM118 (it is no mapping)
            return {name: _Tensor(tuple(s.get_shape()), s.get_dtype()) for name, s in slices.items()}
    except (SafetensorError, OSError) as err:
        raise AdapterError(
            f"{record.title}: {WEIGHTS_FILE} is damaged or no safetensors file ({err}); import the adapter again."
        ) from err


def _sort(tensors: Mapping[str, _Tensor], where: str) -> Layout:
    sides: dict[str, dict[str, str]] = {"A": {}, "B": {}}
    magnitudes: dict[str, str] = {}
    head: dict[str, str] = {}
    for name, tensor in tensors.items():
        if tensor.dtype not in FLOATS:
            raise AdapterError(f"{where}: {shown(name)} has the type {tensor.dtype}; only floating point can be used.")
        if match := _LORA_KEY.fullmatch(name):
            sides[match["side"]][match["module"]] = name
        elif match := _MAGNITUDE_KEY.fullmatch(name):
            magnitudes[match["module"]] = name
        elif match := _HEAD_KEY.fullmatch(name):
            if match["part"] in head:
                raise AdapterError(f"{where} has two heads, {shown(head[match['part']])} and {shown(name)}.")
            head[match["part"]] = name
        else:
            raise AdapterError(
                f"{where}: {shown(name)} is neither LoRA A or B nor a head; only LoRA with a linear head can be used."
            )
    lonely = sides["A"].keys() ^ sides["B"].keys()
    if lonely or not sides["A"]:
        raise AdapterError(f"{where} lacks the A or B of {shown(min(lonely)) if lonely else 'every module'}.")
    pairs = {module: (name, sides["B"][module]) for module, name in sides["A"].items()}
    return Layout(pairs, magnitudes, head.get("weight"), head.get("bias"))


def _check_pair(rank: int, shapes: list[tuple[int, ...]], where: str) -> None:
    a, b = shapes
    if len(a) != 2 or len(b) != 2 or a[0] != rank or b[1] != rank:
        raise AdapterError(f"{where} has A {a} and B {b}, which is no pair of rank {rank} as {CONFIG_FILE} says.")


def _check_magnitudes(settings: LoraSettings, layout: Layout, tensors: Mapping[str, _Tensor], where: str) -> None:
    wanted = layout.pairs.keys() if settings.use_dora else set()
    if odd := layout.magnitudes.keys() ^ wanted:
        said = "sets" if settings.use_dora else "does not set"
        which = "lacks the DoRA magnitude" if min(odd) in wanted else "has a DoRA magnitude"
        raise AdapterError(f"{where} {which} of {shown(min(odd))}, but {CONFIG_FILE} {said} 'use_dora'.")
    for module, name in layout.magnitudes.items():
        outputs = tensors[layout.pairs[module][1]].shape[0]
        if tensors[name].shape != (outputs,):
            raise AdapterError(f"{where}: '{name}' has the shape {tensors[name].shape}, not ({outputs},).")


def _check_head(record: AdapterRecord, layout: Layout, tensors: Mapping[str, _Tensor], where: str) -> None:
    if layout.head is None:
        if record.shape != "generate" or layout.head_bias is not None:
            raise AdapterError(
                f"{where} has no head (a tensor called score.weight or classifier.weight), "
                f"which a '{record.shape}' adapter needs; train it again."
            )
        return
    shape = tensors[layout.head].shape
    num_labels = len(record.labels) or (shape[0] if shape else 0)
    if len(shape) != 2 or shape[0] != num_labels:
        raise AdapterError(f"{where}: the head has the shape {shape}, but there are {num_labels} labels.")
    if layout.head_bias is not None and tensors[layout.head_bias].shape != (num_labels,):
        raise AdapterError(f"{where}: the head's bias has the shape {tensors[layout.head_bias].shape}.")
