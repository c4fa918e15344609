"""One fine-tuning from rows to a measured adapter, in the process that calls it."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from playground import settings
from playground.adapters import store
from playground.adapters.card import base_model
from playground.adapters.record import AdapterRecord, hash_files
from playground.backbones.loading import checksum, load_tokenizer, locate, read_config
from playground.backbones.release import release
from playground.data.dialogue import common_instructions, num_turns
from playground.errors import AdapterError, Cancelled, Paused
from playground.exporting.probes import as_probe, probe_ids
from playground.exporting.verify import verify_outputs
from playground.tasks import Task, get_task
from playground.tasks.languages import LANGUAGES, base_code
from playground.training.checkpoint import Checkpoint, Position, remove
from playground.training.command import command_line
from playground.training.config import RunConfig
from playground.training.continuing import check_backbone, parent_of, put_weights, told_apart, with_settings_of
from playground.training.early_stopping import FEWEST_ROWS
from playground.training.features import Feature, Features, build_features, head_labels, with_known_labels
from playground.training.learnt_rows import remember
from playground.training.loop import Step, train
from playground.training.material import Material, hold_back, read_material
from playground.training.measure import Emit, StopWish, describe, measure
from playground.training.optimizers import USUAL_OPTIM, optim_of
from playground.training.pretraining import pretraining_of, text_features
from playground.training.refits import ENDED_EARLY, refit, why_no_refits
from playground.training.repair import split_words
from playground.training.room import must_fit
from playground.training.run_files import READING_TEXTS, TRAINING
from playground.training.samples import Reader, Samples, chosen
from playground.training.team import ALONE, Team, disband
from playground.training.trainee import Trainee, build_trainee
from playground.training.update_size import update_size
from playground.training.weights import copy_weights, mix_weights
from playground.types import Progress, Row

MUST_STAY = (
    *("task", "data", "columns", "backbone", "quantization", "rank", "alpha", "dropout", "learning_rate"),
    *("batch_size", "epochs", "max_rows", "max_length", "attention", "time_limit_s", "seed"),
    *("source_shares", "augmentations"),
)
"""Settings that decide on the weights, step by step."""
MUST_STAY_IF_SET = (
    *(
        "target_modules",
        "upper_share",
        "use_rslora",
        "use_dora",
        "loraplus_lr_ratio",
        "init",
        "schedule",
        "weight_decay",
    ),
    *("rows_a_pass", "early_stopping", "class_weights", "fixes", "split", "split_column", "parent", "replay"),
    *("logit_adjustment", "pretrain_epochs"),
)
"""More of them; left out where they are usual, so that runs from before they existed can go on."""
PRETRAINING_FOLDER = "part-0"
SHORTEST_S = 1.0
"""Time budget of a training before which more was spent than planned; 0 would be none at all."""
UNUSED = "Rows left out: {num:,}; the column '{column}' says which are learnt from and which are measured on."
NOT_REPLAYED = (
    "None of the rows that '{parent}' learnt from is repeated, so it may forget some of them; compare the two before "
    "you use the new one."
)


@dataclass(frozen=True)
class Part:
    """One part of a training."""

    config: RunConfig
    features: Sequence[Feature]
    held_back: Sequence[Feature]
    """What the loss is watched on, to stop early."""
    checkpoint: Checkpoint | None
    """Where its state lies."""
    samples: Samples | None = None
    """Looks at answers on the way."""


@dataclass(frozen=True)
class Watch:
    """Who hears of a training, who may end it, and who takes part."""

    emit: Emit
    stop_wish: Callable[[], StopWish]
    team: Team = ALONE
    notes: list[str] = field(default_factory=list)

    def note(self, message: str) -> None:
        self.notes.append(message)
        self.emit({"event": "note", "message": message})

    def phase(self, phase: str, message: str, **more: Any) -> None:
        self.emit({"event": "phase", "phase": phase, "message": message, **more})


@dataclass(frozen=True)
class Learnt:
    """A training at its end, before anything is saved."""

    config: RunConfig
    task: Task
    labels: Sequence[str]
    source: str
    tokenizer: Any
    material: Material
    watched: Sequence[Row]
    """Held back to stop early."""
    trainee: Trainee
    positions: Sequence[Position]
    """How far each part came."""


def finetune(
    config: RunConfig,
    emit: Emit,
    stop_wish: Callable[[], StopWish],
    checkpoints: Path | None = None,
    team: Team = ALONE,
) -> AdapterRecord:
    """Trains, saves and measures the adapter that `config` asks for.

    The adapter is saved, and can be used, before it is measured; its record then gets the metrics.

    Args:
        checkpoints: folder of the run's state; a run that was cut or paused goes on from there.
        team: the processes that train; this is the main one, and the others call `help_finetune`.

    Raises:
        Paused: the wish was to pause; the same call goes on.
        PlaygroundError: the data or the backbone does not allow it, or the person discarded the run.
    """
    watch = Watch(emit, stop_wish, team)
    learnt = _learn(config, watch, checkpoints)
    config, positions = learnt.config, learnt.positions
    if stop_wish() == "pause":
        steps = positions[-1].steps if positions else 0
        raise Paused(f"Paused after {steps} steps; start it again with the same settings to go on.")
    if stop_wish() == "discard" or not any(position.steps for position in positions):
        raise Cancelled("The run was stopped and nothing was kept.")
    watch.phase("saving", "Saving the adapter")
    record = _save_learnt(learnt, watch.notes)
    material, watched = learnt.material, learnt.watched
    del learnt
    release()
    if checkpoints:
        remove(checkpoints)
    emit({"event": "saved", "adapter": record.name, "task": record.task})
    return _measure(config, material, watched, reload(record, emit), emit, stop_wish)


def help_finetune(config: RunConfig, checkpoints: Path | None, team: Team) -> None:
    """What the other processes of `team` do while the main one is in `finetune`: they end with the training.

    Raises:
        PlaygroundError: as `finetune`.
    """
    _learn(config, Watch(lambda _: None, lambda: "", team), checkpoints)


def _learn(config: RunConfig, watch: Watch, checkpoints: Path | None) -> Learnt:
    """Trains until the end, or until the wish to stop; then each process of the team is alone."""
    task, parent = get_task(config.task), parent_of(config)
    if parent:
        asked, config = config, with_settings_of(parent, config)
        if told := told_apart(asked, config):
            watch.note(told)
    watch.phase("reading", "Reading the rows")
    material = read_material(config, task, _reading(watch.emit))
    labels = head_labels(task, material.training, parent.labels if parent else ())
    material, watched = hold_back(material, config, task)
    watched = with_known_labels(task, watched, labels)
    stops_early = bool(config.early_stopping) and len(watched) >= FEWEST_ROWS
    watch.emit(_material_event(config, material, labels) | {"stops_early": stops_early})
    if config.early_stopping and not stops_early:
        watch.note("There are too few rows to hold some back, so the training does not stop early.")
    if config.split == "marked" and material.num_unused:
        watch.note(UNUSED.format(num=material.num_unused, column=config.split_column))
    if parent and not material.num_replayed:
        watch.note(NOT_REPLAYED.format(parent=parent.name))
    source = locate(config.backbone, lambda done, message: watch.phase("loading", message, fraction=done))
    tokenizer = load_tokenizer(source)
    trainee = _begin(config, task, source, len(labels), parent)
    watch.phase("training", TRAINING)
    reader = Reader(task, tokenizer, labels, config.max_length)
    shown = chosen(material.held_out or watched, reader, config) if watch.team.is_main else []

    def parts() -> Iterator[Part]:
        for number, (stage, rows) in enumerate(material.stages, start=1):
            built = build_features(
                task, rows, tokenizer, labels, stage.max_length, stage.seed, logit_adjustment=stage.logit_adjustment
            )
            watch.emit(_features_event(built, number, len(material.stages)))
            held_back = build_features(task, watched, tokenizer, labels, stage.max_length, stage.seed).features
            state = _checkpoint(checkpoints, config, stage, number, len(built.features), optim_of(trainee, stage))
            timed = _less_time(stage, read.elapsed_s) if number == 1 else stage
            yield Part(timed, built.features, held_back, state, Samples(reader, shown, watch.emit))

    read = Position()
    if config.pretrain_epochs:
        watch.phase("training", READING_TEXTS)
        read = _read_texts(trainee, config, task, material, tokenizer, checkpoints, watch)
        watch.phase("training", TRAINING)
    positions = _train_parts(trainee, parts(), tokenizer.pad_token_id, watch, read.steps)
    disband(watch.team)
    return Learnt(config, task, labels, source, tokenizer, material, watched, trainee, positions)


def _save_learnt(learnt: Learnt, notes: Sequence[str]) -> AdapterRecord:
    """Writes the adapter, with what it says on probe rows in its record."""
    config, trainee = learnt.config, learnt.trainee
    record = new_record(config, learnt.task, learnt.labels, learnt.source, learnt.material, learnt.positions, notes)
    ids = probe_ids(record, learnt.tokenizer)
    saved = save(trainee, replace(record, probe=trained_probe(trainee, ids, config.quantization)))
    size = update_size(saved, learnt.source)
    if size is not None:
        saved = replace(saved, training={**saved.training, "update_size": round(size, 8)})
        describe(saved, saved.path)
    if not config.run:  # a run of the page keeps a copy of its rows
        remember(config, saved)
    return saved


def _reading(emit: Emit) -> Progress:
    """Tells how far the reading is."""
    return lambda fraction, message: emit(
        {"event": "phase", "phase": "reading", "message": message, "fraction": fraction}
    )


def _begin(config: RunConfig, task: Task, source: str, num_labels: int, parent: AdapterRecord | None) -> Trainee:
    """What is trained: a fresh adapter, or one with the weights of `parent`."""
    trainee = build_trainee(config, task.shape, source, num_labels)
    if parent:
        check_backbone(parent, config.backbone, checksum(config.backbone, source, read_config(source)))
        put_weights(parent, trainee)
    return trainee


def measure_saved(
    config: RunConfig, record: AdapterRecord, emit: Emit, stop_wish: Callable[[], StopWish], checkpoints: Path
) -> AdapterRecord:
    """The end of `finetune` for the adapter of a run that was cut after it was saved.

    Args:
        checkpoints: folder of the state of that run, which is not needed any more.

    Raises:
        PlaygroundError: the data or the backbone does not allow it, or the person did not want to wait.
    """
    remove(checkpoints)
    task = get_task(config.task)
    emit({"event": "phase", "phase": "reading", "message": "Reading the rows"})
    material, watched = hold_back(read_material(config, task, _reading(emit)), config, task)
    return _measure(config, material, watched, reload(record, emit), emit, stop_wish)


def _measure(
    config: RunConfig,
    material: Material,
    watched: Sequence[Row],
    record: AdapterRecord,
    emit: Emit,
    stop_wish: Callable[[], StopWish],
) -> AdapterRecord:
    """Measures the adapter; one that learnt from all its rows is set beside some that learnt from fewer."""
    rows = material.training
    no_curve = ENDED_EARLY if stop_wish() else why_no_refits(config, len(rows), record.training["wall_time_s"])
    with tempfile.TemporaryDirectory() as folder:
        smaller = []
        if config.learning_curve and not no_curve:
            smaller = refit(config, get_task(config.task), rows, watched, record, Path(folder), emit, stop_wish)
        return measure(
            record,
            material.held_out,
            emit,
            stop_wish,
            examples=rows,
            spare=material.spare,
            base_rows=config.base_rows,
            smaller=smaller,
            no_curve=no_curve if config.learning_curve else "",
            parent=parent_of(config),
        )


def _read_texts(
    trainee: Trainee,
    config: RunConfig,
    task: Task,
    material: Material,
    tokenizer: Any,
    checkpoints: Path | None,
    watch: Watch,
) -> Position:
    """Continued pretraining on the rows to learn from; how far it came."""
    stage = pretraining_of(config)
    features = text_features(task, material.training, tokenizer, stage)
    if not features:
        watch.note("The texts are too short to be read before the training.")
        return Position()
    folder = checkpoints / PRETRAINING_FOLDER if checkpoints else None
    begun_with = replace(stage, time_limit_s=0.0)  # as before it had a budget
    state = _checkpoint(folder, stage, begun_with, 0, len(features), optim_of(trainee, stage))
    with trainee.reading(config.attention):
        (position,) = _train_parts(trainee, [Part(stage, features, [], state)], tokenizer.pad_token_id, watch)
    return position


def _less_time(stage: RunConfig, spent_s: float) -> RunConfig:
    """`stage` with what is left of its time budget, if it has one."""
    return replace(stage, time_limit_s=max(stage.time_limit_s - spent_s, SHORTEST_S)) if stage.time_limit_s else stage


def _train_parts(
    trainee: Trainee, parts: Iterable[Part], pad_id: int, watch: Watch, steps_before: int = 0
) -> list[Position]:
    """How far each of the parts came, up to the one in which the person wished to stop."""
    positions: list[Position] = []
    for part in parts:
        trainee.prepare([*part.features, *part.held_back])
        before = copy_weights(trainee) if part.config.start_share else {}
        must_fit(trainee, part.features, part.config, pad_id, watch.team)
        position = train(
            trainee,
            part.features,
            part.config,
            pad_id,
            on_step=partial(_after_step, watch.emit, trainee, part.samples, steps_before),
            should_stop=lambda: bool(watch.stop_wish()),
            checkpoint=part.checkpoint,
            held_back=part.held_back,
            on_note=watch.note,
            team=watch.team,
        )
        positions.append(position)
        steps_before += position.steps
        mix_weights(trainee, before, part.config.start_share)
        if watch.team.as_main(bool(watch.stop_wish())):
            break
    return positions


def _checkpoint(
    folder: Path | None, config: RunConfig, stage: RunConfig, number: int, num_features: int, optim: str
) -> Checkpoint | None:
    """Where the state of one part lies, with what a run that goes on must have in common with its beginning."""
    if folder is None:
        return None
    usual = RunConfig(task="", data="", name="", backbone="")
    chosen = [name for name in MUST_STAY_IF_SET if getattr(stage, name) != getattr(usual, name)]
    begun_with = {name: getattr(stage, name) for name in (*MUST_STAY, *chosen)} | {"training examples": num_features}
    if optim != USUAL_OPTIM:  # what it keeps can't be read by the other one
        begun_with["optim"] = optim
    return Checkpoint(folder / f"part-{number}" if config.stages else folder, begun_with)


def save(trainee: Trainee, record: AdapterRecord) -> AdapterRecord:
    """Writes the adapter as PEFT does, with its record and card."""
    # PEFT would write where the converted backbone lies on this machine.
    trainee.model.active_peft_config.base_model_name_or_path = base_model(record) or record.backbone["id"]
    with store.new_folder(record.task, record.name) as folder:
        trainee.save(folder)
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
        "replayed": material.num_replayed,
        "fixes": material.fixes,
        "split": split_words(config),
        "rejected": [asdict(one) for one in material.loaded.rejected[:200]],
        "num_rejected": len(material.loaded.rejected),
        "notes": material.loaded.notes[:20],
        "labels": list(labels),
        "direction": _commonest_direction(material.training),
    }


def _commonest_direction(rows: Sequence[Row]) -> list[str]:
    """Codes of the languages that most of `rows` are translated from and to; empty where they are no translations."""
    pairs = Counter((row["source_lang"], row["target_lang"]) for row in rows if "target_lang" in row)
    return [base_code(code) for code in max(pairs, key=pairs.__getitem__)] if pairs else []


def _features_event(built: Features, part: int, parts: int) -> dict[str, Any]:
    sizes = {"features": len(built.features), "truncated_rows": built.num_truncated}
    return {"event": "features", **sizes, "part": part, "parts": parts}


def _after_step(emit: Emit, trainee: Trainee, samples: Samples | None, steps_before: int, step: Step) -> None:
    emit(_step_event(step) | {"steps_before": steps_before})
    if samples:
        samples.after(trainee, step)


def _step_event(step: Step) -> dict[str, Any]:
    return {"event": "step", **{key: round(value, 6) for key, value in asdict(step).items() if value is not None}}


def new_record(
    config: RunConfig,
    task: Task,
    labels: Sequence[str],
    source: str,
    material: Material,
    positions: Sequence[Position],
    notes: Sequence[str],
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
        generation={"max_new_tokens": task.new_tokens(config.max_length), "repetition_penalty": 1.05}
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
            **({"parent": config.parent, "replayed": material.num_replayed} if config.parent else {}),
            **({"fixes": material.fixes} if material.fixes else {}),
            "split": split_words(config),
            "seed": config.seed,
            "wall_time_s": round(sum(position.elapsed_s for position in positions), 1),
            "command": command_line(config),
            "preset": config.preset,
            "languages": languages,
            **({"direction": direction} if (direction := _commonest_direction(material.training)) else {}),
            **({"turns": turns} if (turns := max(map(num_turns, material.training), default=1)) > 1 else {}),
            **({"instructions": said} if (said := common_instructions(material.training)) else {}),
            **({"untrained": sorted(LANGUAGES.keys() - set(languages))} if languages else {}),
            "steps": sum(position.steps for position in positions),
            "quantization": config.quantization,
            **({"upper_share": config.upper_share} if config.upper_share < 1 else {}),
            **({"init": config.init} if config.init != "default" else {}),
            **({"notes": list(notes)} if notes else {}),
            **({"run": config.run} if config.run else {}),
        },
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        description=config.description,
    )


def _languages(row: Row) -> list[str]:
    return [str(row[key]) for key in ("lang", "source_lang", "target_lang") if row.get(key)]
