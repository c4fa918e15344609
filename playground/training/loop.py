"""The training loop, one for all tasks: length-bucketed batches, AdamW, a schedule that ends in time."""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from accelerate import Accelerator
from peft.optimizers import create_loraplus_optimizer
from torch import Tensor
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from playground.backbones.loading import fast_bfloat16
from playground.backbones.release import release
from playground.errors import PlaygroundError
from playground.training import memory
from playground.training.checkpoint import Checkpoint, Position
from playground.training.config import RunConfig, Schedule
from playground.training.early_stopping import EarlyStopping
from playground.training.features import Feature
from playground.training.guard import LossGuard
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
) -> Position:
    """Trains in place until the epochs or the time are over or `should_stop` says so; returns how far it came.

    With a `checkpoint` it goes on where that one is, saves the state now and then and at the end, and comes to the
    same weights as a run without a break. Steps and time are counted over all parts. A loss that gets out of hand
    ends the training with the weights from before; with early stopping the weights are those with the lowest loss on
    the rows that are `held_back`. `on_note` is told, in a sentence each, when something does not go as planned.

    Raises:
        PlaygroundError: the loss is no number from the beginning, not even one row fits into the memory, or the
            checkpoint is damaged or of another run.
    """
    torch.manual_seed(config.seed)
    accelerator = accelerator_of()
    adamw = adamw_of(trainee, config)
    steps = num_steps(features, config)
    model, optimizer = accelerator.prepare(trainee, adamw)
    model.train()
    passes = Passes(model, config, accelerator, pad_id, on_note)
    guard, stopping = LossGuard(trainee), EarlyStopping(trainee, held_back, features, config)
    start = position = checkpoint.load(trainee, optimizer) if checkpoint else Position()
    if checkpoint:
        kept = checkpoint.kept()
        guard.restore(_inside("guard", kept))
        stopping.restore(_inside("stopping", kept))
    share, trouble = share_done(start, steps, config), ""
    scheduler = LambdaLR(adamw, lambda _: schedule(share, config.schedule))
    began = saved = time.monotonic()

    def save() -> None:
        if checkpoint:
            state = {"guard": guard.state(), "stopping": stopping.state()}
            kept = {f"{who}/{name}": tensor for who, of in state.items() for name, tensor in of.items()}
            checkpoint.save(trainee, optimizer, position, kept)

    for batch in islice(batches(features, config, steps), start.steps, None):
        if share >= 1.0 or stopping.is_over or should_stop():
            break
        loss = passes.learn(batch)
        norm = float(accelerator.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM))
        trouble = guard.see(loss, norm, position.steps)
        if trouble:
            break
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        tokens = position.tokens + sum(len(feature.input_ids) for feature in batch)
        position = Position(position.steps + 1, tokens, start.elapsed_s + time.monotonic() - began)
        share = share_done(position, steps, config)
        scheduler.step()
        due = stopping.is_due(share, position.elapsed_s)
        checked = stopping.check(share, position.steps, passes.loss) if due else None
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
    note = stopping.take_best(share, position.steps, passes.loss)
    if note:
        on_note(note)
    return position


class Passes:
    """Takes batches through the model in parts, as large as the memory allows, whose gradients add up."""

    def __init__(
        self,
        model: Trainee,
        config: RunConfig,
        accelerator: Accelerator,
        pad_id: int,
        on_note: Callable[[str], None],
    ) -> None:
        self._model = model
        self._accelerator = accelerator
        self._pad_id = pad_id
        self._on_note = on_note
        self._rows = config.rows_a_pass
        self._tokens = TOKENS_A_PASS

    def learn(self, batch: Sequence[Feature]) -> float:
        """Adds the gradients of `batch` and returns its loss; where the memory does not suffice, in smaller parts.

        Raises:
            PlaygroundError: not even one row fits.
        """
        while True:
            chance = torch.get_rng_state()
            try:
                return sum(self._learn(part, len(part) / len(batch)) for part in self._cut(batch))
            except (RuntimeError, MemoryError) as err:
                if not memory.ran_out(err):
                    raise
            # Outside of the handler, whose traceback would keep the tensors alive.
            self._model.zero_grad(set_to_none=True)
            release()
            torch.set_rng_state(chance)
            self._halve(batch)

    def loss(self, rows: Sequence[Feature]) -> float:
        """Mean loss of `rows`, from which nothing is learnt."""
        self._model.eval()
        with torch.no_grad():
            total = sum(float(self._forward(part)) * len(part) for part in self._cut(rows))
        self._model.train()
        return total / len(rows)

    def _cut(self, batch: Sequence[Feature]) -> Iterator[Sequence[Feature]]:
        return cut(batch, self._tokens, self._rows)

    def _learn(self, part: Sequence[Feature], weight: float) -> float:
        """Adds the gradients of `part`, which is `weight` of its batch, and returns its share of the batch's loss."""
        loss = self._forward(part) * weight
        self._accelerator.backward(loss)
        return float(loss.item())

    def _forward(self, part: Sequence[Feature]) -> Tensor:
        tensors = {key: value.to(self._accelerator.device) for key, value in collate(part, self._pad_id).items()}
        loss: Tensor = self._model(**tensors)
        return loss

    def _halve(self, batch: Sequence[Feature]) -> None:
        before = rows_a_pass(batch, self._tokens, self._rows)
        longest = max(len(feature.input_ids) for feature in batch)
        if before == 1:
            raise PlaygroundError(
                f"Memory ran out over a single row of {longest} tokens; choose a smaller max_length or 4-bit weights, "
                "or close other programs."
            )
        self._tokens = before // 2 * longest
        self._on_note(f"Memory ran out, so {before // 2} rows instead of {before} go through the backbone at once.")


def cut(batch: Sequence[Feature], tokens: int, most: int = 0) -> Iterator[Sequence[Feature]]:
    """`batch` in parts that go through the model one after the other, so that long rows don't fill the memory."""
    size = rows_a_pass(batch, tokens, most)
    return (batch[start : start + size] for start in range(0, len(batch), size))


def rows_a_pass(batch: Sequence[Feature], tokens: int, most: int = 0) -> int:
    """How many rows of `batch` make at most so many `tokens`: one at least, and `most` at most unless that is 0."""
    size = tokens // max(len(feature.input_ids) for feature in batch)
    return max(min(size, len(batch), most or size), 1)


def num_steps(features: Sequence[Feature], config: RunConfig) -> int:
    return max(math.ceil(config.epochs * len(features) / config.batch_size), 1)


def accelerator_of() -> Accelerator:
    """For the device of this machine, in bfloat16 where that is fast."""
    return Accelerator(mixed_precision="bf16" if fast_bfloat16() else "no", cpu=not torch.cuda.is_available())


def adamw_of(trainee: Trainee, config: RunConfig) -> Optimizer:
    if config.loraplus_lr_ratio != 1:
        optimizer: Optimizer = create_loraplus_optimizer(
            trainee.model,
            AdamW,
            lr=config.learning_rate,
            loraplus_lr_ratio=config.loraplus_lr_ratio,
            loraplus_weight_decay=config.weight_decay,
        )
        return optimizer
    trained = [parameter for parameter in trainee.parameters() if parameter.requires_grad]
    return AdamW(trained, lr=config.learning_rate, weight_decay=config.weight_decay)


def _end_early(trouble: str, guard: LossGuard, config: RunConfig) -> str:
    """Goes back to the last good weights and says so."""
    advice = f"try a learning rate below {config.learning_rate:g}."
    if not guard.good_steps:
        raise PlaygroundError(f"{trouble}; {advice}")
    guard.go_back()
    return f"{trouble}, so the training ended there with the weights of step {guard.good_steps}; {advice}"


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
