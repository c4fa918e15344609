"""Backbone and adapter as one GGUF file for llama.cpp.

Names, metadata and tokenizer are those of the embedded backbone's own GGUF file; only the weights are others.
Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
from torch import Tensor

from playground.adapters.record import AdapterRecord
from playground.backbones import embedded
from playground.backbones.gemma_gguf import hugging_face_name
from playground.exporting.merged import merged_model

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
