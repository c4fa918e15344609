"""The tasks: every module of this package that has a ``TASK`` is one, and gets a tab."""

import importlib
import pkgutil
from difflib import get_close_matches
from functools import cache

from playground.errors import InputError
from playground.tasks.task import Example, Field, Task

__all__ = ["Example", "Field", "Task", "get_task", "list_tasks"]


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
