"""Where a training run is, on disk: it goes on from there after a break. Never half written, read only when intact."""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
UNFINISHED_FOLDER = "unfinished"
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

        Raises:
            OSError: the disk is full or can't be written to.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = dict(_tensors(model, optimizer)) | {RANDOM_STATE: torch.get_rng_state()}
        tensors |= {f"{KEPT}{name}": tensor for name, tensor in (kept or {}).items()}
        path = self.folder / f"step-{position.steps}.safetensors"
        with _unfinished(self.folder) as place:
            written = place / path.name
            _write({name: _apart(tensor) for name, tensor in tensors.items()}, written)
            facts = {"position": asdict(position), "file": path.name, "sha256": sha256(written)}
            written.replace(path)
            index = place / INDEX_FILE
            index.write_text(
                json.dumps({"settings": dict(self.settings), **facts}, indent=1, ensure_ascii=False), encoding="utf-8"
            )
            _to_disk(index)
            index.replace(self.folder / INDEX_FILE)
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
        states = _states(tensors)
        try:
            for name, weight in _trained(model):
                weight.data.copy_(tensors[f"weight/{name}"])
                optimizer.state[weight] = {key: _value(value, weight) for key, value in states[name].items()}
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


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """A place in `folder` for files on their way, which one process leaves empty, however another one ended."""
    place = folder / UNFINISHED_FOLDER
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _write(tensors: dict[str, Tensor], path: Path) -> None:
    try:
        save_file(tensors, path)
    except SafetensorError as err:
        # The library tells in words alone what the system said.
        code = errno.ENOSPC if os.strerror(errno.ENOSPC) in str(err) else errno.EIO
        raise OSError(code, os.strerror(code), str(path)) from err
    _to_disk(path)


def _to_disk(path: Path) -> None:
    """Waits until `path` would survive a power cut."""
    with path.open("rb") as written:
        os.fsync(written.fileno())


def remove(folder: Path) -> None:
    """Takes away the state in `folder` and in those of its parts."""
    ours = (INDEX_FILE, UNFINISHED_FOLDER)
    for state in {found.parent for name in ours for at in (name, f"part-*/{name}") for found in folder.glob(at)}:
        for file in [state / INDEX_FILE, *state.glob("step-*.safetensors")]:
            file.unlink(missing_ok=True)
        shutil.rmtree(state / UNFINISHED_FOLDER, ignore_errors=True)
        if state != folder:
            state.rmdir()


def _trained(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)


def _tensors(model: nn.Module, optimizer: Optimizer) -> Iterator[tuple[str, Tensor]]:
    """Each trained weight, and what the optimizer keeps for it: moments, and whatever tells how to read them."""
    for name, weight in _trained(model):
        yield f"weight/{name}", weight
        for key, value in optimizer.state[weight].items():
            yield f"{key}/{name}", torch.as_tensor(value)


def _apart(tensor: Tensor) -> Tensor:
    """A copy for the file, whose format refuses tensors that share their memory or lie in it in another order."""
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


def _states(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """By the names of the weights: what the optimizer kept for each."""
    states: dict[str, dict[str, Tensor]] = {}
    for full_name, tensor in tensors.items():
        key, _, name = full_name.partition("/")
        if key != "weight":
            states.setdefault(name, {})[key] = tensor
    return states


def _value(kept: Tensor, weight: Tensor) -> Tensor | int:
    """As the optimizer had it: a number of steps is a plain one in 8-bit AdamW, and on the CPU in torch's."""
    if kept.ndim:
        return kept.to(weight.device)
    return kept if kept.is_floating_point() else int(kept)
