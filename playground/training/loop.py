"""The training loop, one for all tasks: length-bucketed batches, AdamW, a schedule that ends in time."""

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from accelerate import Accelerator
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from playground.backbones.loading import fast_bfloat16
from playground.errors import PlaygroundError
from playground.training.checkpoint import Checkpoint, Position
from playground.training.config import RunConfig
from playground.training.features import Feature
from playground.training.trainee import Trainee, collate

WARM_UP = 0.06
BATCHES_A_BUCKET = 50
MAX_GRADIENT_NORM = 1.0
SECONDS_BETWEEN_CHECKPOINTS = 20.0
TOKENS_A_PASS = 2048
"""A pass keeps about 2 MB for each token of the embedded backbone until its gradients are there."""


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
    eta_s: float
    elapsed_s: float


def train(
    trainee: Trainee,
    features: Sequence[Feature],
    config: RunConfig,
    pad_id: int,
    on_step: Callable[[Step], None],
    should_stop: Callable[[], bool],
    checkpoint: Checkpoint | None = None,
) -> Position:
    """Trains in place until the epochs or the time are over or `should_stop` says so; returns how far it came.

    With a `checkpoint` it goes on where that one is, saves the state now and then and at the end, and comes to the
    same weights as a run without a break. Steps and time are counted over all parts.

    Raises:
        PlaygroundError: the loss is no number any more, or the checkpoint is damaged or of another run.
    """
    torch.manual_seed(config.seed)
    accelerator = Accelerator(mixed_precision="bf16" if fast_bfloat16() else "no", cpu=not torch.cuda.is_available())
    adamw = AdamW([p for p in trainee.parameters() if p.requires_grad], lr=config.learning_rate, weight_decay=0.01)
    steps = max(math.ceil(config.epochs * len(features) / config.batch_size), 1)
    model, optimizer = accelerator.prepare(trainee, adamw)
    model.train()
    start = position = checkpoint.load(trainee, optimizer) if checkpoint else Position()
    share = share_done(start, steps, config)
    scheduler = LambdaLR(adamw, lambda _: schedule(share))
    began = saved = time.monotonic()
    for batch in islice(batches(features, config, steps), start.steps, None):
        if share >= 1.0 or should_stop():
            break
        loss = sum(_learn(model, part, len(part) / len(batch), accelerator, pad_id) for part in passes(batch))
        if not math.isfinite(loss):
            raise PlaygroundError(
                f"The loss became {loss} at step {position.steps + 1}; try a learning rate below "
                f"{config.learning_rate}."
            )
        norm = accelerator.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        tokens = position.tokens + sum(len(feature.input_ids) for feature in batch)
        position = Position(position.steps + 1, tokens, start.elapsed_s + time.monotonic() - began)
        share = share_done(position, steps, config)
        scheduler.step()
        on_step(_told(position, steps, share, loss, float(scheduler.get_last_lr()[0]), float(norm)))
        if checkpoint and time.monotonic() - saved >= SECONDS_BETWEEN_CHECKPOINTS:
            checkpoint.save(trainee, optimizer, position)
            saved = time.monotonic()
    if checkpoint and position != start:
        checkpoint.save(trainee, optimizer, position)
    return position


def passes(batch: Sequence[Feature]) -> Iterator[Sequence[Feature]]:
    """`batch` in parts that go through the model one after the other, so that long rows don't fill the memory."""
    size = max(TOKENS_A_PASS // max(len(feature.input_ids) for feature in batch), 1)
    return (batch[start : start + size] for start in range(0, len(batch), size))


def _learn(model: Trainee, part: Sequence[Feature], weight: float, accelerator: Accelerator, pad_id: int) -> float:
    """Adds the gradients of `part`, which is `weight` of its batch, and returns its share of the batch's loss."""
    tensors = {key: value.to(accelerator.device) for key, value in collate(part, pad_id).items()}
    loss = model(**tensors) * weight
    accelerator.backward(loss)
    return float(loss.item())


def share_done(position: Position, steps: int, config: RunConfig) -> float:
    """Part of the run that is over, by steps or by the time limit, whichever is nearer to its end."""
    by_time = position.elapsed_s / config.time_limit_s if config.time_limit_s else 0.0
    return max(position.steps / steps, by_time)


def _told(position: Position, steps: int, share: float, loss: float, learning_rate: float, norm: float) -> Step:
    return Step(
        step=position.steps,
        steps=steps,
        loss=loss,
        learning_rate=learning_rate,
        gradient_norm=norm,
        tokens_per_s=position.tokens / position.elapsed_s,
        eta_s=max(position.elapsed_s / max(share, 1e-9) - position.elapsed_s, 0.0),
        elapsed_s=position.elapsed_s,
    )


def schedule(share: float) -> float:
    """Learning-rate factor when `share` of the run is done: linear warm-up, then linear to zero."""
    return min((share + 1e-3) / WARM_UP, max(1.0 - share, 0.0) / (1 - WARM_UP), 1.0)


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
