"""The fresh process: ``python -m playground.exporting.reload KIND COPY PROBE``.

Loads a copy of an adapter, runs the probe rows, and prints one JSON line: ``difference`` and ``reader``, or ``error``.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from playground.adapters.record import read_record
from playground.errors import PlaygroundError
from playground.exporting.probes import Outputs, difference, thinned

Ids = list[list[int]]
Setting = Mapping[str, str]


def main(arguments: Sequence[str]) -> int:
    kind, copy, probe = arguments
    try:
        ids, expected, setting = _read(Path(probe))
        reader, found = READERS[kind](Path(copy), ids, setting)
        answer: dict[str, Any] = {"difference": difference(expected, _alike(found, expected)), "reader": reader}
    except (PlaygroundError, OSError, ValueError, SafetensorError) as err:
        answer = {"error": " ".join(str(err).split())}
    sys.stdout.write(f"{json.dumps(answer)}\n")
    return 0


def _read(probe: Path) -> tuple[Ids, Outputs, Setting]:
    with safe_open(probe, framework="numpy") as tensors:
        count = sum(name.startswith("ids.") for name in tensors.keys())  # noqa: SIM118 (it is no mapping)
        ids = [tensors.get_tensor(f"ids.{place}").tolist() for place in range(count)]
        expected = [tensors.get_tensor(f"expected.{place}") for place in range(count)]
        return ids, expected, tensors.metadata() or {}


def _alike(found: Outputs, expected: Outputs) -> list[Any]:
    """`found`, thinned where only some of the logits were kept to compare with."""
    pairs = zip(found, expected, strict=True)
    return [thinned(one) if one.shape != kept.shape and kept.ndim == 1 else one for one, kept in pairs]


def _by_engine(copy: Path, ids: Ids, setting: Setting) -> tuple[str, Outputs]:
    import torch

    from playground.backbones.loading import load
    from playground.exporting.reference import engine_outputs

    record = read_record(copy, "own")
    four_bit = setting.get("quantization") == "4-bit"
    backbone = load(record.backbone["id"], "4-bit" if four_bit else "none", lambda *_: None)
    if not four_bit:
        backbone.model.to(getattr(torch, setting["dtype"]))
    return "the engine", engine_outputs(backbone, record, ids)


def _by_peft(copy: Path, ids: Ids, _setting: Setting) -> tuple[str, Outputs]:
    from playground.exporting.plain import peft_outputs

    return "plain PEFT", peft_outputs(read_record(copy, "own"), copy, ids)


READERS: Mapping[str, Callable[[Path, Ids, Setting], tuple[str, Outputs]]] = {
    "adapter": _by_engine,
    "peft": _by_peft,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
