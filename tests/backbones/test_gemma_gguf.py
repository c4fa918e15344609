"""The conversion of a small GGUF file, checked against what transformers reads from the same file."""

import json

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from playground.backbones.gemma_gguf import WHOLE, convert, hugging_face_name, load_tokenizer
from playground.backbones.gguf_header import read_header
from playground.errors import BackboneError

NUM_LAYERS, HIDDEN, INNER, HEAD = 2, 256, 256, 16
NORMAL, CONTROL, USER_DEFINED, BYTE = 1, 3, 4, 6
SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
BYTES = [f"<0x{number:02X}>" for number in range(256)]
PIECES = [
    "  ",
    "   ",
    "<b>",
    *"abcdehlorw\u2581é",
    "he",
    "ll",
    "hell",
    "lo",
    "hello",
    "\u2581w",
    "or",
    "\u2581wor",
    "ld",
]
TOKENS = [*SPECIAL, *BYTES, *PIECES]
KINDS = [*[CONTROL] * len(SPECIAL), *[BYTE] * len(BYTES), *[USER_DEFINED] * 3, *[NORMAL] * (len(PIECES) - 3)]
TEXTS = ["hello world", "  hello   w\n", "<b>héllo</b> <eos>", "日本 hello"]


def silent(fraction, message):
    assert 0 <= fraction <= 1
    assert message


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory):
    """A Gemma 3 with 2 layers, its embedding and a projection quantized, norms in fp32."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_name("Tiny")
    writer.add_context_length(512)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(NUM_LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_sliding_window(64)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(TOKENS)
    writer.add_token_scores([-1000.0] * len(TOKENS))
    writer.add_token_types(KINDS)
    writer.add_pad_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_unk_token_id(3)
    writer.add_add_bos_token(True)
    chance = np.random.default_rng(0)
    for name, shape in _shapes().items():
        values = chance.normal(0, 0.1, shape).astype(np.float32)
        kind = gguf.GGMLQuantizationType.Q8_0
        if name in ("token_embd.weight", "blk.0.ffn_down.weight"):
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _shapes():
    block = {
        **dict.fromkeys(("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"), (HIDDEN,)),
        **dict.fromkeys(("attn_q_norm", "attn_k_norm"), (HEAD,)),
        **dict.fromkeys(("ffn_gate", "ffn_up"), (INNER, HIDDEN)),
        **dict.fromkeys(("attn_k", "attn_v"), (HEAD, HIDDEN)),
        "attn_q": (2 * HEAD, HIDDEN),
        "attn_output": (HIDDEN, 2 * HEAD),
        "ffn_down": (HIDDEN, INNER),
    }
    blocks = {f"blk.{i}.{part}.weight": shape for i in range(NUM_LAYERS) for part, shape in block.items()}
    return {"token_embd.weight": (len(TOKENS), HIDDEN), "output_norm.weight": (HIDDEN,), **blocks}


@pytest.fixture(scope="module")
def converted(gguf_file):
    folder = gguf_file.parent / "converted"
    convert(gguf_file, folder, silent)
    return folder


def test_the_weights_are_those_that_transformers_reads(gguf_file, converted):
    ours = AutoModelForCausalLM.from_pretrained(converted)
    theirs = AutoModelForCausalLM.from_pretrained(gguf_file.parent, gguf_file=gguf_file.name, dtype=torch.float32)
    expected = theirs.state_dict()
    found = ours.state_dict()
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        assert torch.equal(found[name], weight), name
    assert ours.dtype == torch.float32


def test_the_configuration_is_the_one_that_transformers_reads(gguf_file, converted):
    ours = AutoConfig.from_pretrained(converted).to_dict()
    theirs = AutoConfig.from_pretrained(gguf_file.parent, gguf_file=gguf_file.name).to_dict()
    said_otherwise = {"_name_or_path", "_model_name_or_path", "architectures", "dtype", "quantization_config"}
    assert {name: ours.get(name) for name in theirs.keys() - said_otherwise} == {
        name: value for name, value in theirs.items() if name not in said_otherwise
    }


def test_the_tokenizer_is_the_one_that_transformers_makes(gguf_file, converted):
    ours = load_tokenizer(converted)
    theirs = AutoTokenizer.from_pretrained(gguf_file.parent, gguf_file=gguf_file.name)
    assert json.loads(ours.backend_tokenizer.to_str()) == json.loads(theirs.backend_tokenizer.to_str())
    assert ours.special_tokens_map == theirs.special_tokens_map


def test_one_parse_gives_the_tokenizer_of_the_folder(converted):
    ours, theirs = load_tokenizer(converted), AutoTokenizer.from_pretrained(converted)
    assert type(ours) is type(theirs)
    for text in TEXTS:
        assert ours(text)["input_ids"] == theirs(text)["input_ids"]
    assert ours.all_special_ids == theirs.all_special_ids
    assert ours.padding_side == theirs.padding_side


def test_a_header_gives_numbers_texts_and_lists(gguf_file):
    header = read_header(gguf_file)
    assert header.metadata["general.architecture"] == "gemma3"
    assert header.metadata["tokenizer.ggml.tokens"] == TOKENS
    assert header.metadata["tokenizer.ggml.token_type"] == KINDS
    assert header.metadata["tokenizer.ggml.add_bos_token"] is True
    assert {name: stored.shape for name, stored in header.tensors.items()} == _shapes()


def test_another_file_is_no_gguf_file(tmp_path):
    path = tmp_path / "other.gguf"
    path.write_bytes(b"PK\3\4" + bytes(100))
    with pytest.raises(ValueError, match="no GGUF file"):
        read_header(path)


def test_names_are_translated():
    assert hugging_face_name("blk.7.attn_output.weight") == "model.layers.7.self_attn.o_proj.weight"
    assert hugging_face_name("blk.0.ffn_norm.weight") == "model.layers.0.pre_feedforward_layernorm.weight"
    for name, ours in WHOLE.items():
        assert hugging_face_name(name) == ours
    with pytest.raises(BackboneError, match=r"'blk\.0\.ssm_a\.weight', which is none of Gemma 3"):
        hugging_face_name("blk.0.ssm_a.weight")
