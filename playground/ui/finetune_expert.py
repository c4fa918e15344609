"""Every setting of a training as a control, and the same settings as a command and as a file to keep and load."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from playground.training.command import command_line
from playground.training.config import RunConfig, make_config
from playground.training.options import BY_NAME, OPTIONS, Option, checked
from playground.training.settings_file import settings_text
from playground.types import Stream
from playground.ui.notices import Updates

GROUPS: Mapping[str, Sequence[str]] = {
    "Adapter": (
        *("rank", "alpha", "dropout", "target_modules", "upper_share", "use_rslora", "use_dora", "init", "attention"),
    ),
    "Learning": (
        *("learning_rate", "schedule", "loraplus_lr_ratio", "optim", "weight_decay"),
        *("batch_size", "rows_a_pass", "epochs", "pretrain_epochs"),
        *("time_limit_s", "early_stopping", "class_weights", "seed", "compile"),
    ),
    "Rows": ("max_rows", "max_length", "evaluation_rows", "learning_curve"),
}
LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""Of the embedded backbone; others may be typed."""
OF_THE_TASK = ("batch_size", "max_length", "attention")
"""Settings that the presets leave to the task."""
LEAD = "Choosing a preset above fills these in; what you change here counts."
FILE_LEAD = "The same training as a command, and its settings as a file that can be loaded here or with --config."


@dataclass(frozen=True)
class Expert:
    controls: dict[str, Component]
    """By the name of the option, in the order of `OPTIONS`."""
    show: gr.Button
    load: gr.UploadButton
    command: gr.Code
    file: gr.DownloadButton
    outcome: gr.HTML

    @property
    def choices(self) -> list[Component]:
        """Inputs of the start, in the order that `chosen` takes."""
        return list(self.controls.values())

    @property
    def filled(self) -> list[Block]:
        """What changes when other values are put in: an old command would no longer be right."""
        return [*self.controls.values(), self.command, self.file, self.outcome]


def build(task: str, preset: str) -> Expert:
    usual = make_config(task, "", "", preset, "")
    made: dict[str, Component] = {}
    with gr.Accordion("Expert settings", open=False, elem_id="finetune-expert"):
        gr.HTML(f'<p class="pg-lead">{LEAD}</p>')
        for title, names in GROUPS.items():
            gr.HTML(f"<h4>{title}</h4>")
            with gr.Row(equal_height=False):
                made |= {name: _control(BY_NAME[name], getattr(usual, name)) for name in names}
        gr.HTML(f'<p class="pg-lead">{FILE_LEAD}</p>')
        with gr.Row(elem_classes="pg-actions"):
            show = gr.Button("Show command and file", size="sm", elem_id="finetune-show-command")
            load = gr.UploadButton(
                "Load settings", file_types=[".json"], file_count="single", size="sm", elem_id="finetune-load-settings"
            )
            file = gr.DownloadButton("Download settings", visible=False, size="sm", elem_id="finetune-settings-file")
        command = gr.Code(
            label="Command",
            language="shell",
            interactive=False,
            visible=False,
            wrap_lines=True,
            lines=1,
            max_lines=5,
            elem_id="finetune-command",
        )
        outcome = gr.HTML()
    return Expert({option.name: made[option.name] for option in OPTIONS}, show, load, command, file, outcome)


def _control(option: Option, value: Any) -> Component:
    shared: dict[str, Any] = {
        "label": option.title,
        "info": option.info,
        "value": value,
        "min_width": 220,
        "elem_id": f"finetune-{option.name.replace('_', '-')}",
    }
    if option.kind is bool:
        return gr.Checkbox(**shared)
    if option.kind is str:
        return gr.Dropdown(list(option.choices), filterable=False, **shared)
    if option.kind is list:
        return gr.Dropdown(list(LAYERS), multiselect=True, allow_custom_value=True, **shared)
    return gr.Number(**shared)


def chosen(values: Iterable[Any]) -> dict[str, Any]:
    """Settings of the run from the values of `Expert.choices`; none of them: nothing is set.

    Raises:
        InputError: one of them is beyond its limits.
    """
    given = list(values)
    return {option.name: checked(option, value) for option, value in zip(OPTIONS, given, strict=bool(given))}


def preset_chosen(expert: Expert, task: str, preset: str) -> Updates:
    """The controls as `preset` has them for `task`."""
    return filled(expert, settings_of(make_config(task, "", "", preset, ""), BY_NAME))


def task_chosen(expert: Expert, task: str, preset: str) -> Updates:
    """The controls with what suits `task`; the others stay."""
    return filled(expert, settings_of(make_config(task, "", "", preset, ""), OF_THE_TASK))


def filled(expert: Expert, values: Mapping[str, Any]) -> Updates:
    updates: Updates = {expert.controls[name]: value for name, value in values.items()}
    return updates | {
        expert.command: gr.Code(visible=False),
        expert.file: gr.DownloadButton(visible=False),
        expert.outcome: "",
    }


def settings_of(config: RunConfig, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(config, name) for name in names}


def as_command(expert: Expert, config: RunConfig) -> Stream[Updates]:
    """The command and the file for `config`."""
    with tempfile.TemporaryDirectory() as folder:
        # Gradio copies the file to its cache while it handles this value, before the folder goes.
        path = Path(folder) / f"{config.name or 'settings'}.json"
        path.write_text(settings_text(config), encoding="utf-8")
        yield {
            expert.command: gr.Code(command_line(config), visible=True),
            expert.file: gr.DownloadButton(value=str(path), visible=True),
            expert.outcome: "",
        }
