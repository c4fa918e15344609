"""Models as transformers and PEFT make them, without the engine: what is trained, merged and compared with.

Shapes: T tokens, L outputs of the head, V vocabulary.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
)

from playground.adapters.record import AdapterRecord
from playground.backbones.loading import EXACT, family_of, locate, read_config
from playground.exporting.probes import Outputs
from playground.types import Attention, Family, Shape

HEADS = {"decoder": "score", "encoder": "classifier"}


def bare_model(
    source: str,
    config: PreTrainedConfig,
    shape: Shape,
    num_labels: int,
    attention: Attention,
    options: dict[str, Any],
) -> PreTrainedModel:
    """The backbone in `source` in the class that PEFT wraps for `shape`, with a head of its own unless it writes.

    Args:
        config: of the backbone.
        options: arguments of ``from_pretrained``.
    """
    if attention == "bidirectional" and hasattr(config, "use_bidirectional_attention"):
        options = {**options, "use_bidirectional_attention": True}
    if shape == "generate":
        return AutoModelForCausalLM.from_pretrained(source, **options)
    is_encoder = family_of(config) == "encoder"
    chosen = AutoModelForTokenClassification if is_encoder else AutoModelForSequenceClassification
    return chosen.from_pretrained(source, num_labels=num_labels, **options)


@torch.no_grad()
def head_outputs(model: PreTrainedModel, shape: Shape, family: Family, ids: Sequence[int]) -> Tensor:
    """What a model of `bare_model`, in evaluation mode, makes of one row of token ids, in fp32 on the CPU.

    Returns:
        Logits (L,) of classify, (T, L) of tag and span, (V,) of the next token of generate.
    """
    rows = torch.tensor([list(ids)], device=model.device)
    states = model.base_model(input_ids=rows, attention_mask=torch.ones_like(rows)).last_hidden_state[0]
    head = model.get_output_embeddings() if shape == "generate" else getattr(model, HEADS[family])
    if shape in ("generate", "classify"):
        states = states[0 if family == "encoder" else -1]
    found: Tensor = head(states.to(head.weight.dtype)).float().cpu()
    return found


def peft_outputs(record: AdapterRecord, folder: Path, ids: Sequence[Sequence[int]]) -> Outputs:
    """Of the adapter in `folder`, by PEFT alone on the unquantized backbone."""
    source = locate(record.backbone["id"], lambda *_: None)
    config = read_config(source)
    bare = bare_model(source, config, record.shape, len(record.labels), record.attention, EXACT)
    model = PeftModel.from_pretrained(bare, folder).eval().get_base_model()
    return [head_outputs(model, record.shape, family_of(config), one).numpy() for one in ids]


def merged_outputs(folder: Path, shape: Shape, ids: Sequence[Sequence[int]]) -> Outputs:
    """Of a merged model in `folder`, by transformers alone and in the class that its configuration names.

    Labels of whole texts come from that class's own pooling.
    """
    config = read_config(str(folder))
    family = family_of(config)
    model = bare_model(str(folder), config, shape, config.num_labels, "causal", EXACT).eval()
    if shape != "classify" or family == "encoder":
        return [head_outputs(model, shape, family, one).numpy() for one in ids]
    with torch.no_grad():
        return [model(input_ids=torch.tensor([list(one)])).logits[0].numpy() for one in ids]


def gguf_outputs(file: Path, ids: Sequence[Sequence[int]]) -> Outputs:
    """Of a GGUF file, by the reader of transformers."""
    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32).eval()
    return [head_outputs(model, "generate", "decoder", one).numpy() for one in ids]
