"""The tensors in the safetensors files of a backbone, read one by one, or row by row."""

import json
import os
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""By their names in a file's header, https://huggingface.co/docs/safetensors."""


class CheckpointTensors(Mapping[str, Tensor]):
    """Tensors by name, each mapped from its file as long as it is in use."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._file_of: dict[str, Path] = {}
        for file in files:
            with safe_open(file, framework="pt") as opened:
                self._file_of |= dict.fromkeys(opened.keys(), file)

    def __getitem__(self, name: str) -> Tensor:
        with safe_open(self._file_of[name], framework="pt") as opened:
            found: Tensor = opened.get_tensor(name)
        return found

    def rows(self, name: str) -> "TensorRows":
        """The rows of a matrix, each read when it is asked for."""
        return TensorRows(self._file_of[name], name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._file_of)

    def __len__(self) -> int:
        return len(self._file_of)

    def __contains__(self, name: object) -> bool:
        return name in self._file_of


class TensorRows:
    """A matrix (R, C) that stays in its file: mapped, its pages would count as memory of the process once used."""

    def __init__(self, file: Path, name: str) -> None:
        """Raises KeyError where `file` has no such tensor, or one of a type not in `DTYPES`."""
        self._path, self._name = file, name
        with file.open("rb") as opened:
            header_bytes = int.from_bytes(opened.read(8), "little")
            about = json.loads(opened.read(header_bytes))[name]
        self._dtype = DTYPES[about["dtype"]]
        self.shape: tuple[int, int] = tuple(about["shape"])
        self._start: int = 8 + header_bytes + about["data_offsets"][0]
        self._file = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._file)

    def __getitem__(self, ids: Sequence[int]) -> Tensor:
        """The rows (len(ids), C). Raises IndexError for a row that there is not."""
        if min(ids) < 0 or max(ids) >= self.shape[0]:
            raise IndexError(f"rows {min(ids)} to {max(ids)} of a matrix with {self.shape[0]}")
        size = self.shape[1] * self._dtype.itemsize
        found = bytearray().join(self._read(self._start + index * size, size) for index in ids)
        return torch.frombuffer(found, dtype=self._dtype).view(-1, self.shape[1])

    def split(self, size: int) -> Iterator[Tensor]:
        """All rows in order, `size` at a time, as ``Tensor.split`` gives them."""
        for first in range(0, self.shape[0], size):
            # Opened for each part, because what was read of a file stays resident until it is closed.
            with safe_open(self._path, framework="pt") as opened:
                part: Tensor = opened.get_slice(self._name)[first : first + size]
            yield part

    def _read(self, place: int, size: int) -> bytes:
        if hasattr(os, "pread"):  # leaves alone the file's position, which a forked process shares
            return os.pread(self._file, size, place)
        os.lseek(self._file, place, os.SEEK_SET)
        return os.read(self._file, size)
