import pytest
import torch
from safetensors.torch import load_file, save_file

from playground.adapters.record import WEIGHTS_FILE, hash_files, read_record, write_record
from playground.adapters.weights import load_weights
from playground.errors import AdapterError

pytestmark = pytest.mark.usefixtures("no_shipped_adapters")

VARIANTS = [
    {},
    {"use_rslora": True},
    {"target_modules": ["q_proj", "v_proj"], "r": 3},
    {
        "rank_pattern": {"q_proj": 2, "layers.1.mlp.up_proj": 6},
        "alpha_pattern": {"v_proj": 32, "^model.layers.0.mlp.gate_proj": 1},
    },
    {"rank_pattern": {"q_proj": 2}, "use_rslora": True},
]


@pytest.mark.parametrize("lora", VARIANTS)
@pytest.mark.parametrize("task", ["sentiment", "summarize"])
def test_each_pair_is_the_change_that_peft_itself_applies(save_tiny_adapter, tiny_peft, task, lora):
    weights = load_weights(save_tiny_adapter(task, lora=lora))
    adapted = tiny_peft("classify" if task == "sentiment" else "generate", **lora)
    layers = {n.removeprefix("base_model.model."): m for n, m in adapted.named_modules() if hasattr(m, "lora_A")}
    assert layers.keys() == weights.lora.keys()
    for module, layer in layers.items():
        pair = weights.lora[module]
        torch.testing.assert_close(pair.scale * pair.b @ pair.a, layer.get_delta_weight("default"))


def test_adding_the_pairs_to_the_backbone_gives_the_outputs_of_peft(save_tiny_adapter, tiny_peft, tiny_classifier):
    weights, plain = load_weights(save_tiny_adapter()), tiny_classifier()
    with torch.no_grad():
        for module, pair in weights.lora.items():
            plain.get_submodule(module).weight += pair.scale * pair.b @ pair.a
        plain.score.weight.copy_(weights.head)
        tokens = torch.tensor([[2, 5, 17, 99]])
        torch.testing.assert_close(plain(tokens).logits, tiny_peft()(tokens).logits)


def test_the_head_comes_with_the_tasks_that_have_one(save_tiny_adapter):
    assert load_weights(save_tiny_adapter("ner")).head.shape == (3, 32)
    assert load_weights(save_tiny_adapter("qa")).head.shape == (2, 32)
    assert load_weights(save_tiny_adapter("translate")).head is None


def test_an_encoders_head_has_a_bias(save_tiny_adapter):
    record = save_tiny_adapter()
    tensors = load_file(record.path / WEIGHTS_FILE)
    tensors["base_model.model.classifier.weight"] = tensors.pop("base_model.model.score.weight")
    tensors["base_model.model.classifier.bias"] = torch.tensor([1.0, 2.0, 3.0])
    weights = load_weights(_saved(record, tensors))
    assert weights.head.shape == (3, 32)
    assert weights.head_bias.tolist() == [1, 2, 3]


def test_half_precision_is_read_as_fp32(save_tiny_adapter):
    record = save_tiny_adapter()
    tensors = {name: tensor.bfloat16() for name, tensor in load_file(record.path / WEIGHTS_FILE).items()}
    weights = load_weights(_saved(record, tensors))
    assert {pair.a.dtype for pair in weights.lora.values()} == {torch.float32}
    assert weights.size_bytes == 4 * sum(tensor.numel() for tensor in tensors.values())


def test_weights_that_are_no_numbers_are_refused_by_name(save_tiny_adapter):
    record = save_tiny_adapter()
    tensors = load_file(record.path / WEIGHTS_FILE)
    tensors["base_model.model.score.weight"][0, 0] = torch.nan
    with pytest.raises(AdapterError, match=r"'sentiment/tiny': 'base_model\.model\.score\.weight' holds infinite"):
        load_weights(_saved(record, tensors))


def test_a_tampered_file_is_not_loaded(save_tiny_adapter):
    record = save_tiny_adapter()
    with (record.path / WEIGHTS_FILE).open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(AdapterError, match=f"{WEIGHTS_FILE} was changed"):
        load_weights(record)


def _saved(record, tensors):
    save_file(tensors, record.path / WEIGHTS_FILE)
    record.files.update(hash_files(record.path))
    write_record(record, record.path)
    return read_record(record.path, "own")
