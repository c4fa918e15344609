"""What a GGUF file says before its tensors. The reader in the package ``gguf`` takes 15 s for a large vocabulary.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import mmap
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

MAGIC = b"GGUF"
VERSIONS = (2, 3)
STRING, ARRAY = 8, 9
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Kinds of numbers, and how `struct` calls them."""


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor is in the file, and how its numbers are stored."""

    shape: tuple[int, ...]
    kind: int
    """Of ``gguf.GGMLQuantizationType``."""
    start: int
    num_bytes: int


@dataclass(frozen=True)
class GgufHeader:
    metadata: dict[str, Any]
    """Numbers, strings, and lists of them."""
    tensors: dict[str, StoredTensor]


def read_header(path: Path) -> GgufHeader:
    """Raises ValueError when the file is no GGUF file of a version that is known here."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _Cursor(content).header()


def read_tensor(content: npt.NDArray[np.uint8], tensor: StoredTensor) -> npt.NDArray[np.float32]:
    """The numbers of `tensor` in fp32, in its shape; `content` is the whole file."""
    stored = content[tensor.start : tensor.start + tensor.num_bytes]
    kind = gguf.GGMLQuantizationType(tensor.kind)
    if kind in gguf.GGML_QUANT_SIZES and kind.name != "F32":
        rows = stored.reshape(prod(tensor.shape[:-1]), -1)
        values: npt.NDArray[np.float32] = gguf.quants.dequantize(rows, kind)
        return values.reshape(tensor.shape)
    return stored.view(np.float32).reshape(tensor.shape)


class _Cursor:
    """Reads one value after the other."""

    def __init__(self, content: mmap.mmap) -> None:
        self.content = content
        self.at = 0

    def header(self) -> GgufHeader:
        magic, version = self.content[:4], struct.unpack_from("<I", self.content, 4)[0]
        if magic != MAGIC or version not in VERSIONS:
            raise ValueError(f"This is no GGUF file of version {VERSIONS[0]} or {VERSIONS[-1]}.")
        self.at = 8
        num_tensors, num_fields = self._number("Q"), self._number("Q")
        metadata = {self._string(): self._value(self._number("I")) for _ in range(num_fields)}
        found = [self._tensor() for _ in range(num_tensors)]
        alignment = metadata.get("general.alignment", gguf.GGUF_DEFAULT_ALIGNMENT)
        data = -(-self.at // alignment) * alignment
        tensors = {
            name: StoredTensor(shape, kind, data + offset, _num_bytes(shape, kind))
            for name, shape, kind, offset in found
        }
        return GgufHeader(metadata, tensors)

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._string()
        sizes = [self._number("Q") for _ in range(self._number("I"))]
        # The file names the dimension first whose elements lie side by side.
        return name, tuple(reversed(sizes)), self._number("I"), self._number("Q")

    def _value(self, kind: int) -> Any:
        if kind == STRING:
            return self._string()
        if kind != ARRAY:
            return self._number(SCALARS[kind])
        element, length = self._number("I"), self._number("Q")
        if element not in SCALARS:
            return [self._value(element) for _ in range(length)]
        values = struct.unpack_from(f"<{length}{SCALARS[element]}", self.content, self.at)
        self.at += length * struct.calcsize(f"<{SCALARS[element]}")
        return list(values)

    def _number(self, code: str) -> Any:
        value = struct.unpack_from(f"<{code}", self.content, self.at)[0]
        self.at += struct.calcsize(f"<{code}")
        return value

    def _string(self) -> str:
        start = self.at + 8
        self.at = start + struct.unpack_from("<Q", self.content, self.at)[0]
        return self.content[start : self.at].decode("utf-8")


def _num_bytes(shape: tuple[int, ...], kind: int) -> int:
    elements, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)]
    return int(prod(shape) // elements * size)
