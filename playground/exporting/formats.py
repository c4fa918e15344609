"""The formats that an adapter can be exported in, and what each of them can't hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from playground.adapters.record import AdapterRecord
from playground.backbones.catalogue import EMBEDDED_ID
from playground.errors import AdapterError, InputError

ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
"""They make graphs and run them; the program does without them otherwise."""
FormatName = Literal["zip", "merged", "gguf", "onnx"]


@dataclass(frozen=True)
class Format:
    name: FormatName
    """Word of the command line."""
    title: str
    summary: str
    suffix: str
    """Of its file; empty for a folder of files."""
    number_formats: tuple[str, ...] = ()
    """What the weights can be written in, the usual one first."""
    is_merged: bool = True
    """Whether the backbone is in it."""


FORMATS: Mapping[str, Format] = {
    str(one.name): one
    for one in (
        Format("zip", "Adapter (.zip)", "the adapter's own files, for this program and plain PEFT", ".zip", (), False),
        Format(
            "merged",
            "Merged (safetensors)",
            "backbone and adapter in one, for transformers",
            "",
            ("float32", "bfloat16"),
        ),
        Format("gguf", "GGUF", "backbone and adapter in one file, for llama.cpp", ".gguf", ("float16", "q8_0")),
        Format("onnx", "ONNX", "backbone and adapter in one graph, for ONNX Runtime", "", ("float32",)),
    )
}


def get_format(name: str) -> Format:
    """Raises InputError when there is none of that name."""
    if name not in FORMATS:
        raise InputError(f"There is no format '{name}'; choose one of {', '.join(FORMATS)}.")
    return FORMATS[name]


def number_format(chosen: Format, name: str | None) -> str:
    """What the weights are written in: `name`, or the usual one.

    Raises:
        InputError: this format has no such numbers.
    """
    usual = chosen.number_formats[0] if chosen.number_formats else "float16"
    if name is not None and name not in chosen.number_formats:
        known = ", ".join(chosen.number_formats) or "none to choose from"
        raise InputError(f"The format {chosen.name} has no '{name}'; there is: {known}.")
    return name or usual


def why_not(record: AdapterRecord, chosen: Format) -> str:
    """Why the adapter can't be exported so, in one sentence; empty when it can."""
    if chosen.name == "onnx":
        missing = [name for name in ONNX_PACKAGES if find_spec(name) is None]
        return f"Exports to ONNX need {', '.join(missing)}; run: pip install {' '.join(missing)}" if missing else ""
    if chosen.name != "gguf":
        return ""
    if record.shape != "generate":
        both = " and looks both ways" if record.attention == "bidirectional" else ""
        return (
            f"{record.title} has a head of its own ({record.shape}){both}, which llama.cpp can't run; "
            "export it as ONNX or as merged safetensors."
        )
    if record.backbone["id"] != EMBEDDED_ID:
        return (
            f"{record.title} is for the backbone '{record.backbone['id']}'; GGUF files are only written for "
            f"'{EMBEDDED_ID}'. Export it as merged safetensors, which llama.cpp's own converter reads."
        )
    return ""


def check(record: AdapterRecord, chosen: Format) -> None:
    """Raises AdapterError when the adapter can't be exported in that format."""
    reason = why_not(record, chosen)
    if reason:
        raise AdapterError(reason)
