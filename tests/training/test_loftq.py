"""LoftQ on real 4-bit weights."""

import json
import shutil

import pytest
import torch
from peft import PeftModel
from peft.utils.integrations import dequantize_module_weight
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, BitsAndBytesConfig

from playground.adapters.card import card
from playground.adapters.record import AdapterRecord
from playground.backbones.loading import fast_bfloat16
from playground.errors import BackboneError
from playground.training.loftq import ExactWeights, low_rank
from playground.training.trainee import build_trainee


def layers(model):
    return [(n, m) for n, m in model.get_base_model().named_modules() if hasattr(m, "lora_A") and hasattr(m, "scaling")]


def built(config, folder):
    return build_trainee(config, "classify", str(folder), 2)


@pytest.mark.parametrize("options", [{"rank": 8, "alpha": 16}, {"rank": 4, "alpha": 32, "use_rslora": True}])
def test_it_starts_nearer_to_the_exact_weights_as_near_as_the_rank_allows(
    options, make_run_config, tiny_backbone_folder
):
    config = make_run_config(quantization="4-bit", init="loftq", **options)
    exact = load_file(tiny_backbone_folder / "model.safetensors")
    adapted = layers(built(config, tiny_backbone_folder).model)
    assert len(adapted) == 14
    for name, layer in adapted:
        rounded = dequantize_module_weight(layer.base_layer).float()
        error = exact[f"{name}.weight"] - rounded
        start = layer.get_delta_weight("default")
        best = torch.linalg.svdvals(error)[options["rank"] :].norm()
        torch.testing.assert_close((error - start).norm(), best, rtol=2e-2, atol=1e-5)
        assert (error - start).norm() < 0.95 * error.norm()


def test_the_same_seed_gives_the_same_start(make_run_config, tiny_backbone_folder):
    config = make_run_config(quantization="4-bit", init="loftq")
    one, other = (layers(built(config, tiny_backbone_folder).model)[0][1].lora_A["default"].weight for _ in range(2))
    assert torch.equal(one, other)


def test_a_layer_smaller_than_the_rank_is_answered_exactly():
    matrix = torch.randn(6, 40)
    a, b = low_rank(matrix, 8)
    assert (a.shape, b.shape) == ((8, 40), (6, 8))
    torch.testing.assert_close(b @ a, matrix, atol=1e-5, rtol=1e-4)


def test_plain_peft_loads_the_same_adapter_beside_the_same_4_bit_weights(
    make_run_config, tiny_backbone_folder, tmp_path
):
    # Layers of the tiny backbone are narrower than the blocks of bitsandbytes, whose fast path on the CPU fails there:
    # weights are compared instead of outputs.
    trainee = built(make_run_config(quantization="4-bit", init="loftq"), tiny_backbone_folder)
    dtype = torch.bfloat16 if fast_bfloat16() else torch.float32  # what the weights were before they were rounded
    trainee.save(tmp_path)
    settings = json.loads((tmp_path / "adapter_config.json").read_text(encoding="utf-8"))
    assert (settings["r"], settings["init_lora_weights"]) == (8, True)
    four_bit = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        llm_int8_skip_modules=["lm_head", "score"],
    )
    base = AutoModelForSequenceClassification.from_pretrained(
        tiny_backbone_folder, num_labels=2, quantization_config=four_bit, dtype=dtype
    )
    plain = layers(PeftModel.from_pretrained(base, tmp_path))
    trained = layers(trainee.model)
    assert [name for name, _ in plain] == [name for name, _ in trained]
    for (_, one), (_, other) in zip(plain, trained, strict=True):
        weights = [dequantize_module_weight(layer.base_layer).float() for layer in (one, other)]
        torch.testing.assert_close(*weights, atol=1e-2, rtol=1e-2)
        changes = [layer.get_delta_weight("default").float() for layer in (one, other)]
        torch.testing.assert_close(*changes, atol=1e-4, rtol=1e-3)
        assert changes[0].abs().max() > 0


def test_the_card_says_so_and_loads_the_weights_in_4_bits():
    record = AdapterRecord(
        name="a", task="instruct", shape="generate", backbone={"id": "x/y", "checksum": ""}, labels=(),
        training={"init": "loftq", "quantization": "4-bit"},
    )  # fmt: skip
    text = card(record)
    assert "LoftQ: what 4-bit quantization took away" in text
    assert "quantization_config=four_bit" in text


def test_a_file_without_the_weights_is_named(tiny_backbone_folder, tmp_path):
    folder = tmp_path / "odd"
    shutil.copytree(tiny_backbone_folder, folder)
    weights = load_file(folder / "model.safetensors")
    name = "model.layers.1.mlp.down_proj.weight"
    save_file({key: value for key, value in weights.items() if key != name}, folder / "model.safetensors")
    with pytest.raises(BackboneError, match=r"hold no 'model.layers.1.mlp.down_proj.weight'; use init 'default'"):
        ExactWeights(str(folder)).read("model.layers.1.mlp.down_proj", weights[name].shape, is_turned=False)


def test_weights_of_a_backbone_in_parts_and_by_another_beginning_are_found(
    make_run_config, tiny_causal, tiny_backbone_folder, tmp_path
):
    folder = tmp_path / "parts"
    shutil.copytree(tiny_backbone_folder, folder)
    (folder / "model.safetensors").unlink()
    tiny_causal().model.save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    config = make_run_config(quantization="4-bit", init="loftq")
    parts = layers(built(config, folder).model)
    whole = layers(built(config, tiny_backbone_folder).model)
    for (_, one), (_, other) in zip(parts, whole, strict=True):
        torch.testing.assert_close(one.get_delta_weight("default"), other.get_delta_weight("default"))
