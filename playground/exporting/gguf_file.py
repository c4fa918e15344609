"""Backbone and adapter as one GGUF file for llama.cpp.

Names, metadata and tokenizer are those of the embedded backbone's own GGUF file; only the weights are others.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
import torch
from torch import Tensor

from playground.adapters.record import AdapterRecord
from playground.backbones import embedded
from playground.errors import BackboneError
from playground.exporting.merged import merged_model

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
_BLOCK = re.compile(r"blk\.(?P<number>\d+)\.(?P<part>\w+)\.weight")
_WRITTEN_BY_WRITER = ("GGUF.version", "GGUF.tensor_count", "GGUF.kv_count", "general.architecture")
_OF_THE_OTHER_WEIGHTS = ("general.file_type", "general.name", "general.quantization_version")
_KINDS = {
    "float16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}


def write_gguf(record: AdapterRecord, file: Path, number_format: str) -> None:
    """Writes the merged model to `file`, matrices in `number_format` (float16 or q8_0) and norms in fp32.

    Raises:
        AdapterError: the adapter is not sound.
        BackboneError: the embedded backbone is not there, or holds a tensor that is not known here.
    """
    weights = merged_model(record).state_dict()
    kind, file_type = _KINDS[number_format]
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".gguf-") as folder:
        original = Path(folder) / "backbone.gguf"
        embedded.assemble(original, lambda *_: None)
        reader = gguf.GGUFReader(original)
        writer = gguf.GGUFWriter(file, str(reader.fields["general.architecture"].contents()))
        _copy_metadata(reader, writer)
        writer.add_name(f"{record.task} {record.name}")
        writer.add_file_type(file_type)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        for tensor in reader.tensors:
            _add(writer, tensor.name, weights[hugging_face_name(tensor.name)], kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


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


def _copy_metadata(reader: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    for name, field in reader.fields.items():
        if name in (*_WRITTEN_BY_WRITER, *_OF_THE_OTHER_WEIGHTS):
            continue
        element = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), field.types[0], sub_type=element)


def _add(writer: gguf.GGUFWriter, name: str, weight: Tensor, kind: gguf.GGMLQuantizationType) -> None:
    values = weight.to(torch.float32).numpy()
    if values.ndim == 1:
        # llama.cpp multiplies by a norm's weight where Gemma multiplies by 1 + weight.
        writer.add_tensor(name, values + np.float32(1) if name.endswith("norm.weight") else values)
        return
    writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
