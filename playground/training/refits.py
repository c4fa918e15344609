"""The same training on parts of the rows, for the learning curve."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from playground.adapters.record import AdapterRecord, hash_files, write_record
from playground.backbones.loading import load_tokenizer, locate
from playground.backbones.release import release
from playground.errors import Cancelled
from playground.tasks import Task
from playground.training.config import RunConfig
from playground.training.features import Feature, build_features
from playground.training.loop import train
from playground.training.measure import SKIPPED, Emit, StopWish
from playground.training.trainee import build_trainee
from playground.types import Row

SHARES = (0.25, 0.5)
"""Of the rows that the adapter learnt from."""
FEWEST_ROWS = 32
"""A quarter of fewer rows teaches nothing."""
NO_CURVE = "No learning curve says whether more rows would help: {reason}."
ENDED_EARLY = NO_CURVE.format(reason="the training was ended early")


def why_no_refits(config: RunConfig, num_rows: int, training_s: float) -> str:
    """Why a run that learnt from `num_rows` rows in `training_s` seconds gets no learning curve, in a sentence; empty
    where only the rows would differ, not how far the time budget let it come, so that it gets one.
    """
    reasons = {
        "it goes on from another adapter, and so knows more than these rows": bool(config.parent),
        "it read bare texts before": config.pretrain_epochs > 0,
        "it was trained in several parts": bool(config.stages),
        "the time budget ended the training, and fewer rows would be learnt from more often": (
            0 < config.time_limit_s <= training_s
        ),
        f"it takes at least {FEWEST_ROWS} rows to learn from": num_rows < FEWEST_ROWS,
    }
    first = next((reason for reason, holds in reasons.items() if holds), "")
    return NO_CURVE.format(reason=first) if first else ""


def refit(
    config: RunConfig,
    task: Task,
    rows: Sequence[Row],
    watched: Sequence[Row],
    record: AdapterRecord,
    folder: Path,
    emit: Emit,
    stop_wish: Callable[[], StopWish],
) -> list[tuple[int, AdapterRecord]]:
    """Adapters that learnt from growing parts of `rows`, each with the number of them, in folders inside `folder`.

    Each part holds the one before.

    Args:
        rows: what `record` learnt from.
        watched: rows held back to stop early.
        record: the adapter that learnt from all of them with the settings in `config`.

    Raises:
        Cancelled: the person did not want to wait.
    """
    order = random.Random(config.seed).sample(rows, len(rows))
    source = locate(config.backbone, lambda *_: None)
    tokenizer = load_tokenizer(source)

    def features_of(some: Sequence[Row]) -> list[Feature]:
        return build_features(task, some, tokenizer, record.labels, config.max_length, config.seed).features

    made: list[tuple[int, AdapterRecord]] = []
    for share in SHARES:
        part = order[: round(share * len(rows))]
        message = f"Learning curve: training on {len(part):,} of {len(rows):,} rows"
        emit({"event": "phase", "phase": "evaluating", "message": message})
        features, held_back = features_of(part), features_of(watched)
        trainee = build_trainee(config, task.shape, source, len(record.labels))
        trainee.prepare([*features, *held_back])
        train(
            trainee,
            features,
            config,
            tokenizer.pad_token_id,
            on_step=lambda _: None,
            should_stop=lambda: stop_wish() == "discard",
            held_back=held_back,
        )
        if stop_wish() == "discard":
            raise Cancelled(SKIPPED)
        place = folder / str(len(part))
        place.mkdir()
        trainee.save(place)
        del trainee
        release()
        own = replace(record, path=place, files=hash_files(place))
        write_record(own, place)
        made.append((len(part), own))
    return made
