"""Inputs for whatever task is chosen: two texts and two languages, of which each task shows those that it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from playground.tasks import Field, Task
from playground.types import Row
from playground.ui import languages, rows
from playground.ui.notices import Updates


@dataclass(frozen=True)
class TaskFields:
    text: gr.Textbox
    line: gr.Textbox
    source: gr.Dropdown
    target: gr.Dropdown

    @property
    def parts(self) -> list[Component]:
        return [self.text, self.line, self.source, self.target]


def build(elem_id: str) -> TaskFields:
    text = gr.Textbox(label="Text", lines=4, max_lines=12, elem_id=f"{elem_id}-text")
    line = gr.Textbox(label="Question", max_lines=1, elem_id=f"{elem_id}-line")
    with gr.Row():
        source = gr.Dropdown(languages.choices(), value="en", label="From", min_width=140)
        target = gr.Dropdown(languages.choices(), value="es", label="To", min_width=140)
    return TaskFields(text, line, source, target)


def shown(fields: TaskFields, task: Task, spoken: Sequence[str] = ()) -> Updates:
    """The fields as `task` needs them; those for languages begin with the codes in `spoken`, if there are some."""
    begins: dict[Component, str] = dict(zip((fields.source, fields.target), spoken, strict=False))
    return {part: _look(part, field, begins.get(part)) for part, field in _placed(fields, task)}


def row_of(fields: TaskFields, task: Task, values: Sequence[Any]) -> Row:
    """The row of `task` for the values of all parts.

    Raises:
        InputError: a text is missing, empty or too long, or a language is not known.
    """
    by_name = {
        field.name: value for (_, field), value in zip(_placed(fields, task), values, strict=True) if field is not None
    }
    return rows.row_of(task, [by_name[field.name] for field in task.inputs])


def _look(part: Component, field: Field | None, value: str | None) -> Any:
    kind: Any = gr.Textbox if isinstance(part, gr.Textbox) else gr.Dropdown
    if field is None:
        return kind(visible=False)
    more: dict[str, Any] = {"placeholder": field.placeholder} if kind is gr.Textbox else {}
    if value:
        more |= {"choices": languages.choices(), "value": value}
    return kind(label=field.label, visible=True, **more)


def _placed(fields: TaskFields, task: Task) -> list[tuple[Component, Field | None]]:
    """Each part with the input of `task` that it takes."""
    texts = [field for field in task.inputs if field.kind != "language"]
    spoken = [field for field in task.inputs if field.kind == "language"]
    return list(zip(fields.parts, (*_padded(texts), *_padded(spoken)), strict=True))


def _padded(fields: list[Field]) -> tuple[Field | None, Field | None]:
    first, second, *_ = [*fields, None, None]
    return first, second
