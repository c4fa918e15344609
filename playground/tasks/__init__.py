"""The tasks: every module of this package that has a ``TASK`` is one, and gets a tab."""

import importlib
import pkgutil
from difflib import get_close_matches
from functools import cache

from playground.adapters import store
from playground.adapters.record import AdapterRecord
from playground.errors import AdapterError, InputError
from playground.tasks.task import Example, Field, Task

__all__ = ["Example", "Field", "Task", "get_task", "list_tasks", "must_be_known"]


@cache
def list_tasks() -> tuple[Task, ...]:
    """All tasks in the order of their tabs."""
    modules = (importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__))
    return tuple(sorted((m.TASK for m in modules if hasattr(m, "TASK")), key=lambda task: task.order))


def get_task(name: str) -> Task:
    """The task called `name`.

    Raises:
        InputError: there is none; the message lists the tasks and the nearest name.
    """
    tasks = {task.name: task for task in list_tasks()}
    if name in tasks:
        return tasks[name]
    near = get_close_matches(str(name), tasks, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise InputError(f"There is no task '{name}'; the tasks are {', '.join(tasks)}.{hint}")


def must_be_known(record: AdapterRecord) -> None:
    """Takes an adapter that was just imported away again where this program can't do its task.

    Raises:
        AdapterError: there is no such task here, or its adapters have another shape.
    """
    task = next((task for task in list_tasks() if task.name == record.task), None)
    if task and task.shape == record.shape:
        return
    store.remove(record)
    tasks = ", ".join(task.name for task in list_tasks())
    known = f"adapters for it are of the shape '{task.shape}', not '{record.shape}'" if task else f"only {tasks}"
    raise AdapterError(f"{record.title} is for a task that can't be done here: {known}. Update this program.")
