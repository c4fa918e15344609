"""The embedded backbone's GGUF file as a folder for ``from_pretrained``: tokenizer, configuration, weights in fp32.

transformers reads such a file too, but takes a minute, since it reads the whole vocabulary three times.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from playground.backbones.gguf_header import GgufHeader, read_header, read_tensor
from playground.errors import BackboneError
from playground.types import Progress

if TYPE_CHECKING:
    from transformers import GemmaTokenizer

BLOCK_PARTS: Mapping[str, str] = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "post_ffw_norm": "post_feedforward_layernorm",
}
"""Names in llama.cpp and in transformers of the tensors of one Gemma 3 block."""
WHOLE: Mapping[str, str] = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
SIZES: Mapping[str, str] = {
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "attention.sliding_window": "sliding_window",
}
"""Names in llama.cpp and in transformers of what the configuration says."""
LOCAL_ROPE_THETA = 10_000.0
"""Of the layers with a sliding window; the same in every Gemma 3, so the file does not say it."""
SPECIAL_TOKENS: Mapping[str, str] = {
    "bos_token": "bos_token_id",
    "eos_token": "eos_token_id",
    "unk_token": "unknown_token_id",
    "pad_token": "padding_token_id",
}
CONTROL, USER_DEFINED = 3, 4
"""Kinds of tokens that are found in a text before it is cut: those the model steers by, and the others."""
SPACE = "\u2581"
"""What stands for a space inside the vocabulary."""
_BLOCK = re.compile(r"blk\.(?P<number>\d+)\.(?P<part>\w+)\.weight")


def convert(gguf_file: Path, folder: Path, progress: Progress) -> None:
    """Writes the backbone in `gguf_file` to `folder`, which is made."""
    folder.mkdir()
    progress(0.05, "Reading the embedded backbone")
    header = read_header(gguf_file)
    progress(0.1, "Converting the tokenizer")
    tokenizer(header.metadata).save(str(folder / "tokenizer.json"))
    _write_json(folder / "tokenizer_config.json", tokenizer_config(header.metadata))
    _write_json(folder / "config.json", model_config(header))
    progress(0.35, "Converting the weights")
    weights = read_weights(gguf_file, header)
    progress(0.8, "Writing the converted backbone")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def tokenizer(metadata: Mapping[str, Any]) -> Tokenizer:
    """Byte-pair encoding that falls back to bytes. The file lists no merges: each token's come in the order of the
    tokens, the longest left part first.
    """
    tokens = [_spelled(token) for token in metadata["tokenizer.ggml.tokens"]]
    ids = {token: number for number, token in enumerate(tokens)}
    merges = [
        (token[:cut], token[cut:])
        for token in ids
        for cut in range(len(token) - 1, 0, -1)
        if token[:cut] in ids and token[cut:] in ids
    ]
    unknown = tokens[metadata["tokenizer.ggml.unknown_token_id"]]
    made = Tokenizer(models.BPE(vocab=ids, merges=merges, unk_token=unknown, fuse_unk=True, byte_fallback=True))
    made.normalizer = normalizers.Replace(" ", SPACE)
    made.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    made.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    kinds = metadata["tokenizer.ggml.token_type"]
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind == CONTROL]
    # Not the rows of spaces: merges find them.
    whole = [token for token, kind in zip(tokens, kinds, strict=True) if kind == USER_DEFINED and token.strip(SPACE)]
    made.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    made.add_tokens([AddedToken(token, normalized=False, special=False) for token in whole])
    bos_id = metadata["tokenizer.ggml.bos_token_id"]
    bos = tokens[bos_id]
    made.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, bos_id)]
    )
    return made


def tokenizer_config(metadata: Mapping[str, Any]) -> dict[str, Any]:
    tokens = metadata["tokenizer.ggml.tokens"]
    special = {name: tokens[metadata[f"tokenizer.ggml.{key}"]] for name, key in SPECIAL_TOKENS.items()}
    return {"tokenizer_class": "GemmaTokenizer", **special}


def model_config(header: GgufHeader) -> dict[str, Any]:
    metadata = header.metadata
    ids = {f"{name}_id": metadata[f"tokenizer.ggml.{key}"] for name, key in SPECIAL_TOKENS.items()}
    theta = metadata["gemma3.rope.freq_base"]
    return {
        "architectures": ["Gemma3ForCausalLM"],
        "model_type": "gemma3_text",
        "dtype": "float32",
        "vocab_size": len(metadata["tokenizer.ggml.tokens"]),
        "tie_word_embeddings": "output.weight" not in header.tensors,
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": theta},
            "sliding_attention": {"rope_type": "default", "rope_theta": LOCAL_ROPE_THETA},
        },
        **{ours: metadata[f"gemma3.{theirs}"] for theirs, ours in SIZES.items()},
        **ids,
    }


def read_weights(gguf_file: Path, header: GgufHeader) -> dict[str, npt.NDArray[np.float32]]:
    """Every tensor of the file in fp32, by the name that transformers gives it."""
    content = np.memmap(gguf_file, dtype=np.uint8, mode="r")
    weights = {}
    for name, stored in header.tensors.items():
        values = read_tensor(np.asarray(content), stored)
        # llama.cpp multiplies by a norm's weight where Gemma multiplies by 1 + weight.
        weights[hugging_face_name(name)] = values - np.float32(1) if name.endswith("norm.weight") else values
    return weights


def hugging_face_name(name: str) -> str:
    """What transformers calls the tensor that is `name` in the GGUF file.

    Raises:
        BackboneError: it is none of Gemma 3.
    """
    match = _BLOCK.fullmatch(name)
    if name in WHOLE:
        return WHOLE[name]
    if match is None or match["part"] not in BLOCK_PARTS:
        raise BackboneError(f"The embedded backbone holds the tensor '{name}', which is none of Gemma 3.")
    return f"model.layers.{match['number']}.{BLOCK_PARTS[match['part']]}.weight"


def _spelled(token: str) -> str:
    """Only spaces are spelt with real ones in the file."""
    return SPACE * len(token) if " " in token and not token.strip() else token


def load_tokenizer(folder: Path) -> "GemmaTokenizer":
    """The tokenizer in a converted folder; ``AutoTokenizer`` would parse its 33 MB two times more."""
    from transformers import GemmaTokenizer

    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    del config["tokenizer_class"]
    return GemmaTokenizer(tokenizer_file=str(folder / "tokenizer.json"), name_or_path=str(folder), **config)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")
