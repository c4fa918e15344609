import subprocess
import sys

import pytest

from playground import settings
from playground.backbones import loading
from playground.engine.startup import EngineLoader
from playground.errors import BackboneError, NotReadyError

PATIENCE_S = 60


def test_before_the_start_the_engine_is_not_ready():
    loader = EngineLoader("anything")
    assert loader.status().state == "loading"
    assert not loader.wait(0)
    with pytest.raises(NotReadyError, match="still being prepared"):
        loader.engine()


def test_a_folder_becomes_an_engine(tiny_backbone_folder):
    loader = EngineLoader(str(tiny_backbone_folder))
    loader.start()
    loader.start()
    assert loader.wait(PATIENCE_S)
    assert loader.status().state == "ready"
    engine = loader.engine()
    assert engine is loader.engine()
    assert engine.backbone.id == str(tiny_backbone_folder)
    assert list(engine.generate_text([2, 70], loading_decoding()))
    engine.close()


def loading_decoding():
    from playground.engine.requests import Decoding

    return Decoding(max_new_tokens=2)


def test_an_unknown_backbone_is_said_in_a_sentence_and_asking_again_says_it_again():
    loader = EngineLoader("no such thing")
    loader.start()
    assert loader.wait(PATIENCE_S)
    assert loader.status().state == "failed"
    for _ in range(2):
        with pytest.raises(BackboneError, match="There is no backbone 'no such thing'"):
            loader.engine()


def test_an_unexpected_failure_is_a_failed_status_and_no_dead_end(monkeypatch):
    def explode(*_):
        raise RuntimeError("the memory is full")

    monkeypatch.setattr(loading, "load", explode)
    loader = EngineLoader("anything")
    loader.start()
    assert loader.wait(PATIENCE_S)
    with pytest.raises(BackboneError, match="'anything' could not be loaded: the memory is full"):
        loader.engine()


def test_the_engine_is_loaded_without_what_only_training_needs():
    code = "import sys, playground.backbones.loading, playground.engine.engine; print('peft' in sys.modules)"
    found = subprocess.check_output([sys.executable, "-c", code], cwd=settings.REPOSITORY, text=True)
    assert found.strip() == "False"
