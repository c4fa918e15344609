"""The lean layers against transformers on the same weights."""

from itertools import pairwise

import pytest
import torch

from playground.backbones.lean import Decoder, Piece, can_run
from playground.engine.encode import run_blocks


class Exact:
    """Stands for the 8-bit layer, without its rounding."""

    def __init__(self, weight, *, level_inputs=False):
        self.weight = torch.cat(list(weight.split(100)))

    def __call__(self, states):
        return states @ self.weight.T


def nothing(product, states, output):
    """No adapter."""


@pytest.fixture
def exact(tiny_backbone_folder, tiny_causal, monkeypatch):
    monkeypatch.setattr("playground.backbones.lean.PackedLinear", Exact)
    return Decoder(str(tiny_backbone_folder), tiny_causal().config)


@pytest.fixture
def ids():
    return torch.randint(4, 260, (90,), generator=torch.Generator().manual_seed(0)).tolist()


def plain(model, ids, attention="causal"):
    with torch.inference_mode():
        return run_blocks(model, torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long), attention)[0]


@pytest.mark.parametrize("attention", ["causal", "bidirectional"])
@pytest.mark.parametrize("length", [1, 20, 32, 33, 90])
def test_the_states_are_those_of_transformers(exact, tiny_causal, ids, attention, length):
    found = exact.states([Piece(ids[:length], attention=attention)], nothing)
    assert torch.allclose(found, plain(tiny_causal(), ids[:length], attention), atol=1e-4)


def test_logits_are_those_of_transformers(exact, tiny_causal, ids):
    with torch.inference_mode():
        expected = tiny_causal()(torch.tensor([ids])).logits[0]
    assert torch.allclose(exact.logits(exact.states([Piece(ids)], nothing)), expected, atol=1e-3)


@pytest.mark.parametrize("cuts", [(1,), (31, 32, 33), (40, 80), range(1, 90)])
def test_a_text_may_come_in_parts(exact, tiny_causal, ids, cuts):
    cache = exact.new_cache()
    edges = [0, *cuts, len(ids)]
    parts = [exact.states([Piece(ids[a:b], cache)], nothing) for a, b in pairwise(edges)]
    assert torch.allclose(torch.cat(parts), plain(tiny_causal(), ids), atol=1e-4)
    assert cache.length == 90


def test_texts_of_one_pass_do_not_see_each_other(exact, tiny_causal, ids):
    cache = exact.new_cache()
    exact.states([Piece(ids[:50], cache)], nothing)
    pieces = [Piece(ids[10:40], attention="bidirectional"), Piece(ids[50:53], cache), Piece(ids[5:80])]
    found = exact.states(pieces, nothing)
    model = tiny_causal()
    assert torch.allclose(found[pieces[0].span], plain(model, ids[10:40], "bidirectional"), atol=1e-4)
    assert torch.allclose(found[pieces[1].span], plain(model, ids[:53])[50:], atol=1e-4)
    assert torch.allclose(found[pieces[2].span], plain(model, ids[5:80]), atol=1e-4)


def test_a_copied_cache_goes_its_own_way(exact, tiny_causal, ids):
    cache = exact.new_cache()
    exact.states([Piece(ids[:60], cache)], nothing)
    other = cache.copy(40)
    exact.states([Piece(ids[60:], cache)], nothing)
    found = exact.states([Piece(ids[70:90], other)], nothing)
    assert torch.allclose(found, plain(tiny_causal(), [*ids[:40], *ids[70:90]])[40:], atol=1e-4)


def test_eight_bits_stay_close(tiny_backbone_folder, tiny_causal, ids):
    found = Decoder(str(tiny_backbone_folder), tiny_causal().config).states([Piece(ids)], nothing)
    expected = plain(tiny_causal(), ids)
    assert 0 < (found - expected).norm() / expected.norm() < 0.05


def test_other_architectures_are_left_to_transformers(tiny_causal, tiny_backbone_folder, tmp_path):
    config = tiny_causal().config
    assert can_run(config, str(tiny_backbone_folder))
    assert not can_run(config, str(tmp_path))
    config.final_logit_softcapping = 30.0
    assert not can_run(config, str(tiny_backbone_folder))
