"""The training loop, one for all tasks: length-bucketed batches, AdamW, a schedule that ends in time."""

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from playground.backbones.loading import fast_bfloat16
from playground.errors import PlaygroundError
from playground.training.config import RunConfig
from playground.training.features import Feature
from playground.training.trainee import Trainee, collate

WARM_UP = 0.06
BATCHES_A_BUCKET = 50
MAX_GRADIENT_NORM = 1.0


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
) -> int:
    """Trains in place until the epochs or the time are over or `should_stop` says so; returns the steps done.

    Raises:
        PlaygroundError: the loss is no number any more.
    """
    torch.manual_seed(config.seed)
    accelerator = Accelerator(mixed_precision="bf16" if fast_bfloat16() else "no", cpu=not torch.cuda.is_available())
    optimizer = AdamW([p for p in trainee.parameters() if p.requires_grad], lr=config.learning_rate, weight_decay=0.01)
    steps = max(math.ceil(config.epochs * len(features) / config.batch_size), 1)
    began = time.monotonic()
    share = 0.0
    scheduler = LambdaLR(optimizer, lambda _: schedule(share))
    model, optimizer = accelerator.prepare(trainee, optimizer)
    model.train()
    done = tokens = 0
    for batch in batches(features, config, steps):
        if share >= 1.0 or should_stop():
            break
        tensors = {key: value.to(accelerator.device) for key, value in collate(batch, pad_id).items()}
        loss = model(**tensors)
        if not torch.isfinite(loss):
            raise PlaygroundError(
                f"The loss became {loss.item()} at step {done + 1}; try a learning rate below {config.learning_rate}."
            )
        accelerator.backward(loss)
        norm = accelerator.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        done += 1
        tokens += sum(len(feature.input_ids) for feature in batch)
        elapsed = time.monotonic() - began
        share = done / steps
        if config.time_limit_s:
            share = max(share, elapsed / config.time_limit_s)
        scheduler.step()
        on_step(
            Step(
                step=done,
                steps=steps,
                loss=loss.item(),
                learning_rate=scheduler.get_last_lr()[0],
                gradient_norm=float(norm),
                tokens_per_s=tokens / elapsed,
                eta_s=max(elapsed / max(share, 1e-9) - elapsed, 0.0),
                elapsed_s=elapsed,
            )
        )
    return done


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
