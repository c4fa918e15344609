"""Names shared by all layers."""

from collections.abc import Callable, Generator
from typing import Any, Literal, TypeVar

Row = dict[str, Any]
"""One JSON Lines row; the fields of each task are listed in its file under ``playground/tasks``."""

Shape = Literal["classify", "tag", "span", "generate"]
Attention = Literal["causal", "bidirectional"]
Quantization = Literal["none", "8-bit", "4-bit"]
Precision = Literal["float32", "bfloat16", "float16"]
"""Of weights that are not quantized."""
Family = Literal["decoder", "encoder", "encoder-decoder"]

Item = TypeVar("Item")
Stream = Generator[Item, None, None]
"""Something that grows while one watches; closing it stops the work behind it."""

Progress = Callable[[float, str], None]
"""Called with a fraction from 0 to 1 and a short sentence saying what is going on."""
