"""Named HTTP endpoints: one for each task, with the task's inputs as parameters and its row as result, and chat."""

import inspect
from collections.abc import Callable
from contextlib import closing
from typing import Any

import gradio as gr
from gradio.events import api

from playground.chat.conversation import chat_once
from playground.engine.startup import EngineLoader
from playground.errors import PlaygroundError
from playground.tasks import Task, list_tasks
from playground.types import Stream
from playground.ui import picker, rows


def register(loader: EngineLoader) -> None:
    """Adds the endpoints to the page being built; of tasks that share one, the task with a tab answers."""
    taken: set[str] = set()
    for task in sorted(list_tasks(), key=lambda task: not task.has_tab):
        if task.endpoint not in taken:
            taken.add(task.endpoint)
            api(endpoint(task, loader), api_name=task.endpoint, concurrency_limit=None)
    api(chat_endpoint(loader), api_name="chat", concurrency_limit=None)


def chat_endpoint(loader: EngineLoader) -> Callable[..., dict[str, Any]]:
    def chat(message: str, history: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """Answers a message in plain language, or a command such as /translate fr.

        Args:
            message: What to do, with or without a text; follow-ups speak of the text in the history
            history: Earlier messages, each with role (user or assistant) and content
        """
        try:
            return chat_once(loader.engine(), message, history)
        except PlaygroundError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return chat


def endpoint(task: Task, loader: EngineLoader) -> Callable[..., Stream[dict[str, Any]]]:
    """A generator function with the signature ``(*task inputs: str, adapter: str | None = None)``; its last value is
    the answer. Gradio closes it, which stops the work, when the one who asked cancels or goes away.
    """
    names = [field.name for field in task.inputs]

    def answer(*given: Any, **named: Any) -> Stream[dict[str, Any]]:
        bound = signature.bind(*given, **named)
        bound.apply_defaults()
        try:
            row = rows.row_of(task, [bound.arguments[name] for name in names])
            adapter = picker.named(task, bound.arguments["adapter"])
            with closing(rows.answer_rows(loader, task, row, adapter)) as growing:
                yield from growing
        except PlaygroundError as error:
            raise gr.Error(str(error), print_exception=False) from error

    texts = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=str) for name in names]
    choice = inspect.Parameter("adapter", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=str | None)
    signature = inspect.Signature([*texts, choice], return_annotation=dict[str, Any])
    answer.__name__ = task.endpoint
    answer.__doc__ = _description(task)
    answer.__signature__ = signature  # type: ignore[attr-defined]  # typeshed's functions have none
    answer.__annotations__ = dict.fromkeys(names, str) | {"adapter": str | None, "return": dict[str, Any]}
    return answer


def _description(task: Task) -> str:
    lines = [f"    {field.name}: {field.label}" for field in task.inputs]
    return "\n".join(
        [
            task.summary,
            "",
            "Args:",
            *lines,
            "    adapter: Name of an adapter, 'none' for the backbone alone; left out, the default adapter answers",
        ]
    )
