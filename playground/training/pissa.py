"""PiSSA: LoRA that starts from the largest singular values of the weights (https://arxiv.org/abs/2404.02948).

Training takes the start out of the frozen weights, so that start and rest make the backbone. What is saved is plain
LoRA for the untouched backbone all the same: its update B A - B0 A0 is a pair of twice the rank, [B, -B0] [A; A0].
"""

import copy
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor

from playground.adapters.record import WEIGHTS_FILE

ITERATIONS = 16
"""Of the randomised singular value decomposition, which is exact to rounding with so many, and much faster."""


def init_name(init: str) -> str | bool:
    """What PEFT calls it."""
    return f"pissa_niter_{ITERATIONS}" if init == "pissa" else True


def start_of(model: PeftModel) -> dict[str, Tensor]:
    """The LoRA matrices that `model` starts from."""
    tensors = get_peft_model_state_dict(model)
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items() if ".lora_" in name}


def save_as_lora(model: PeftModel, start: Mapping[str, Tensor], folder: Path) -> None:
    """Writes `model` into `folder` as plain LoRA for the untouched backbone.

    In fp32, unlike others: B A and B0 A0 are large and nearly equal, and half precision would be lost in between.
    """
    tensors = {name: tensor.detach().cpu().float() for name, tensor in get_peft_model_state_dict(model).items()}
    config = copy.deepcopy(model.active_peft_config)
    # The scale is alpha / r or alpha / sqrt(r), of which r becomes twice as large.
    grown = math.sqrt(2) if config.use_rslora else 1.0
    for name, before in start.items():
        is_a = ".lora_A." in name
        pair = torch.cat([tensors[name], before if is_a else -before], dim=0 if is_a else 1)
        tensors[name] = (pair if is_a else grown * pair).contiguous()
    save_file(tensors, folder / WEIGHTS_FILE, metadata={"format": "pt"})
    config.r, config.init_lora_weights, config.inference_mode = 2 * config.r, True, True
    config.lora_alpha = config.lora_alpha if config.use_rslora else 2 * config.lora_alpha
    config.save_pretrained(folder)
