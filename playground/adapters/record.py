"""What is known about an adapter: the contents of its ``playground.json``."""

import json
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from hashlib import sha256
from pathlib import Path, PureWindowsPath
from string import Formatter
from typing import Any, Literal, get_args

from playground.adapters.untrusted import MAX_JSON_BYTES, is_kind, parse_object, read_limited, shown, take, take_texts
from playground.errors import AdapterError
from playground.types import Attention, Precision, Quantization, Shape

SCHEMA_VERSION = 1
RECORD_FILE = "playground.json"
CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
CARD_FILE = "README.md"
REPORT_FILE = "report.json"
HASHED_FILES = (CONFIG_FILE, WEIGHTS_FILE, CARD_FILE, REPORT_FILE)

RESERVED_NAMES = frozenset({"none"})  # the command line's word for the base without an adapter
MAX_PROMPT_CHARS = 10_000
MAX_LENGTH_TOKENS = 131_072
MAX_LABELS = 10_000
LEARNT_FILE = "learnt_from.json"
"""Of an adapter made on the command line: see `playground.training.learnt_rows`."""
MAX_BEAMS = 16
MIN_TEMPERATURE = 0.001
MAX_TEMPERATURE = 1000
MAX_PROBES = 8
MAX_PROBE_VALUES = 4096

Origin = Literal["shipped", "own"]

NOT_IN_RECORD = ("path", "origin", "owner")
NAME = r"[a-z0-9][a-z0-9._-]{0,63}"
"""What the name of an adapter or a task looks like."""
_NAME = re.compile(NAME)
_BIO = re.compile(r"O|[BI]-.+", re.DOTALL)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_TRAINING_KINDS: Mapping[str, type] = {
    "data": str,
    "licence": str,
    "rows": int,
    "seed": int,
    "wall_time_s": float,
    "upper_share": float,
    "command": str,
    "preset": str,
    "languages": list,
    "direction": list,
    "turns": int,
    "instructions": str,
    "untrained": list,
    "duplicates": int,
    "fixes": dict,
    "split": str,
    "parent": str,
    "replayed": int,
    "reloaded": str,
    "update_size": float,
}


@dataclass(frozen=True)
class AdapterRecord:
    """An adapter and where it lies; all but the last three is what ``playground.json`` says."""

    name: str
    task: str
    shape: Shape
    backbone: Mapping[str, str]
    """``id`` and ``checksum`` of the backbone that it was trained on."""
    labels: tuple[str, ...] = ()
    """In the order of the head's rows."""
    attention: Attention = "causal"
    prompt: str = ""
    """``str.format`` template over the row's fields, plain ``{field}`` only."""
    max_length: int = 256
    """Tokens in one window."""
    generation: Mapping[str, Any] = field(default_factory=dict)
    """Defaults of decoding, such as ``max_new_tokens``."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """``data``, ``licence``, ``rows``, ``seed``, ``wall_time_s``, ``command``, ``preset``, ``languages``,
    ``direction`` (source and target language of most of its rows), ``untrained`` (languages that it never saw),
    ``turns`` (messages that came before the longest conversation's reply, where there were several),
    ``duplicates`` (rows dropped because they resemble a measured one), ``fixes`` (rows that each fix of the data
    dropped, changed or added), ``split`` (which rows were held out), ``reloaded`` (what came of loading it again in a
    fresh process), ``update_size`` (of what it adds, as a share of the weights that it is added to)."""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """``adapter``, ``base`` and ``trivial``: ``{metrics: {key: value}, main: key, n, interval: [low, high]}`` on the
    same held-out rows, the base's perhaps on some of them; ``trivial_title``: what the trivial answer is;
    ``by_language``, ``base_by_language`` and ``trivial_by_language``: such an object a language; ``data``: what the
    rows are; ``difference``: ``value``, ``interval`` and ``p_value`` of adapter against base."""
    created: str = ""
    """ISO 8601 time."""
    description: str = ""
    decision: Mapping[str, float] = field(default_factory=dict)
    """Numbers that turn scores into answers, such as ``no_answer_threshold`` or ``temperature``."""
    probe: Mapping[str, Any] = field(default_factory=dict)
    """What it said right after its training, to compare with later: ``ids`` (token ids of a few rows), ``outputs``
    (some of the logits of each), ``quantization`` and ``dtype`` of the backbone then; empty in adapters without."""
    files: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of each file that matters, by file name."""
    path: Path = Path()
    origin: Origin = "own"
    owner: str = ""
    """Key of the visitor whose adapter it is; empty: the owner of the app. It lies beside the record, not in it."""

    @property
    def key(self) -> str:
        """Identity for caches: another one as soon as the weights are others, also under the same name."""
        return f"{self.origin}/{self.task}/{self.name}@{self.files[WEIGHTS_FILE][:16]}"

    @property
    def title(self) -> str:
        """How messages call it."""
        return f"Adapter '{self.task}/{self.name}'"

    def is_for(self, backbone_id: str, checksum: str) -> bool:
        """Whether it was made for that very backbone."""
        return bool(self.backbone["id"] == backbone_id and self.backbone["checksum"] == checksum)


def check_name(name: object, what: str = "adapter") -> str:
    """`name` if it can be a folder under ``adapters/``.

    Raises:
        AdapterError: it can't; the message says what a name looks like.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in RESERVED_NAMES:
        raise AdapterError(
            f"{shown(name)} can't be the name of an {what}; use 1 to 64 of the characters a-z 0-9 . _ - "
            "and begin with a letter or a digit, for example my-reviews"
            + (f" (the word '{name}' is reserved)." if isinstance(name, str) and name in RESERVED_NAMES else ".")
        )
    return name


def hash_files(folder: Path, names: Iterable[str] = (CONFIG_FILE, WEIGHTS_FILE)) -> dict[str, str]:
    """SHA-256 of the named files in `folder`, for ``AdapterRecord.files`` of an adapter just made."""
    return {name: sha256((folder / name).read_bytes()).hexdigest() for name in names}


def read_record(folder: Path, origin: Origin) -> AdapterRecord:
    """What ``playground.json`` in `folder` says.

    Raises:
        AdapterError: it is missing or not a valid record; the message names folder, field and value.
    """
    data = read_limited(folder / RECORD_FILE, MAX_JSON_BYTES, f"Adapter folder {folder.name}")
    return parse_record(data, f"{folder.name}/{RECORD_FILE}", folder, origin)


def write_record(record: AdapterRecord, folder: Path) -> None:
    """Writes ``playground.json`` whole or not at all.

    Raises:
        AdapterError: a field has a value that ``read_record`` would refuse.
    """
    replace_file(folder / RECORD_FILE, as_json(record))


def as_json(record: AdapterRecord) -> bytes:
    """Content of ``playground.json``.

    Raises:
        AdapterError: a field has a value that ``read_record`` would refuse.
    """
    payload: dict[str, Any] = {"schema_version": SCHEMA_VERSION}
    payload |= {f.name: getattr(record, f.name) for f in fields(record) if f.name not in NOT_IN_RECORD}
    try:
        data = json.dumps(payload, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError) as err:
        raise AdapterError(f"{record.title} has a value that JSON can't hold ({err}).") from err
    parse_record(data, f"{record.name}/{RECORD_FILE}", record.path, record.origin)
    return data


def shareable(record: AdapterRecord) -> bytes:
    """Content of ``playground.json`` for other people: commands name files, not the folders of this machine."""
    training, metrics = _without_folders(record.training), _without_folders(record.metrics)
    if (training, metrics) == (record.training, record.metrics):
        return (record.path / RECORD_FILE).read_bytes()
    return as_json(replace(record, training=training, metrics=metrics))


def _without_folders(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**facts, "command": without_folders(facts["command"])} if "command" in facts else facts


def without_folders(command: str) -> str:
    """`command` with names of files in place of whole paths, which are nobody else's business."""
    try:
        words = shlex.split(command)
    except ValueError:  # somebody else's, with an odd number of quotes
        return command
    names = [PureWindowsPath(word).name if _is_whole_path(word) else word for word in words]
    return command if names == words else shlex.join(names)


def _is_whole_path(word: str) -> bool:
    return word.startswith(("/", "~/")) or PureWindowsPath(word).is_absolute()


def replace_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Writes the file whole or not at all, and never for a moment with more rights than `mode`."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:  # noqa: PTH123
            stream.write(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def parse_record(data: bytes, where: str, path: Path, origin: Origin) -> AdapterRecord:
    """The record in `data`, every field checked, unknown ones ignored.

    Raises:
        AdapterError: the message begins with `where` and names field and value.
    """
    payload = parse_object(data, where)
    version = take(payload, "schema_version", int, where)
    if version != SCHEMA_VERSION:
        raise AdapterError(f"{where} has the schema version {version}, this program reads {SCHEMA_VERSION}; update it.")
    shape = _choice(payload, "shape", Shape, where)
    return AdapterRecord(
        name=check_name(payload.get("name")),
        task=check_name(payload.get("task"), "adapter's task"),
        shape=shape,
        backbone=_backbone(payload, where),
        labels=_labels(payload, shape, where),
        attention=_choice(payload, "attention", Attention, where),
        prompt=_prompt(payload, where),
        max_length=_bounded(payload, "max_length", MAX_LENGTH_TOKENS, where),
        generation=_generation(payload, where),
        training=_training(payload, where),
        metrics=_metrics(payload, where),
        created=take(payload, "created", str, where, ""),
        description=take(payload, "description", str, where, ""),
        decision=_decision(payload, where),
        probe=_probe(payload, where),
        files=_files(payload, where),
        path=path,
        origin=origin,
    )


def _choice(payload: dict[str, Any], key: str, choices: Any, where: str) -> Any:
    value = take(payload, key, str, where)
    if value not in get_args(choices):
        raise AdapterError(f"{where}: '{key}' must be one of {', '.join(get_args(choices))}, not {shown(value)}.")
    return value


def _bounded(payload: dict[str, Any], key: str, most: int, where: str) -> int:
    value = take(payload, key, int, where)
    if not 1 <= value <= most:
        raise AdapterError(f"{where}: '{key}' must be from 1 to {most:,}, not {shown(value)}.")
    return value


def _backbone(payload: dict[str, Any], where: str) -> dict[str, str]:
    backbone = take(payload, "backbone", dict, where)
    inside = f"{where}: 'backbone'"
    return {"id": take(backbone, "id", str, inside), "checksum": take(backbone, "checksum", str, inside)}


def _labels(payload: dict[str, Any], shape: Shape, where: str) -> tuple[str, ...]:
    labels = take_texts(payload, "labels", where)
    if len(set(labels)) < len(labels) or len(labels) > MAX_LABELS:
        raise AdapterError(f"{where}: 'labels' must be at most {MAX_LABELS:,} different texts, not {shown(labels)}.")
    if shape != "generate" and not labels:
        raise AdapterError(
            f"{where}: 'labels' is empty, but a '{shape}' adapter needs a name for each row of its head."
        )
    odd = [label for label in labels if not _BIO.fullmatch(label)] if shape == "tag" else []
    if odd:
        raise AdapterError(f"{where}: 'labels' must be O, or B- or I- and a type, such as B-PER, not {shown(odd[0])}.")
    return labels


def _decision(payload: dict[str, Any], where: str) -> dict[str, float]:
    decision = _numbers(payload, "decision", where)
    temperature = decision.get("temperature", 1.0)
    if not MIN_TEMPERATURE <= temperature <= MAX_TEMPERATURE:
        raise AdapterError(
            f"{where}: 'temperature' in 'decision' must be from {MIN_TEMPERATURE} to {MAX_TEMPERATURE:,}, not "
            f"{shown(temperature)}."
        )
    return decision


def _prompt(payload: dict[str, Any], where: str) -> str:
    """A template from elsewhere may only name fields: attributes, indices and widths would reach into the program."""
    prompt = take(payload, "prompt", str, where, "")
    if len(prompt) > MAX_PROMPT_CHARS:
        raise AdapterError(f"{where}: 'prompt' has {len(prompt):,} characters; at most {MAX_PROMPT_CHARS:,} may be.")
    try:
        parts = list(Formatter().parse(prompt))
    except ValueError as err:
        raise AdapterError(f"{where}: 'prompt' is no valid template ({err}): {shown(prompt)}.") from err
    for _, name, spec, conversion in parts:
        if name is not None and (not name.isidentifier() or spec or conversion):
            raise AdapterError(f"{where}: 'prompt' may hold plain {{field}} places only, not {shown(name)}.")
    return prompt


def _generation(payload: dict[str, Any], where: str) -> dict[str, Any]:
    generation = take(payload, "generation", dict, where, {})
    inside = f"{where}: 'generation'"
    for key, most in (("max_new_tokens", MAX_LENGTH_TOKENS), ("num_beams", MAX_BEAMS)):
        if key in generation:
            _bounded(generation, key, most, inside)
    take(generation, "length_penalty", float, inside, 1.0)
    for key, value in generation.items():
        texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if not texts and not isinstance(value, (str, int, float)):
            raise AdapterError(f"{where}: 'generation' has {shown(value)} for '{key}'; use a text, number or texts.")
    return generation


def _training(payload: dict[str, Any], where: str) -> dict[str, Any]:
    training = take(payload, "training", dict, where, {})
    for key in _TRAINING_KINDS.keys() & training.keys():
        take(training, key, _TRAINING_KINDS[key], f"{where}: 'training'")
    inside = f"{where}: 'training'"
    for key in ("languages", "direction", "untrained"):
        for language in take_texts(training, key, inside):
            if not _LANGUAGE.fullmatch(language):
                raise AdapterError(f"{inside}: '{key}' must hold codes such as en or pt-BR, not {shown(language)}.")
    return training


def _metrics(payload: dict[str, Any], where: str) -> dict[str, Any]:
    metrics = take(payload, "metrics", dict, where, {})
    inside = f"{where}: 'metrics'"
    for key in ("data", "trivial_title", "command"):
        take(metrics, key, str, inside, "")
    groups: dict[str, dict[str, Any]] = {
        f"{inside}: '{key}'": take(metrics, key, dict, inside, {})
        for key in ("by_language", "base_by_language", "trivial_by_language")
    }
    groups[inside] = {key: metrics[key] for key in ("adapter", "base", "parent", "trivial") if key in metrics}
    if "difference" in metrics:
        _check_difference(take(metrics, "difference", dict, inside), f"{inside}: 'difference'")
    for place, scores in groups.items():
        for key in scores:
            _check_scores(take(scores, key, dict, place), f"{place}: '{key}'")
    return metrics


def _check_scores(scores: dict[str, Any], where: str) -> None:
    values = _numbers(scores, "metrics", where)
    main = take(scores, "main", str, where)
    if main not in values:
        raise AdapterError(f"{where}: 'main' is {shown(main)}, which is none of {', '.join(values) or 'no metrics'}.")
    take(scores, "n", int, where)
    _check_interval(scores, where)


def _check_difference(difference: dict[str, Any], where: str) -> None:
    take(difference, "value", float, where)
    take(difference, "p_value", float, where)
    take(difference, "test", str, where)
    _check_interval(difference, where)


def _check_interval(scores: dict[str, Any], where: str) -> None:
    interval: list[Any] = take(scores, "interval", list, where)
    if len(interval) != 2 or not all(is_kind(end, float) for end in interval):
        raise AdapterError(f"{where}: 'interval' must be two numbers, not {shown(interval)}.")


def _numbers(payload: dict[str, Any], key: str, where: str) -> dict[str, float]:
    numbers = take(payload, key, dict, where, {})
    for name in numbers:
        take(numbers, name, float, f"{where}: '{key}'")
    return numbers


def _probe(payload: dict[str, Any], where: str) -> dict[str, Any]:
    probe = take(payload, "probe", dict, where, {})
    if not probe:
        return {}
    inside = f"{where}: 'probe'"
    for key, choices in (("quantization", Quantization), ("dtype", Precision)):
        _choice(probe, key, choices, inside)
    for key, kind in (("ids", int), ("outputs", float)):
        rows: list[Any] = take(probe, key, list, inside)
        for row in rows:
            if not isinstance(row, list) or not all(is_kind(value, kind) for value in row):
                raise AdapterError(f"{inside}: '{key}' must hold lists of numbers only, not {shown(row)}.")
        if not 1 <= len(rows) <= MAX_PROBES or not all(1 <= len(row) <= MAX_PROBE_VALUES for row in rows):
            raise AdapterError(
                f"{inside}: '{key}' must be 1 to {MAX_PROBES} lists of 1 to {MAX_PROBE_VALUES:,} numbers each."
            )
    if len(probe["ids"]) != len(probe["outputs"]) or any(min(row) < 0 for row in probe["ids"]):
        raise AdapterError(f"{inside}: 'ids' and 'outputs' must belong together, and no id may be below 0.")
    return probe


def _files(payload: dict[str, Any], where: str) -> dict[str, str]:
    files = take(payload, "files", dict, where)
    for name, digest in files.items():
        if name not in HASHED_FILES or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise AdapterError(
                f"{where}: 'files' must give the SHA-256 of {', '.join(HASHED_FILES)}, not {shown({name: digest})}."
            )
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if name not in files:
            raise AdapterError(f"{where}: 'files' lacks the SHA-256 of {name}.")
    return files
