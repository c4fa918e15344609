"""The rows that an adapter learnt from: found again as long as they are still there as they were.

A run of the page keeps a copy of its rows. Of a training of the command line, `LEARNT_FILE` in the adapter's folder
says where they lie and how it was set up; it names folders of this machine and leaves it with no zip.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path

from playground.adapters import store
from playground.adapters.record import LEARNT_FILE, AdapterRecord, replace_file
from playground.backbones.embedded import sha256
from playground.errors import AdapterError, DataError
from playground.training.config import RunConfig, as_config
from playground.training.corpus import files_of
from playground.training.runs import run_marked, run_of


def remember(config: RunConfig, adapter: AdapterRecord) -> None:
    """Writes beside an adapter of the command line how the training of `config`, which made it, finds its rows again.

    Raises:
        OSError: it can't be written.
    """
    validation = str(_whole(config.validation)) if config.validation else None
    stages = [{**stage, "data": str(_whole(stage["data"]))} if "data" in stage else stage for stage in config.stages]
    whole = replace(config, data=str(_whole(config.data)), validation=validation, stages=stages)
    learnt = {"config": asdict(whole), "files": _digests(whole)}
    replace_file(adapter.path / LEARNT_FILE, json.dumps(learnt, ensure_ascii=False, indent=1).encode(), mode=0o600)


def settings_of(adapter: AdapterRecord) -> RunConfig | None:
    """Of the training that made `adapter`; None where its rows are not there any more, or are others by now."""
    run = run_of(adapter)
    return run.config if run else _remembered(adapter)


def settings_before(config: RunConfig) -> RunConfig | None:
    """Of the training that made the adapter which `config` goes on from, where its rows are to be repeated.

    The adapter may be gone by now, or have another name.
    """
    if not (config.parent and config.replay):
        return None
    run = run_marked(config.parent_run)
    if run:
        return run.config
    try:
        return settings_of(store.find(config.task, config.parent))
    except AdapterError:
        return None


def _remembered(adapter: AdapterRecord) -> RunConfig | None:
    try:
        learnt = json.loads((adapter.path / LEARNT_FILE).read_text(encoding="utf-8"))
        config = as_config(learnt["config"])
        return config if _digests(config) == learnt["files"] else None
    except (OSError, ValueError, TypeError, KeyError, DataError):
        return None


def _digests(config: RunConfig) -> dict[str, str]:
    """SHA-256 of each file that the rows come from, by its path."""
    places = [config.data, *(stage["data"] for stage in config.stages if "data" in stage), config.validation]
    return {str(file): sha256(file) for place in filter(None, places) for file in files_of(Path(place))}


def _whole(place: str) -> Path:
    return Path(place).absolute()
