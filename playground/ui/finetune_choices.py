"""What a person chose in the Fine-tune tab, as the settings of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from playground import access
from playground.adapters import store
from playground.errors import DataError
from playground.training.config import RunConfig, make_config
from playground.types import Quantization
from playground.ui import finetune_data, finetune_doctor, finetune_expert


def configured(
    backbone: str,
    path: str | None,
    name: str | None,
    preset: str,
    quantization: str,
    task: str,
    *columns: str | None,
    checks: Sequence[Any] = (),
    expert: Sequence[Any] = (),
    parent: str = "",
) -> RunConfig:
    """The run of the form's values, those of the data check as `checks` and of the expert settings as `expert`.

    Raises:
        PlaygroundError: the rows or the settings do not allow it.
    """
    access.must_change()
    if path is None:
        raise DataError("There is no file; choose one or paste rows first.")
    chosen = finetune_data.chosen_columns(task, columns)
    found = finetune_data.inspect(Path(path), task, chosen)
    if parent:
        found = finetune_data.going_on_from(found, store.find(task, parent))
    if found.problem:
        raise DataError(found.problem)
    settings, checked = finetune_expert.chosen(expert), finetune_doctor.chosen(found, *checks)
    weighs = bool(settings.get("class_weights")) or checked["class_weights"]  # either switch is enough
    settings |= checked | {"class_weights": weighs, "columns": chosen, "quantization": precision(quantization)}
    settings |= {"data_name": Path(path).name, "parent": parent}
    return make_config(task, Path(path), (name or "").strip(), preset, backbone, **settings)


def precision(choice: str) -> Quantization:
    """Automatic is 4-bit on a GPU and none on a CPU."""
    chosen: Quantization | None = next((known for known in get_args(Quantization) if known == choice), None)
    if chosen:
        return chosen
    # torch takes seconds to import, and the page has to be up before that.
    from playground.backbones.loading import training_quantization

    return training_quantization()
