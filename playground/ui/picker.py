"""Which adapter answers: the choices of a task's picker and what a choice means."""

from collections.abc import Sequence

import gradio as gr

from playground import access
from playground.adapters import store
from playground.adapters.comparison import titles
from playground.adapters.record import AdapterRecord
from playground.adapters.store import NO_ADAPTER
from playground.errors import AdapterError
from playground.tasks import Task, list_tasks


def whose(record: AdapterRecord) -> str:
    """In a word, for the present person."""
    if record.origin == "shipped":
        return "shipped"
    return "yours" if record.owner == access.current().key else "a visitor's"


def task_choices() -> list[tuple[str, str]]:
    """(shown, name) pairs of all tasks."""
    return [(task.title, task.name) for task in list_tasks()]


def offered(task: Task) -> list[AdapterRecord]:
    """Adapters that can do `task`, read anew from disk, the shipped ones first."""
    return store.adapters_for((task.name, *task.also_adapters_of))


def key_of(record: AdapterRecord) -> str:
    return f"{record.task}/{record.name}"


def choices(records: Sequence[AdapterRecord]) -> list[tuple[str, str]]:
    """(shown, key) pairs, with the task where two have one name; the last one is the base without an adapter."""
    named = zip(titles(records), records, strict=True)
    pairs = [(f"{title} ({whose(record)})", key_of(record)) for title, record in named]
    return [*pairs, ("No adapter", NO_ADAPTER)]


def default_key(task: Task) -> str:
    record = store.default_adapter(task.name)
    return key_of(record) if record is not None else NO_ADAPTER


def build(task: Task) -> gr.Dropdown:
    return gr.Dropdown(
        choices=choices(offered(task)),
        value=default_key(task),
        label="Adapter",
        filterable=False,
        elem_id=f"{task.name}-adapter",
    )


def opened(task: Task, wanted: str | None) -> gr.Dropdown:
    """The picker with the adapters of this moment and `wanted`, or the default one where that is not there."""
    pairs = choices(offered(task))
    return gr.Dropdown(choices=pairs, value=wanted if wanted in dict(pairs).values() else default_key(task))


def refreshed(task: Task, key: str | None) -> gr.Dropdown:
    """The picker with the adapters of this moment. It says nothing of its value while that one, `key`, is still there:
    somebody quick may have chosen another one meanwhile.
    """
    pairs = choices(offered(task))
    return gr.Dropdown(choices=pairs) if key in dict(pairs).values() else opened(task, key)


def chosen(task: Task, key: str | None) -> AdapterRecord | None:
    """The record behind a picker's value.

    Raises:
        AdapterError: it is gone or was never offered for this task.
    """
    return all_chosen(task, [key])[0]


def all_chosen(task: Task, keys: Sequence[str | None]) -> list[AdapterRecord | None]:
    """The records behind several values, read from disk once. Raises AdapterError as `chosen` does."""
    wanted = [None if key in (None, "", NO_ADAPTER) else key for key in keys]
    found = {key_of(record): record for record in offered(task)} if any(wanted) else {}
    for key in filter(None, wanted):
        if key not in found:
            raise AdapterError(f"The adapter '{key}' is no longer there; choose another one for {task.title}.")
    return [found[key] if key else None for key in wanted]


def named(task: Task, name: str | None) -> AdapterRecord | None:
    """The record for a name given over HTTP: None is the task's default, ``none`` the base alone.

    Raises:
        AdapterError: there is no such adapter for this task.
    """
    return store.choose((task.name, *task.also_adapters_of), name)
