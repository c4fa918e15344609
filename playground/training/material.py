"""The rows of a run: read, repaired, and split into those to learn from and those to measure on."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from playground import settings
from playground.adapters.record import AdapterRecord
from playground.data.augment import augment
from playground.data.fixes import BALANCE
from playground.data.rows import LoadedRows
from playground.data.splits import split
from playground.errors import DataError
from playground.tasks import Task
from playground.training.config import RunConfig
from playground.training.continuing import parent_of, replayed
from playground.training.corpus import balanced, sample, thin
from playground.training.early_stopping import FEWEST_ROWS
from playground.training.repair import evened, held_out_split, read_repaired, read_validation, without_leaks
from playground.training.runs import run_of
from playground.types import Row

CALIBRATION_ROWS = 200
HELD_BACK_FROM = 160
"""With fewer rows to learn from, none is held back to watch the loss on."""
FEWEST = 4
"""Rows of a file, so that some can be held out."""


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

    @property
    def training(self) -> list[Row]:
        return [row for _, rows in self.stages for row in rows]


def read_material(config: RunConfig, task: Task) -> Material:
    """Rows of the run after its fixes; those like the rows to measure on are taken out of the others.

    Raises:
        DataError: no usable row, or too few to hold some out.
        AdapterError: the adapter to go on from is gone.
    """
    if config.validation:
        return _measured_on_own_rows(config, task)
    parent = parent_of(config)
    old = _old_material(config, task, parent)
    material = _split_rows(config, has_old_rows=old is not None)
    return material if old is None else _with_old_rows(config, material, old)


def _old_material(config: RunConfig, task: Task, parent: AdapterRecord | None) -> Material | None:
    """The rows of `parent`, where they are to be repeated and still there."""
    run = run_of(parent) if parent and config.replay else None
    return read_material(run.config, task) if run else None


def _with_old_rows(config: RunConfig, material: Material, old: Material) -> Material:
    """`material` with rows of `old`, to learn from and to measure on; what the new rows correct is left out."""
    new = material.training
    repeated = replayed(config.task, old.training, [*new, *material.held_out], config.seed)
    measured, num_corrected = without_leaks(config.task, old.held_out, new)
    return replace(
        material,
        stages=[(config, [*new, *repeated])],
        held_out=[*material.held_out, *measured],
        spare=[*material.spare, *old.spare],
        duplicates=material.duplicates + num_corrected,
        num_replayed=len(repeated),
    )


def _split_rows(config: RunConfig, *, has_old_rows: bool) -> Material:
    """Rows of one file, some of them held out; a few beside old ones are all learnt from."""
    path = Path(config.data)
    read, counts = read_repaired(path, config)
    loaded = balanced(read, config.max_rows, config.seed)
    if len(loaded.rows) < FEWEST and has_old_rows:
        return Material([(config, loaded.rows)], [], [], loaded, 0, _counted(config, counts, 0))
    if len(loaded.rows) < FEWEST:
        raise DataError(f"'{path.name}' has {len(loaded.rows)} usable rows; at least {FEWEST} are needed.")
    training, held_out, duplicates = held_out_split(config, read, loaded)
    held = sample(held_out, config.evaluation_rows, config.seed)
    stages = [(config, evened(config, training, config.seed))]
    fixes = _counted(config, counts, len(stages[0][1]) - len(training))
    return Material(stages, held, _spare(held_out, held, config.seed), loaded, duplicates, fixes)


def _measured_on_own_rows(config: RunConfig, task: Task) -> Material:
    """Rows to learn from, and others in a file or folder of their own to measure on."""
    everything, name = read_validation(config), Path(config.validation or "").name
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
                f"Every row of '{Path(stage.data).name}' is or resembles a row of '{name}'; "
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


def hold_back(material: Material, config: RunConfig, task: Task) -> tuple[Material, list[Row]]:
    """`material` and rows to watch the loss on: some that were spare, or else some that would have been learnt from."""
    if not config.early_stopping:
        return material, []
    if len(material.spare) >= FEWEST_ROWS:
        return material, material.spare
    if len(material.stages) > 1 or len(material.training) < HELD_BACK_FROM:
        return material, []
    training, watched = split(material.training, task.name, seed=config.seed)
    return replace(material, stages=[(material.stages[0][0], training)]), watched
