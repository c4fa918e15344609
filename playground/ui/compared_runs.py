"""Runs that left no adapter, such as those under way or failed: how far they came and with which settings."""

from collections.abc import Sequence
from datetime import datetime, timezone

from playground.errors import InputError
from playground.tasks import Task
from playground.training import runs
from playground.training.run_files import RunState

PREFIX = "run:"
"""Before the id of a run in the key of a choice; adapters have a task there."""


def choices(task: Task) -> list[tuple[str, str]]:
    """(shown, key) pairs of those that the present person sees, the newest first."""
    names = (task.name, *task.also_adapters_of)
    found = [state for state in runs.list_runs() if state.adapter is None and state.config.task in names]
    return [(title(state), f"{PREFIX}{state.run_id}") for state in found]


def chosen(keys: Sequence[str]) -> list[RunState]:
    """The runs among `keys`.

    Raises:
        InputError: one is gone; the message says so.
    """
    try:
        return [runs.read_run(key.removeprefix(PREFIX)) for key in keys if key.startswith(PREFIX)]
    except InputError as err:
        raise InputError("One of the runs to compare is no longer there; take it out of the choice.") from err


def title(state: RunState) -> str:
    when = datetime.fromtimestamp(state.created, timezone.utc).strftime("%d %b %H:%M UTC")
    return f"{state.config.name} (run of {when}, {state.state})"


def standing(state: RunState) -> dict[str, str]:
    """How far it came, by title."""
    step = state.step
    found = {"State": state.message}
    if step:
        found |= {"Step": f"{step['step']:,.0f} of {step['steps']:,.0f}", "Loss": f"{step['loss']:.3f}"}
    if state.checks:
        found["Loss on rows held back"] = f"{state.checks[-1][1]:.3f}"
    return found
