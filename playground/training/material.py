"""The rows of a run: read, repaired, and split into those to learn from and those to measure on."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from playground import settings
from playground.data.augment import augment
from playground.data.fixes import BALANCE, NAMES
from playground.data.rows import LoadedRows
from playground.data.splits import split
from playground.errors import DataError
from playground.tasks import Task
from playground.training.config import RunConfig
from playground.training.continuing import replayed
from playground.training.corpus import balanced, sample, thin
from playground.training.early_stopping import FEWEST_ROWS
from playground.training.learnt_rows import settings_before
from playground.training.naming import Mask, masking
from playground.training.repair import (
    evened,
    held_out_split,
    read_repaired,
    read_validation,
    validation_rows,
    without_leaks,
)
from playground.types import Progress, Row

CALIBRATION_ROWS = 200
HELD_BACK_FROM = 160
"""With fewer rows to learn from, none is held back to watch the loss on."""
FEWEST = 4
"""Rows of a file, so that some can be held out."""
ALL_LEARNT_BELOW = 50
"""Rows beside those of an adapter that is gone on from, which are there to measure on: each is dear to who wrote it."""


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
    num_replayed: int = 0
    """Rows to learn from that the adapter it goes on from had learnt already."""
    num_unused: int = 0
    """Rows that the split takes neither to learn from nor to measure on."""

    @property
    def training(self) -> list[Row]:
        return [row for _, rows in self.stages for row in rows]


def _silent(_fraction: float, _message: str) -> None:
    """Tells nobody."""


def read_material(config: RunConfig, task: Task, progress: Progress | None = _silent) -> Material:
    """Rows of the run after its fixes; those like the rows to measure on are taken out of the others.

    Args:
        progress: told how far the masking of names is, which takes long; None leaves it out, for an estimate.

    Raises:
        DataError: no usable row, or too few to hold some out.
        InputError: names can't be masked on this backbone.
    """
    if config.validation:
        with masking(config, progress) as mask:
            return _measured_on_own_rows(config, task, mask)
    learnt = settings_before(config)
    old = read_material(learnt, task, progress) if learnt else None
    with masking(config, progress) as mask:
        material = _split_rows(config, mask, old)
    return material if old is None else _with_old_rows(config, material, old)


def _with_old_rows(config: RunConfig, material: Material, old: Material) -> Material:
    """`material` with rows of `old`, to learn from and to measure on; what the new rows correct is left out.

    Raises:
        DataError: none is left to measure on.
    """
    # What the adapter learnt before, such as corrections of an earlier round, would flatter it.
    fresh, _ = without_leaks(config.task, material.held_out, old.training)
    kept = set(map(id, fresh))
    new = [*material.training, *(row for row in material.held_out if id(row) not in kept)]
    repeated = replayed(config.task, old.training, [*new, *fresh], config.seed)
    measured, num_corrected = without_leaks(config.task, old.held_out, new)
    if not fresh and not measured:
        raise DataError(
            f"'{config.parent}' has learnt from all rows that could be held out; give rows to measure on in a file of "
            "their own."
        )
    return replace(
        material,
        stages=[(config, [*new, *repeated])],
        held_out=[*fresh, *measured],
        spare=[*material.spare, *old.spare],
        duplicates=material.duplicates + num_corrected,
        num_replayed=len(repeated),
    )


def _split_rows(config: RunConfig, mask: Mask, old: Material | None) -> Material:
    """Rows of one file, some of them held out; a few beside `old` ones to measure on are all learnt from."""
    path = Path(config.data)
    read, counts = read_repaired(path, config)
    loaded, counts[NAMES] = _masked(balanced(read, config.max_rows, config.seed), mask)
    fewest_split = ALL_LEARNT_BELOW if config.split == "stratified" else FEWEST
    if old and len(loaded.rows) < fewest_split and without_leaks(config.task, old.held_out, loaded.rows)[0]:
        learnt = evened(config, loaded.rows, config.seed)
        fixes = _counted(config, counts, len(learnt) - len(loaded.rows))
        return Material([(config, learnt)], [], [], loaded, 0, fixes)
    if len(loaded.rows) < FEWEST:
        raise DataError(f"'{path.name}' has {len(loaded.rows)} usable rows; at least {FEWEST} are needed.")
    training, held_out, duplicates = held_out_split(config, read, loaded)
    held = sample(held_out, config.evaluation_rows, config.seed)
    stages = [(config, evened(config, training, config.seed))]
    fixes = _counted(config, counts, len(stages[0][1]) - len(training))
    validation = validation_rows(config, read, loaded)
    num_unused = len(loaded.rows) - len(training) - duplicates - len(held_out) - len(validation)
    spare = sample(validation, CALIBRATION_ROWS, config.seed) or _spare(held_out, held, config.seed)
    return Material(stages, held, spare, loaded, duplicates, fixes, num_unused=num_unused)


def _masked(loaded: LoadedRows, mask: Mask) -> tuple[LoadedRows, int]:
    """`loaded` without names of persons, if that was chosen, and how many of its rows had some."""
    rows = mask(loaded.rows)
    return replace(loaded, rows=rows), sum(new is not old for new, old in zip(rows, loaded.rows, strict=True))


def _measured_on_own_rows(config: RunConfig, task: Task, mask: Mask) -> Material:
    """Rows to learn from, and others in a file or folder of their own to measure on."""
    everything, name = read_validation(config), Path(config.validation or "").name
    parts = thin(everything, config.validation_shares, config.seed)
    measured = balanced(parts, config.evaluation_rows, config.seed).rows
    others = balanced(parts, settings.MAX_ROWS, config.seed).rows
    held, spare = mask(measured), mask(_spare(others, measured, config.seed))
    # As they were, and as they are measured on.
    unseen = [*(row for part in everything for row in part.rows), *held]
    stages = []
    duplicates = added = num_named = 0
    configs = [replace(config, stages=[], **differing) for differing in config.stages or [{}]]
    repaired = {data: read_repaired(Path(data), config) for data in {stage.data for stage in configs}}
    for stage in configs:
        parts = thin(repaired[stage.data][0], stage.source_shares, stage.seed)
        loaded, num_masked = _masked(balanced(parts, stage.max_rows, stage.seed), mask)
        num_named += num_masked
        rows = augment(loaded.rows, stage.augmentations, stage.seed)
        kept, num_leaking = without_leaks(task.name, rows, unseen)
        if not kept:
            raise DataError(
                f"Every row of '{Path(stage.data).name}' is or resembles a row of '{name}'; "
                "measure on rows that are not learnt from."
            )
        duplicates += num_leaking
        stages.append((stage, evened(config, kept, stage.seed)))
        added += len(stages[-1][1]) - len(kept)
    counts = sum((counts for _, counts in repaired.values()), Counter({NAMES: num_named}))
    return Material(stages, held, spare, loaded, duplicates, _counted(config, counts, added))


def _counted(config: RunConfig, counts: Mapping[str, int], added: int) -> dict[str, int]:
    """What each chosen fix did, also where that was nothing."""
    return {name: added if name == BALANCE else counts.get(name, 0) for name in config.fixes}


def _spare(rows: list[Row], held_out: list[Row], seed: int) -> list[Row]:
    """Some of `rows` that are not held out to measure on."""
    measured = {json.dumps(row, sort_keys=True) for row in held_out}
    return sample([row for row in rows if json.dumps(row, sort_keys=True) not in measured], CALIBRATION_ROWS, seed)


def hold_back(material: Material, config: RunConfig, task: Task) -> tuple[Material, list[Row]]:
    """`material` and rows to watch the loss on: some that were spare, or else some that would have been learnt from and
    are spare now.
    """
    if not config.early_stopping:
        return material, []
    if len(material.spare) >= FEWEST_ROWS:
        return material, material.spare
    if len(material.stages) > 1 or len(material.training) < HELD_BACK_FROM:
        return material, []
    training, watched = split(material.training, task.name, seed=config.seed)
    return replace(material, stages=[(material.stages[0][0], training)], spare=[*material.spare, *watched]), watched
