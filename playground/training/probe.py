"""A few real steps and predictions of a run, from which the rest is reckoned."""

import math
import random
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from playground import settings
from playground.adapters.record import AdapterRecord, hash_files, read_record, write_record
from playground.backbones.loading import automatic_quantization, fast_bfloat16, load, load_tokenizer, locate
from playground.backbones.release import release
from playground.engine.engine import Engine
from playground.engine.predict import predict_many
from playground.tasks import Task, get_task, shape_generate
from playground.training import finetune, memory
from playground.training.config import RunConfig
from playground.training.continuing import parent_of, with_settings_of
from playground.training.early_stopping import CHECKS, COST_OF_TRAINING, affordable
from playground.training.estimate import Estimate, fits
from playground.training.features import Feature, build_features, head_labels, with_known_labels
from playground.training.loop import MAX_GRADIENT_NORM, batches, num_steps
from playground.training.material import Material, hold_back, read_material
from playground.training.measure import as_base, without_target
from playground.training.naming import masking_s
from playground.training.optimizers import adamw_of
from playground.training.passes import TOKENS_A_PASS, Passes, cut
from playground.training.pretraining import pretraining_of, text_features
from playground.training.refits import SHARES, why_no_refits
from playground.training.room import measure_room
from playground.training.samples import Reader, Samples, chosen
from playground.training.trainee import Trainee, build_trainee, padded_width
from playground.types import Row

QUANTILES = (0.1, 0.5, 0.9, 1.0)
"""Of the batches' sizes, at which a step is timed."""
PROBE_ROWS = 16
"""Rows that are predicted to time the measuring."""

T = TypeVar("T")


def try_out(config: RunConfig, starting_s: float) -> Estimate:
    """See `playground.training.estimate.estimate`; in this process.

    Args:
        starting_s: what a process like this one takes before it can begin.

    Raises:
        PlaygroundError: the rows or the settings do not allow the run.
    """
    free, began = memory.free_bytes() + memory.used_bytes(), time.monotonic()
    task, parent = get_task(config.task), parent_of(config)
    if parent:
        config = with_settings_of(parent, config)
    # Masking all names would take as long as in the run itself.
    material = read_material(config, task, progress=None)
    masking = masking_s(config, [*material.training, *material.held_out, *material.spare])
    labels = head_labels(task, material.training, parent.labels if parent else ())
    material, watched = hold_back(material, config, task)
    watched = with_known_labels(task, watched, labels)
    source = locate(config.backbone, lambda *_: None)
    tokenizer = load_tokenizer(source)
    trainee, building = _timed(lambda: build_trainee(config, task.shape, source, len(labels)))
    parts = []
    for stage, rows in material.stages:
        features = build_features(task, rows, tokenizer, labels, stage.max_length, stage.seed).features
        held_back = build_features(task, watched, tokenizer, labels, stage.max_length, stage.seed).features
        parts.append((stage, features, affordable(held_back, features, stage) if stage.early_stopping else []))
    trainee.prepare([feature for _, features, held_back in parts for feature in [*features, *held_back]])
    steps = sum(num_steps(features, stage) for stage, features, _ in parts)
    pad_id = tokenizer.pad_token_id
    rooms = [measure_room(trainee, features, stage, pad_id) for stage, features, _ in parts]
    room = max(rooms, key=lambda room: room.needed_bytes)
    reader = Reader(task, tokenizer, labels, config.max_length)
    samples = Samples(reader, chosen(material.held_out or watched, reader, config), lambda _: None)
    loading = starting_s + time.monotonic() - began
    if not fits(room.needed_bytes, free):
        return Estimate(steps, loading, 0.0, 0.0, round(room.needed_bytes), free, room.offer(config, free), masking)
    with memory.peak_memory() as peak:
        training = sum(_training_s(trainee, *part, pad_id, samples) for part in parts)
        if config.pretrain_epochs:
            training += _reading_s(trainee, config, task, material, tokenizer)
            training = min(training, config.time_limit_s or math.inf) if not config.stages else training
        record = finetune.new_record(config, task, labels, source, material, [], [])
        # The saved adapter is loaded again in a fresh process.
        measuring = starting_s + building if settings.reloads_saved() else 0.0
        with tempfile.TemporaryDirectory() as folder:
            trainee.save(Path(folder))
            del trainee
            release()
            has_curve = config.learning_curve and not why_no_refits(config, len(material.training), training)
            again = SHARES if has_curve else ()
            if again:
                # The second training in a process needs more than the first, because not all is given back.
                other, building = _timed(lambda: build_trainee(config, task.shape, source, len(labels)))
                other.prepare(parts[0][1])
                measuring += len(again) * building + sum(again) * _training_s(other, *parts[0], pad_id)
                del other
                release()
            measuring += _measuring_s(record, Path(folder), task, material, 1 + len(again))
    may_stop_early = any(held_back for *_, held_back in parts)
    return Estimate(
        *(steps, loading, training, measuring, peak.size_bytes, free),
        masking_s=masking,
        may_stop_early=may_stop_early,
    )


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    """What `work` returns, and the seconds that it takes."""
    began = time.monotonic()
    return work(), time.monotonic() - began


def _reading_s(trainee: Trainee, config: RunConfig, task: Task, material: Material, tokenizer: Any) -> float:
    """Seconds for the continued pretraining."""
    stage = pretraining_of(config)
    features = text_features(task, material.training, tokenizer, stage)
    with trainee.reading(config.attention):
        trainee.prepare(features)
        return _training_s(trainee, stage, features, [], tokenizer.pad_token_id) if features else 0.0


def _training_s(
    trainee: Trainee,
    config: RunConfig,
    features: Sequence[Feature],
    held_back: Sequence[Feature],
    pad_id: int,
    samples: Samples | None = None,
) -> float:
    """Seconds for all steps of one part, and for the answers on the way, from some of them that are really taken."""
    passes = Passes(trainee.train(), config, pad_id)
    optimizer = passes.accelerator.prepare_optimizer(adamw_of(trainee, config))
    planned = sorted(batches(features, config, num_steps(features, config)), key=lambda batch: _work(batch, config))
    # The largest comes first, because it decides on the memory.
    tried = [planned[min(int(share * len(planned)), len(planned) - 1)] for share in QUANTILES]
    points, first_s = [], []
    for batch in reversed(tried):
        step = partial(_step_s, passes, trainee, optimizer, batch)
        first, seconds = step(), _usual_step_s(trainee, config, step)
        first_s.append(max(first - seconds, 0.0))
        points.append((_work(batch, config), seconds))
    points.sort()
    # New shapes of tensors take longer once, where their kernels are prepared.
    widths = {padded_width(max(len(feature.input_ids) for feature in batch)) for batch in planned}
    shapes = len(widths) if fast_bfloat16() else 1
    once = sum(first_s) / len(first_s) * (2 if config.compile else shapes)
    steps = once + sum(_interpolated(points, _work(batch, config)) for batch in planned)
    a_token = points[-1][1] / points[-1][0]
    checks = CHECKS * sum(len(feature.input_ids) for feature in held_back) * a_token / COST_OF_TRAINING
    learning = steps + checks
    answering = samples.reckoned_s(trainee, learning, num_checks=CHECKS if held_back else 0) if samples else 0.0
    return min(learning + answering, config.time_limit_s or math.inf)


def _usual_step_s(trainee: Trainee, config: RunConfig, step: Callable[[], float]) -> float:
    """Seconds of a step, on average over the rounds: only in the first one are rows new to the lower blocks."""
    if not trainee.lower:
        return step()
    trainee.lower.forget()
    new_share = min(1 / config.epochs, 1.0)
    return new_share * step() + (1 - new_share) * step()


def _step_s(passes: Passes, trainee: Trainee, optimizer: Any, batch: list[Feature]) -> float:
    began = time.monotonic()
    passes.learn(batch)
    passes.accelerator.clip_grad_norm_(trainee.parameters(), MAX_GRADIENT_NORM)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return time.monotonic() - began


def _work(batch: Sequence[Feature], config: RunConfig) -> int:
    """Tokens of `batch`, padding included."""
    parts = cut(batch, TOKENS_A_PASS, config.rows_a_pass)
    return sum(len(part) * padded_width(max(len(feature.input_ids) for feature in part)) for part in parts)


def _interpolated(points: Sequence[tuple[int, float]], work: int) -> float:
    """Seconds for `work`, on the lines between the nearest of `points`, which are sorted."""
    above = min(bisect_left(points, (work, 0.0)), len(points) - 1)
    (low, low_s), (high, high_s) = (points[above - 1] if above else (0, 0.0)), points[above]
    return low_s + (high_s - low_s) * (work - low) / (high - low) if high > low else high_s


def _measuring_s(record: AdapterRecord, folder: Path, task: Task, material: Material, num_adapters: int) -> float:
    """Seconds to load the backbone again, calibrate, and give the held-out rows to the adapters and the base."""
    began = time.monotonic()
    engine = Engine(load(record.backbone["id"], automatic_quantization(), lambda *_: None))
    loading = time.monotonic() - began
    try:
        rows, config = material.held_out, material.stages[0][0]
        if task.shape == "generate":
            usual = _usual_length(engine, task, rows, config.max_length)
            record = replace(record, generation=dict(record.generation) | {"max_new_tokens": usual})
        write_record(replace(record, files=hash_files(folder)), folder)
        adapter = read_record(folder, "own")
        base = None if config.base_rows == 0 else as_base(engine, task, record.labels, material.training)
        chosen = random.Random(0).sample(rows, min(PROBE_ROWS, len(rows)))
        inputs = [without_target(task, row) for row in chosen]
        a_row = _predicting_s(engine, task, inputs, adapter) / len(inputs)
        a_base_row = _predicting_s(engine, base, inputs, None) / len(inputs) if base else 0.0
    finally:
        engine.close()
    num_base = len(rows) if config.base_rows is None else min(config.base_rows, len(rows))
    calibrated = 0 if task.shape == "generate" else len(material.spare)
    return loading + a_row * (num_adapters * len(rows) + calibrated) + a_base_row * num_base


def _predicting_s(engine: Engine, task: Task, inputs: Sequence[Row], adapter: AdapterRecord | None) -> float:
    list(predict_many(engine, task, inputs[:1], adapter))  # the first time, kernels are prepared
    began = time.monotonic()
    list(predict_many(engine, task, inputs, adapter, batch_rows=16))
    return time.monotonic() - began


def _usual_length(engine: Engine, task: Task, rows: Sequence[Row], max_length: int) -> int:
    """Tokens that a trained adapter will write for a row: as many as the right answers have."""
    tokenizer = engine.backbone.tokenizer
    most = task.new_tokens(max_length)
    lengths = [len(shape_generate.target_ids(tokenizer, row[task.target], most)) for row in rows]
    return max(round(sum(lengths) / len(lengths)), 1)
