"""Where a training run is, on disk: it goes on from there after a break. Never half written, read only when intact."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from playground.backbones.embedded import sha256
from playground.errors import DamagedCheckpoint, InputError

INDEX_FILE = "checkpoint.json"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")
"""What AdamW keeps for each weight."""
RANDOM_STATE = "random_state"
KEPT = "kept/"


@dataclass(frozen=True)
class Position:
    """How much of a run is done, over all its parts."""

    steps: int = 0
    tokens: int = 0
    elapsed_s: float = 0.0


@dataclass(frozen=True)
class Checkpoint:
    """The newest state of one run in `folder`; `settings` are JSON-able and must be those the run began with."""

    folder: Path
    settings: Mapping[str, Any]

    def save(
        self, model: nn.Module, optimizer: Optimizer, position: Position, kept: Mapping[str, Tensor] | None = None
    ) -> None:
        """Replaces the state before. The index names the file with the tensors, and is replaced at once.

        Args:
            kept: what else has to be there when the run goes on.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = dict(_tensors(model, optimizer)) | {RANDOM_STATE: torch.get_rng_state()}
        tensors |= {f"{KEPT}{name}": tensor for name, tensor in (kept or {}).items()}
        path = self.folder / f"step-{position.steps}.safetensors"
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
        _to_disk(path)
        facts = {"position": asdict(position), "file": path.name, "sha256": sha256(path)}
        index = {"settings": dict(self.settings), **facts}
        unfinished = self.folder / f"{INDEX_FILE}.new"
        unfinished.write_text(json.dumps(index, indent=1, ensure_ascii=False), encoding="utf-8")
        _to_disk(unfinished)
        unfinished.replace(self.folder / INDEX_FILE)
        for old in self.folder.glob("step-*.safetensors"):
            if old != path:
                old.unlink()

    def load(self, model: nn.Module, optimizer: Optimizer) -> Position:
        """Puts the state into model, optimizer and torch's random numbers; where there is none, the run begins.

        Raises:
            InputError: it belongs to a run with other settings.
            DamagedCheckpoint: it can't be read, or is not what was written.
        """
        index = self._index()
        if index is None:
            return Position()
        self._refuse_other_settings(index["settings"])
        tensors = self._intact_tensors(index)
        try:
            for name, weight in _trained(model):
                weight.data.copy_(tensors[f"weight/{name}"])
                optimizer.state[weight] = {key: tensors[f"{key}/{name}"].to(_device(key, weight)) for key in MOMENTS}
        except (KeyError, RuntimeError) as err:
            raise self._damaged(f"it does not fit the model ({err})") from err
        torch.set_rng_state(tensors[RANDOM_STATE])
        return Position(**index["position"])

    def kept(self) -> dict[str, Tensor]:
        """What was kept beside model and optimizer; nothing before the first state. Raises DataError as `load` does."""
        index = self._index()
        tensors = self._intact_tensors(index) if index else {}
        return {name.removeprefix(KEPT): tensor for name, tensor in tensors.items() if name.startswith(KEPT)}

    def _index(self) -> dict[str, Any] | None:
        try:
            index: dict[str, Any] = json.loads((self.folder / INDEX_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as err:
            raise self._damaged(f"{INDEX_FILE} is no JSON") from err
        return index

    def _refuse_other_settings(self, begun_with: Mapping[str, Any]) -> None:
        wanted = json.loads(json.dumps(dict(self.settings)))
        for name in sorted(wanted.keys() | begun_with.keys()):
            before, now = begun_with.get(name), wanted.get(name)
            if before != now:
                raise InputError(
                    f"The checkpoint in {self.folder} belongs to a run with {name} = {before!r}, not {now!r}; give the "
                    "same settings to go on with it, or delete the folder to begin anew."
                )

    def _intact_tensors(self, index: Mapping[str, Any]) -> dict[str, Tensor]:
        path = self.folder / Path(index["file"]).name
        try:
            if sha256(path) != index["sha256"]:
                raise self._damaged(f"the checksum of {path.name} is wrong")
            return load_file(path)
        except (OSError, SafetensorError) as err:
            raise self._damaged(f"{path.name} can't be read") from err

    def _damaged(self, reason: str) -> DamagedCheckpoint:
        return DamagedCheckpoint(f"The checkpoint in {self.folder} is damaged: {reason}. Delete it to begin anew.")


def _to_disk(path: Path) -> None:
    """Waits until `path` would survive a power cut."""
    with path.open("rb") as written:
        os.fsync(written.fileno())


def remove(folder: Path) -> None:
    """Takes away the state in `folder` and in those of its parts."""
    for index in [*folder.glob(INDEX_FILE), *folder.glob(f"part-*/{INDEX_FILE}")]:
        index.unlink()
        for tensors in index.parent.glob("step-*.safetensors"):
            tensors.unlink()
        if index.parent != folder:
            index.parent.rmdir()


def _trained(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)


def _tensors(model: nn.Module, optimizer: Optimizer) -> Iterator[tuple[str, Tensor]]:
    for name, weight in _trained(model):
        yield f"weight/{name}", weight
        for key in MOMENTS:
            yield f"{key}/{name}", optimizer.state[weight][key]


def _device(key: str, weight: Tensor) -> torch.device:
    return torch.device("cpu") if key == "step" else weight.device
