"""The training loop, one for all tasks: length-bucketed batches, AdamW, a schedule that ends in time."""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from playground.errors import PlaygroundError
from playground.training import memory
from playground.training.checkpoint import Checkpoint, Position
from playground.training.config import RunConfig, Schedule
from playground.training.early_stopping import EarlyStopping
from playground.training.features import Feature
from playground.training.guard import LossGuard
from playground.training.optimizers import adamw_of
from playground.training.passes import Passes
from playground.training.team import ALONE, Team
from playground.training.trainee import Trainee

WARM_UP = 0.06
BATCHES_A_BUCKET = 50
MAX_GRADIENT_NORM = 1.0
SECONDS_BETWEEN_CHECKPOINTS = 20.0


@dataclass(frozen=True)
class Step:
    """What one step tells the person who waits."""

    step: int
    steps: int
    """Planned ones; a time limit may end the run earlier."""
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens_per_s: float
    memory_mb: float
    eta_s: float
    elapsed_s: float
    validation_loss: float | None = None
    """On the rows held back, at the steps after which it was measured."""


def train(
    trainee: Trainee,
    features: Sequence[Feature],
    config: RunConfig,
    pad_id: int,
    on_step: Callable[[Step], None],
    should_stop: Callable[[], bool],
    checkpoint: Checkpoint | None = None,
    *,
    held_back: Sequence[Feature] = (),
    on_note: Callable[[str], None] = lambda _: None,
    team: Team = ALONE,
) -> Position:
    """Trains in place until the epochs or the time are over or `should_stop` says so; returns how far it came.

    With a `checkpoint` it goes on where that one is, saves the state now and then and at the end, and comes to the
    same weights as a run without a break. Steps and time are counted over all parts. A loss that gets out of hand
    ends the training with the weights from before; with early stopping the weights are those that do best on the
    rows that are `held_back`. `on_note` is told, in a sentence each, when something does not go as planned. The
    processes of a `team` come to the weights of one alone; the main one decides when to stop, and saves.

    Raises:
        PlaygroundError: the loss is no number from the beginning, not even one row fits into the memory, or the
            checkpoint is damaged or of another run.
    """
    torch.manual_seed(config.seed)
    passes = Passes(trainee.train(), config, pad_id, on_note, team)
    accelerator, adamw = passes.accelerator, adamw_of(trainee, config)
    optimizer = accelerator.prepare_optimizer(adamw)
    steps = num_steps(features, config)
    guard, stopping = LossGuard(trainee, config.batch_size), EarlyStopping(trainee, held_back, features, config)
    start = position = checkpoint.load(trainee, optimizer) if checkpoint else Position()
    if checkpoint:
        kept = checkpoint.kept()
        guard.restore(_inside("guard", kept))
        stopping.restore(_inside("stopping", kept))
    if not team.is_main:  # its dropout is another one
        torch.manual_seed(config.seed + start.steps + team.index)
    share, trouble = share_done(start, steps, config), ""
    scheduler = LambdaLR(adamw, lambda _: schedule(share, config.schedule))
    began = saved = time.monotonic()

    def save() -> None:
        if checkpoint and team.is_main:
            state = {"guard": guard.state(), "stopping": stopping.state()}
            kept = {f"{who}/{name}": tensor for who, of in state.items() for name, tensor in of.items()}
            checkpoint.save(trainee, optimizer, position, kept)

    for batch in islice(batches(features, config, steps), start.steps, None):
        if share >= 1.0 or stopping.is_over or team.as_main(should_stop()):
            break
        loss = passes.learn(batch)
        norm = float(accelerator.clip_grad_norm_(trainee.parameters(), MAX_GRADIENT_NORM))
        trouble = guard.see(loss, norm, position.steps)
        if trouble:
            break
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        tokens = position.tokens + sum(len(feature.input_ids) for feature in batch)
        elapsed_s = team.as_main(start.elapsed_s + time.monotonic() - began)
        position = Position(position.steps + 1, tokens, elapsed_s)
        share = share_done(position, steps, config)
        scheduler.step()
        by_clock = share > position.steps / steps
        due = team.as_main(stopping.is_due(share, position.elapsed_s if by_clock else None))
        checked = stopping.check(share, position.steps, passes.losses) if due else None
        rate = float(scheduler.get_last_lr()[0])
        on_step(_told(position, steps, share, loss, rate, norm, checked))
        if checkpoint and time.monotonic() - saved >= SECONDS_BETWEEN_CHECKPOINTS:
            save()
            saved = time.monotonic()
    optimizer.zero_grad(set_to_none=True)
    if trouble:
        on_note(_end_early(trouble, guard, config))
    elif position != start:
        save()
    out_of_time = "" if stopping.is_over else _out_of_time(position, steps, config)
    notes = (out_of_time, stopping.take_best(share, position.steps, passes.losses))
    for note in filter(None, notes):
        on_note(note)
    return position


def num_steps(features: Sequence[Feature], config: RunConfig) -> int:
    return max(math.ceil(config.epochs * len(features) / config.batch_size), 1)


def _end_early(trouble: str, guard: LossGuard, config: RunConfig) -> str:
    """Goes back to the last good weights and says so."""
    advice = f"try a learning rate below {config.learning_rate:g}."
    if not guard.good_steps:
        raise PlaygroundError(f"{trouble}; {advice}")
    guard.go_back()
    return f"{trouble}, so the training ended there with the weights of step {guard.good_steps}; {advice}"


def _out_of_time(position: Position, steps: int, config: RunConfig) -> str:
    """A sentence where the time budget ended the training before its last step."""
    if not config.time_limit_s or position.elapsed_s < config.time_limit_s or position.steps >= steps:
        return ""
    return (
        f"The time budget was over after {position.steps:,} of {steps:,} steps; with a longer one, or the preset "
        "'balanced', it may learn more."
    )


def _inside(who: str, kept: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{who}/"): tensor for name, tensor in kept.items() if name.startswith(f"{who}/")}


def share_done(position: Position, steps: int, config: RunConfig) -> float:
    """Part of the run that is over, by steps or by the time limit, whichever is nearer to its end."""
    by_time = position.elapsed_s / config.time_limit_s if config.time_limit_s else 0.0
    return max(position.steps / steps, by_time)


def _told(
    position: Position, steps: int, share: float, loss: float, learning_rate: float, norm: float, checked: float | None
) -> Step:
    return Step(
        step=position.steps,
        steps=steps,
        loss=loss,
        learning_rate=learning_rate,
        gradient_norm=norm,
        tokens_per_s=position.tokens / position.elapsed_s,
        memory_mb=memory.used_bytes() / memory.MB,
        eta_s=max(position.elapsed_s / max(share, 1e-9) - position.elapsed_s, 0.0),
        elapsed_s=position.elapsed_s,
        validation_loss=checked,
    )


def schedule(share: float, shape: Schedule = "linear") -> float:
    """Learning-rate factor when `share` of the run is done: linear warm-up, then by `shape` to zero, or constant."""
    left = min(max(1.0 - share, 0.0) / (1 - WARM_UP), 1.0)
    falling = {"linear": left, "cosine": (1 - math.cos(math.pi * left)) / 2, "constant": 1.0}[shape]
    return min((share + 1e-3) / WARM_UP, falling)


def batches(features: Sequence[Feature], config: RunConfig, steps: int) -> Iterator[list[Feature]]:
    """`steps` batches in shuffled order, each of rows with similar lengths, so that little is padded."""
    chance = random.Random(config.seed)
    size = config.batch_size
    made = 0
    while True:
        order = list(features)
        chance.shuffle(order)
        cut = []
        for start in range(0, len(order), size * BATCHES_A_BUCKET):
            bucket = sorted(order[start : start + size * BATCHES_A_BUCKET], key=lambda f: len(f.input_ids))
            cut += [bucket[i : i + size] for i in range(0, len(bucket), size)]
        chance.shuffle(cut)
        for batch in cut:
            if made == steps:
                return
            made += 1
            yield batch
