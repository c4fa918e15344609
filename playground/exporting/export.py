"""An adapter written in a format, loaded again in a fresh process, and kept only if it does the same."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from playground.adapters import store, transfer
from playground.adapters.record import CARD_FILE, AdapterRecord
from playground.backbones.loading import load_exact
from playground.errors import AdapterError, InputError
from playground.exporting.formats import Format, check, get_format, number_format
from playground.exporting.fresh import Verdict, compare, must_be_same
from playground.exporting.merged import write_merged
from playground.exporting.notes import notes
from playground.exporting.probes import Outputs, probe_ids
from playground.exporting.reference import engine_outputs

Say = Callable[[str], None]
"""Receives a short sentence for each step."""

BYTES_PER_WEIGHT = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0, "q8_0": 1.1}
SPARE_BYTES = 400_000_000
"""Tokenizer, graph, and the embedded backbone's file while a GGUF file is made from it."""


@dataclass(frozen=True)
class Exported:
    path: Path
    verdict: Verdict


@dataclass(frozen=True)
class _Reference:
    """What the copy has to say."""

    ids: Sequence[Sequence[int]]
    outputs: Outputs
    num_weights: int


def export(
    record: AdapterRecord, format_name: str, destination: Path, say: Say, *, numbers: str | None = None
) -> Exported:
    """Writes the adapter to `destination` and checks the copy in a fresh process.

    Args:
        destination: the file or folder to make, or an existing folder to make it in.
        numbers: number format of the weights; None is the usual one of the format.

    Raises:
        InputError: there is no such format or number format, or the destination is taken.
        AdapterError: the adapter is not sound, can't be had in this format, the disk is full, or the copy says
            something else; nothing is left behind then.
        BackboneError: its backbone is not there.
    """
    chosen = get_format(format_name)
    written_in = number_format(chosen, numbers)
    check(record, chosen)
    store.verify(record)
    target = _target(record, chosen, destination)
    say("Running the probe rows in the engine")
    reference = _reference(record)
    if chosen.is_merged:
        _check_space(target.parent, reference.num_weights * BYTES_PER_WEIGHT[written_in] + SPARE_BYTES)
    partial = target.with_name(f".{uuid4().hex}.partial{chosen.suffix}")
    try:
        say(f"Writing {chosen.title}")
        _write(record, chosen, partial, written_in)
        say("Loading it in a fresh process")
        setting: dict[str, str] = {"shape": record.shape}
        formats = (written_in,)
        verdict = compare(chosen.name, partial, reference.ids, reference.outputs, formats=formats, setting=setting)
        must_be_same(verdict, f"The copy of {record.title} in the format {chosen.name}")
        if partial.is_dir():
            (partial / CARD_FILE).write_text(notes(record, chosen, written_in, verdict), encoding="utf-8")
        partial.replace(target)
    except OSError as err:
        raise AdapterError(f"{record.title} can't be exported to '{target.name}' ({err.strerror}).") from err
    finally:
        _remove(partial)
    return Exported(target, verdict)


def _target(record: AdapterRecord, chosen: Format, destination: Path) -> Path:
    name = f"{record.task}-{record.name}" + (chosen.suffix or f"-{chosen.name}")
    target = destination / name if destination.is_dir() else destination
    if not target.parent.is_dir():
        raise InputError(f"There is no folder '{target.parent}' to export to; make it first.")
    if chosen.suffix and target.suffix.lower() != chosen.suffix:
        raise InputError(f"'{target.name}' should end in {chosen.suffix}; name a file so, or a folder that exists.")
    if target.is_dir() or (target.exists() and not chosen.suffix):
        raise InputError(f"'{target}' is there already; choose another name or remove it first.")
    return target


def _reference(record: AdapterRecord) -> _Reference:
    backbone = load_exact(record.backbone["id"], lambda *_: None)
    num_weights = sum(parameter.numel() for parameter in backbone.model.parameters())
    ids = probe_ids(record, backbone.tokenizer)
    return _Reference(ids, engine_outputs(backbone, record, ids), num_weights)


def _check_space(folder: Path, needed_bytes: float) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise AdapterError(
            f"The export needs {needed_bytes / 1e9:.1f} GB on a disk where {free_bytes / 1e9:.1f} GB are free; "
            "free some space or choose a folder on another one."
        )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _write(record: AdapterRecord, chosen: Format, partial: Path, written_in: str) -> None:
    if chosen.name == "zip":
        transfer.export_zip(record, partial)
    elif chosen.name == "merged":
        write_merged(record, partial, written_in)
    elif chosen.name == "gguf":
        from playground.exporting.gguf_file import write_gguf

        write_gguf(record, partial, written_in)
    else:
        from playground.exporting.onnx_graph import write_onnx

        write_onnx(record, partial)
