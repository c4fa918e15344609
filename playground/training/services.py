"""Weights & Biases and Trackio, for people who have them installed and configured: the curves of a run go there too."""

import importlib
import importlib.util
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from playground.training.config import RunConfig
from playground.training.settings_file import settings_text

PROJECT = "polyglot-playground"
CONFIGURED_BY: Mapping[str, tuple[str, ...]] = {
    "wandb": ("WANDB_API_KEY", "WANDB_MODE"),
    "trackio": ("TRACKIO_PROJECT", "TRACKIO_SPACE_ID", "TRACKIO_DIR"),
}
"""Package: environment variables of which one says that the person wants it."""

Log = Callable[[dict[str, float], int], None]
log = logging.getLogger(__name__)


def configured() -> list[str]:
    """The packages that are installed and asked for."""
    return [
        package
        for package, variables in CONFIGURED_BY.items()
        if any(os.environ.get(name) for name in variables) and importlib.util.find_spec(package)
    ]


@contextmanager
def services(config: RunConfig, say: Callable[[str], None]) -> Iterator[list[Log]]:
    """A function for each service that takes curves and their step.

    The settings of the run go there, its rows and paths do not. A service that fails is named to `say` once, and the
    training goes on without it.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(_service(package, config, say)) for package in configured()]


@contextmanager
def _service(package: str, config: RunConfig, say: Callable[[str], None]) -> Iterator[Log]:
    run: Any = None

    def without_it(doing: Callable[[], Any]) -> Any:
        nonlocal run
        try:
            return doing()
        except Exception as err:
            log.warning("%s failed", package, exc_info=err)
            say(f"{package} failed ({type(err).__name__}), so the run goes on without it.")
            run = None
            return None

    def begin() -> Any:
        settings = {"task": config.task, **json.loads(settings_text(config))}
        project = os.environ.get(f"{package.upper()}_PROJECT", PROJECT)
        return importlib.import_module(package).init(project=project, name=config.name, config=settings)

    run = without_it(begin)

    def note(values: dict[str, float], step: int) -> None:
        if run is not None:
            without_it(lambda: run.log(values, step=step))

    try:
        yield note
    finally:
        if run is not None:
            without_it(run.finish)
