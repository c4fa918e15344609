import json
import shutil
from types import SimpleNamespace

import pytest
import torch

from playground.backbones import loading
from playground.backbones.loading import automatic_quantization, family_of, load, locate
from playground.backbones.quantize import Int8Linear
from playground.errors import BackboneError


def silent(fraction, message):
    assert message


@pytest.fixture
def folder(tiny_backbone_folder, tmp_path):
    """A copy of the tiny backbone, to be damaged."""
    return shutil.copytree(tiny_backbone_folder, tmp_path / "copy")


def test_a_folder_becomes_a_frozen_backbone(tiny_backbone_folder):
    backbone = load(str(tiny_backbone_folder), "none", silent)
    assert (backbone.family, backbone.can_generate, backbone.can_encode) == ("decoder", True, True)
    assert backbone.title == "tiny"
    assert not backbone.model.training
    assert not any(parameter.requires_grad for parameter in backbone.model.parameters())
    assert backbone.can_attend_both_ways
    assert not backbone.has_chat_template
    assert backbone.max_positions == 8192


def test_the_checksum_is_that_of_the_weights(folder):
    before = load(str(folder), "none", silent).checksum
    (folder / "README.md").write_text("changed")
    assert load(str(folder), "none", silent).checksum == before
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    assert load(str(folder), "none", silent).checksum != before
    assert len(before) == 64


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU quantizes otherwise")
def test_8_bit_on_the_cpu_rounds_every_linear_layer_of_the_embedded_architecture(tiny_backbone_folder):
    backbone = load(str(tiny_backbone_folder), "8-bit", silent)
    assert set(backbone.lean.products) == {
        f"model.layers.{index}.{product}" for index in (0, 1) for product in ("qkv", "out", "gate_up", "down")
    }
    assert backbone.device.type == "cpu"
    assert all(parameter.is_meta for parameter in backbone.model.parameters())
    assert backbone.model.generation_config.eos_token_id == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU quantizes otherwise")
def test_of_other_architectures_8_bit_rounds_the_output_projection_only(tiny_backbone_folder, monkeypatch):
    monkeypatch.setattr(loading, "can_run", lambda config, source: False)
    backbone = load(str(tiny_backbone_folder), "8-bit", silent)
    assert isinstance(backbone.model.lm_head, Int8Linear)
    assert backbone.model.model.layers[0].mlp.up_proj.weight.dtype == torch.float32
    assert automatic_quantization() == "8-bit"


def test_a_tokenizer_without_padding_pads_with_its_end(folder):
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    del settings["pad_token"]
    path.write_text(json.dumps(settings))
    assert load(str(folder), "none", silent).tokenizer.pad_token_id == 1


def test_positions_are_the_fewer_of_tokenizer_and_architecture(folder):
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_max_length": 100}))
    assert load(str(folder), "none", silent).max_positions == 100


@pytest.mark.parametrize("backbone_id", ["", "nothing", "a/b/c", "../up", "/no/such/folder", "a b/c"])
def test_an_id_that_is_no_backbone_says_what_one_looks_like(backbone_id):
    with pytest.raises(BackboneError, match=f"There is no backbone '{backbone_id}': give a folder"):
        locate(backbone_id, silent)


def test_a_hub_id_is_passed_on():
    assert locate("Qwen/Qwen3-0.6B", silent) == "Qwen/Qwen3-0.6B"


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "config.json").write_text("{"),
        lambda folder: (folder / "config.json").write_text('{"model_type": "no-such-thing"}'),
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "model.safetensors").write_bytes(b"cut off"),
        lambda folder: [(folder / name).unlink() for name in ("tokenizer.json", "tokenizer_config.json")],
    ],
)
def test_a_broken_folder_is_refused_in_one_sentence(damage, folder):
    damage(folder)
    with pytest.raises(BackboneError, match="can't be read") as caught:
        load(str(folder), "none", silent)
    assert "\n" not in str(caught.value)


def test_weights_in_pickle_format_are_refused(folder):
    state = torch.nn.Linear(1, 1).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    with pytest.raises(BackboneError, match="can't be read"):
        load(str(folder), "none", silent)


def config(model_type, architectures=(), is_encoder_decoder=False):
    return SimpleNamespace(
        model_type=model_type, architectures=list(architectures), is_encoder_decoder=is_encoder_decoder
    )


@pytest.mark.parametrize(
    ("found", "family"),
    [
        (config("gemma3_text", ["Gemma3ForCausalLM"]), "decoder"),
        (config("qwen3"), "decoder"),
        (config("gpt2"), "decoder"),
        (config("bert", ["BertForMaskedLM"]), "encoder"),
        (config("xlm-roberta"), "encoder"),
        (config("mt5", is_encoder_decoder=True), "encoder-decoder"),
    ],
)
def test_the_family_follows_from_the_configuration(found, family):
    assert family_of(found) == family


def test_what_is_no_language_model_is_refused_by_name():
    with pytest.raises(BackboneError, match="'resnet' are not supported"):
        family_of(config("resnet"))


def test_loading_never_runs_code_that_comes_with_a_backbone(tiny_backbone_folder):
    for quantization in ("none", "8-bit", "4-bit"):
        options = loading.weight_options(quantization)
        assert options["trust_remote_code"] is False
        assert options["use_safetensors"] is True
