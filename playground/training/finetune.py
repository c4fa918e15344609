"""One fine-tuning from rows to a measured adapter, in the process that calls it."""

import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from playground import settings
from playground.adapters import store
from playground.adapters.card import base_model
from playground.adapters.record import AdapterRecord, hash_files
from playground.backbones.catalogue import EMBEDDED_ID
from playground.backbones.loading import checksum, load_tokenizer, locate, read_config
from playground.data.augment import augment
from playground.data.fixes import BALANCE
from playground.data.rows import LoadedRows
from playground.errors import AdapterError, Cancelled, DataError, Paused
from playground.exporting.probes import as_probe, probe_ids
from playground.exporting.verify import verify_outputs
from playground.tasks import Task, get_task
from playground.tasks.languages import LANGUAGES
from playground.training.checkpoint import Checkpoint, Position, remove
from playground.training.config import RunConfig, make_config
from playground.training.corpus import balanced, sample, thin
from playground.training.features import Feature, Features, build_features, head_labels
from playground.training.loop import Step, train
from playground.training.measure import Emit, StopWish, describe, measure
from playground.training.recipes import read_recipe
from playground.training.repair import (
    evened,
    held_out_split,
    read_repaired,
    read_validation,
    split_words,
    without_leaks,
)
from playground.training.trainee import Trainee, build_trainee
from playground.types import Row

Part = tuple[RunConfig, Sequence[Feature], Checkpoint | None]
"""What one part of the training learns from, with which settings, and where its state lies."""
MUST_STAY = (
    *("task", "data", "columns", "backbone", "quantization", "rank", "alpha", "dropout", "learning_rate"),
    *("batch_size", "epochs", "max_rows", "max_length", "attention", "time_limit_s", "seed"),
    *("source_shares", "augmentations"),
)
"""Settings that decide on the weights, step by step."""
ALWAYS_NAMED = (
    *("preset", "rank", "alpha", "learning_rate", "batch_size", "epochs", "max_rows", "max_length"),
    "attention",
)
NEW_IF_UNUSUAL = ("class_weights", "fixes", "split", "split_column")
"""The same of settings that older checkpoints do not name."""
NAMED_IF_UNUSUAL = ("time_limit_s", "evaluation_rows", "base_rows", "seed", "quantization", "dropout")
CALIBRATION_ROWS = 200


@dataclass(frozen=True)
class Material:
    """Rows of a run, split into those to learn from and those to measure on."""

    stages: list[tuple[RunConfig, list[Row]]]
    """Settings and rows of each part of the training."""
    held_out: list[Row]
    spare: list[Row]
    """Neither learnt from nor measured on: to calibrate on."""
    loaded: LoadedRows
    duplicates: int = 0
    """Rows that were taken out because they resemble one of those to measure on."""
    fixes: dict[str, int] = field(default_factory=dict)
    """Rows that each of the chosen fixes dropped, changed or added."""

    @property
    def training(self) -> list[Row]:
        return [row for _, rows in self.stages for row in rows]


def finetune(
    config: RunConfig, emit: Emit, stop_wish: Callable[[], StopWish], checkpoints: Path | None = None
) -> AdapterRecord:
    """Trains, saves and measures the adapter that `config` asks for.

    The adapter is saved, and can be used, before it is measured; its record then gets the metrics.

    Args:
        checkpoints: folder of the run's state; a run that was cut or paused goes on from there.

    Raises:
        Paused: the wish was to pause; the same call goes on.
        PlaygroundError: the data or the backbone does not allow it, or the person discarded the run.
    """
    task = get_task(config.task)
    emit({"event": "phase", "phase": "reading", "message": "Reading the rows"})
    material = read_material(config, task)
    labels = head_labels(task, material.training)
    emit(_material_event(config, material, labels))

    def progress(fraction: float, message: str) -> None:
        emit({"event": "phase", "phase": "loading", "message": message, "fraction": fraction})

    source = locate(config.backbone, progress)
    tokenizer = load_tokenizer(source)
    trainee = build_trainee(config, task.shape, source, len(labels))
    emit({"event": "phase", "phase": "training", "message": "Training"})

    def parts() -> Iterator[Part]:
        for number, (stage, rows) in enumerate(material.stages, start=1):
            built = build_features(task, rows, tokenizer, labels, stage.max_length, stage.seed)
            emit(_features_event(built, number, len(material.stages)))
            yield stage, built.features, _checkpoint(checkpoints, config, stage, number, len(built.features))

    positions = _train_parts(trainee, parts(), tokenizer.pad_token_id, emit, stop_wish)
    if stop_wish() == "pause":
        raise Paused(f"Paused after {positions[-1].steps} steps; start it again with the same settings to go on.")
    if stop_wish() == "discard" or not any(position.steps for position in positions):
        raise Cancelled("The run was stopped and nothing was kept.")
    emit({"event": "phase", "phase": "saving", "message": "Saving the adapter"})
    record = _record(config, task, labels, source, material, positions)
    ids = probe_ids(record, tokenizer)
    record = replace(record, probe=trained_probe(trainee, ids, config.quantization))
    record = save(trainee, record)
    del trainee
    if checkpoints:
        remove(checkpoints)
    emit({"event": "saved", "adapter": record.name, "task": record.task})
    return _measure(config, material, reload(record, emit), emit, stop_wish)


def measure_saved(
    config: RunConfig, record: AdapterRecord, emit: Emit, stop_wish: Callable[[], StopWish]
) -> AdapterRecord:
    """The end of `finetune` for the adapter of a run that was cut after it was saved.

    Raises:
        PlaygroundError: the data or the backbone does not allow it, or the person did not want to wait.
    """
    task = get_task(config.task)
    emit({"event": "phase", "phase": "reading", "message": "Reading the rows"})
    return _measure(config, read_material(config, task), reload(record, emit), emit, stop_wish)


def _measure(
    config: RunConfig, material: Material, record: AdapterRecord, emit: Emit, stop_wish: Callable[[], StopWish]
) -> AdapterRecord:
    return measure(
        record,
        material.held_out,
        emit,
        stop_wish,
        examples=material.training,
        spare=material.spare,
        base_rows=config.base_rows,
    )


def _train_parts(
    trainee: Trainee, parts: Iterable[Part], pad_id: int, emit: Emit, stop_wish: Callable[[], StopWish]
) -> list[Position]:
    """How far each of the parts came, up to the one in which the person wished to stop."""
    positions: list[Position] = []
    for stage, features, checkpoint in parts:
        trainee.prepare(features)
        position = train(
            trainee,
            features,
            stage,
            pad_id,
            on_step=lambda step: emit(_step_event(step)),
            should_stop=lambda: bool(stop_wish()),
            checkpoint=checkpoint,
        )
        positions.append(position)
        if stop_wish():
            break
    return positions


def _checkpoint(
    folder: Path | None, config: RunConfig, stage: RunConfig, number: int, num_features: int
) -> Checkpoint | None:
    """Where the state of one part lies, with what a run that goes on must have in common with its beginning."""
    if folder is None:
        return None
    names = [
        *MUST_STAY,
        *(name for name in NEW_IF_UNUSUAL if getattr(stage, name) not in ([], "stratified", "", False)),
    ]
    begun_with = {name: getattr(stage, name) for name in names} | {"training examples": num_features}
    return Checkpoint(folder / f"part-{number}" if config.stages else folder, begun_with)


def read_material(config: RunConfig, task: Task) -> Material:
    """Rows of the run after its fixes; those like the rows to measure on are taken out of the others.

    Raises:
        DataError: no usable row, or too few to hold some out.
    """
    path = Path(config.data)
    if not config.validation:
        read, counts = read_repaired(path, config)
        loaded = balanced(read, config.max_rows, config.seed)
        if len(loaded.rows) < 4:
            raise DataError(f"'{path.name}' has {len(loaded.rows)} usable rows; at least 4 are needed.")
        training, held_out, duplicates = held_out_split(config, read, loaded)
        held = sample(held_out, config.evaluation_rows, config.seed)
        stages = [(config, evened(config, training, config.seed))]
        fixes = _counted(config, counts, len(stages[0][1]) - len(training))
        return Material(stages, held, _spare(held_out, held, config.seed), loaded, duplicates, fixes)
    everything = read_validation(config)
    parts = thin(everything, config.validation_shares, config.seed)
    held = balanced(parts, config.evaluation_rows, config.seed).rows
    others = balanced(parts, settings.MAX_ROWS, config.seed).rows
    unseen = [row for part in everything for row in part.rows]
    stages = []
    duplicates = added = 0
    configs = [replace(config, stages=[], **differing) for differing in config.stages or [{}]]
    repaired = {data: read_repaired(Path(data), config) for data in {stage.data for stage in configs}}
    for stage in configs:
        loaded = balanced(thin(repaired[stage.data][0], stage.source_shares, stage.seed), stage.max_rows, stage.seed)
        rows = augment(loaded.rows, stage.augmentations, stage.seed)
        kept, num_leaking = without_leaks(task.name, rows, unseen)
        if not kept:
            raise DataError(
                f"Every row of '{Path(stage.data).name}' is or resembles a row of '{Path(config.validation).name}'; "
                "measure on rows that are not learnt from."
            )
        duplicates += num_leaking
        stages.append((stage, evened(config, kept, stage.seed)))
        added += len(stages[-1][1]) - len(kept)
    fixes = _counted(config, sum((counts for _, counts in repaired.values()), Counter()), added)
    return Material(stages, held, _spare(others, held, config.seed), loaded, duplicates, fixes)


def _counted(config: RunConfig, counts: Mapping[str, int], added: int) -> dict[str, int]:
    """What each chosen fix did, also where that was nothing."""
    return {name: added if name == BALANCE else counts.get(name, 0) for name in config.fixes}


def _spare(rows: list[Row], held_out: list[Row], seed: int) -> list[Row]:
    """Some of `rows` that are not held out to measure on."""
    measured = {json.dumps(row, sort_keys=True) for row in held_out}
    return sample([row for row in rows if json.dumps(row, sort_keys=True) not in measured], CALIBRATION_ROWS, seed)


def save(trainee: Trainee, record: AdapterRecord) -> AdapterRecord:
    """Writes the adapter as PEFT does, in half precision, with its record and card."""
    trainee.model.half()
    # PEFT would write where the converted backbone lies on this machine.
    trainee.model.active_peft_config.base_model_name_or_path = base_model(record) or record.backbone["id"]
    with store.new_folder(record.task, record.name) as folder:
        trainee.model.save_pretrained(folder, save_embedding_layers=False)
        describe(replace(record, files=hash_files(folder)), folder)
    return store.find(record.task, record.name)


def trained_probe(trainee: Trainee, ids: Sequence[Sequence[int]], quantization: str) -> dict[str, Any]:
    """What the trained model says on probe rows, before it is written."""
    outputs = [trainee.outputs(one).numpy() for one in ids]
    # Norms and embeddings keep their number format when the other weights are quantized.
    dtype = trainee.model.get_base_model().get_input_embeddings().weight.dtype
    return as_probe(ids, outputs, quantization, str(dtype).removeprefix("torch."))


def reload(record: AdapterRecord, emit: Emit) -> AdapterRecord:
    """Loads the saved adapter in a fresh process and writes into its record whether it is the one that was trained.

    It is done once, and not at all where the settings leave it out.

    Raises:
        AdapterError: it says something else.
    """
    if not settings.reloads_saved() or record.training.get("reloaded", "").startswith("same"):
        return record
    emit({"event": "phase", "phase": "reloading", "message": "Loading the adapter again in a fresh process"})
    verdict = verify_outputs(record, lambda _: None)
    record = replace(record, training={**record.training, "reloaded": str(verdict)})
    describe(record, record.path)
    emit({"event": "reloaded", "same": verdict.is_same, "message": f"Loaded again: {verdict}"})
    if not verdict.is_same:
        raise AdapterError(f"{record.title} was saved, but it does not say what the trained one said: {verdict}.")
    return record


def _material_event(config: RunConfig, material: Material, labels: Sequence[str]) -> dict[str, Any]:
    return {
        "event": "material",
        "training_rows": len(material.training),
        "held_out_rows": len(material.held_out),
        "duplicates": material.duplicates,
        "fixes": material.fixes,
        "split": split_words(config),
        "rejected": [asdict(one) for one in material.loaded.rejected[:200]],
        "num_rejected": len(material.loaded.rejected),
        "notes": material.loaded.notes[:20],
        "labels": list(labels),
    }


def _features_event(built: Features, part: int, parts: int) -> dict[str, Any]:
    sizes = {"features": len(built.features), "truncated_rows": built.num_truncated}
    return {"event": "features", **sizes, "part": part, "parts": parts}


def _step_event(step: Step) -> dict[str, Any]:
    return {"event": "step", **{key: round(value, 6) for key, value in asdict(step).items()}}


def _record(
    config: RunConfig,
    task: Task,
    labels: Sequence[str],
    source: str,
    material: Material,
    positions: Sequence[Position],
) -> AdapterRecord:
    languages = sorted({code for row in material.training for code in _languages(row)})
    return AdapterRecord(
        name=config.name,
        task=task.name,
        shape=task.shape,
        labels=tuple(labels),
        backbone={
            "id": config.backbone,
            "checksum": checksum(config.backbone, source, read_config(source)),
        },
        attention=config.attention,
        prompt=task.prompt,
        max_length=config.max_length,
        generation={"max_new_tokens": task.max_new_tokens, "repetition_penalty": 1.05}
        if task.shape == "generate"
        else {},
        training={
            "data": config.data_description or config.data_name or Path(config.data).name,
            "licence": config.licence,
            "rows": sum(
                min(len(rows), position.steps * stage.batch_size)
                for (stage, rows), position in zip(material.stages, positions, strict=False)
            ),
            "duplicates": material.duplicates,
            **({"fixes": material.fixes} if material.fixes else {}),
            "split": split_words(config),
            "seed": config.seed,
            "wall_time_s": round(sum(position.elapsed_s for position in positions), 1),
            "command": command_line(config),
            "preset": config.preset,
            "languages": languages,
            **({"untrained": sorted(LANGUAGES.keys() - set(languages))} if languages else {}),
            "steps": sum(position.steps for position in positions),
            "quantization": config.quantization,
            **({"run": config.run} if config.run else {}),
        },
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        description=config.description,
    )


def _languages(row: Row) -> list[str]:
    return [str(row[key]) for key in ("lang", "source_lang", "target_lang") if row.get(key)]


def command_line(config: RunConfig) -> str:
    """The command that makes this adapter again; where a recipe says the rest, what differs from it."""
    words = ["python -m playground train", config.task]
    if config.recipe:
        words += ["--recipe", config.recipe]
        usual = make_config(backbone=config.backbone, **read_recipe(config.recipe))
    else:
        usual = RunConfig(task="", data="", name="", backbone="")
        words += ["--data", shlex.quote(config.data_name or config.data)]
        if config.validation:
            # A run of the page has a copy, whose folder is nobody's business.
            name = Path(config.validation).name if config.data_name else config.validation
            words += ["--validation", shlex.quote(name)]
    words += ["--name", config.name]
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
            words += [f"--{option.replace('_', '-')}", str(value)]
    if config.compile and not usual.compile:
        words.append("--compile")
    if config.class_weights and not usual.class_weights:
        words.append("--class-weights")
    return " ".join(words)
