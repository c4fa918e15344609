"""The fresh process: ``python -m playground.exporting.reload KIND COPY PROBE``.

Loads a copy of an adapter, runs the probe rows, and prints one JSON line: ``difference`` and ``reader``, or ``error``.
"""

import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from safetensors import SafetensorError, safe_open

from playground import settings
from playground.adapters.record import read_record
from playground.errors import PlaygroundError
from playground.exporting.probes import Outputs, difference, thinned
from playground.types import Shape

Ids = list[list[int]]
Setting = Mapping[str, str]
LLAMA_CONTEXT = 256
"""Tokens; its logits of all positions are kept, a megabyte each."""


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

    from playground.backbones.loading import load, load_exact
    from playground.exporting.reference import engine_outputs

    record = read_record(copy, "own")
    if setting.get("quantization") == "4-bit":
        backbone = load(record.backbone["id"], "4-bit", lambda *_: None)
    else:
        # On a GPU the weights would come rounded to bfloat16, whatever the training had. Weights trained beside 8 bits
        # are close enough to the unquantized ones.
        backbone = load_exact(record.backbone["id"], lambda *_: None)
        backbone.model.to(getattr(torch, setting["dtype"]))
    return "the engine", engine_outputs(backbone, record, ids)


def _by_peft(copy: Path, ids: Ids, _setting: Setting) -> tuple[str, Outputs]:
    from playground.exporting.plain import peft_outputs

    return "plain PEFT", peft_outputs(read_record(copy, "own"), copy, ids)


def _by_recipient(copy: Path, ids: Ids, _setting: Setting) -> tuple[str, Outputs]:
    """As somebody who imports the zip file into a home that was empty."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["PLAYGROUND_BACKBONES"] = str(settings.backbone_cache())
        os.environ["PLAYGROUND_HOME"] = home
        from playground.adapters.transfer import import_zip
        from playground.exporting.plain import peft_outputs

        record = import_zip(copy, name="imported")
        return "plain PEFT after an import", peft_outputs(record, record.path, ids)


def _by_transformers(copy: Path, ids: Ids, setting: Setting) -> tuple[str, Outputs]:
    from playground.exporting.plain import merged_outputs

    return "transformers", merged_outputs(copy, cast("Shape", setting["shape"]), ids)


def _by_gguf_reader(copy: Path, ids: Ids, _setting: Setting) -> tuple[str, Outputs]:
    """By llama.cpp where its Python package is installed, else by transformers."""
    if importlib.util.find_spec("llama_cpp"):
        return "llama.cpp", _by_llama_cpp(copy, ids)
    from playground.exporting.plain import gguf_outputs

    return "transformers", gguf_outputs(copy, ids)


def _by_llama_cpp(copy: Path, ids: Ids) -> Outputs:
    from llama_cpp import Llama

    model = Llama(str(copy), n_ctx=LLAMA_CONTEXT, n_batch=LLAMA_CONTEXT, logits_all=True, verbose=False)
    found: Outputs = []
    for one in ids:
        model.reset()
        model.eval(one)
        found.append(np.array(model.scores[len(one) - 1]))
    return found


def _by_onnx_runtime(copy: Path, ids: Ids, _setting: Setting) -> tuple[str, Outputs]:
    """All rows in one batch, padded to the right, so that the mask is put to the test too."""
    import onnxruntime

    session = onnxruntime.InferenceSession(copy / "model.onnx", providers=["CPUExecutionProvider"])
    width = max(map(len, ids))
    feeds = {
        "input_ids": np.array([[*one, *[0] * (width - len(one))] for one in ids], np.int64),
        "attention_mask": np.array([[1] * len(one) + [0] * (width - len(one)) for one in ids], np.int64),
    }
    (logits,) = session.run(["logits"], feeds)
    rows = [row if row.ndim == 1 else row[: len(one)] for row, one in zip(logits, ids, strict=True)]
    return "ONNX Runtime", rows


READERS: Mapping[str, Callable[[Path, Ids, Setting], tuple[str, Outputs]]] = {
    "adapter": _by_engine,
    "peft": _by_peft,
    "zip": _by_recipient,
    "merged": _by_transformers,
    "gguf": _by_gguf_reader,
    "onnx": _by_onnx_runtime,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
