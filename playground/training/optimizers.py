"""The optimizer of a run: AdamW, or its paged 8-bit form where quantized weights are trained on a GPU."""

import warnings
from collections.abc import Callable

from peft.optimizers import create_loraplus_optimizer
from torch.optim import AdamW, Optimizer

from playground.training.config import RunConfig
from playground.training.trainee import Trainee

USUAL_OPTIM = "adamw_torch"


def adamw_of(trainee: Trainee, config: RunConfig) -> Optimizer:
    """AdamW over the weights of `trainee` that are trained, as `config` wants it."""
    kind = _adamw_class(optim_of(trainee, config))
    if config.loraplus_lr_ratio != 1:
        optimizer: Optimizer = create_loraplus_optimizer(
            trainee.model,
            kind,
            lr=config.learning_rate,
            loraplus_lr_ratio=config.loraplus_lr_ratio,
            loraplus_weight_decay=config.weight_decay,
        )
        return optimizer
    trained = [parameter for parameter in trainee.parameters() if parameter.requires_grad]
    return kind(trained, lr=config.learning_rate, weight_decay=config.weight_decay)


def optim_of(trainee: Trainee, config: RunConfig) -> str:
    """The optimizer by its name in `transformers`: what `config` names, or else what suits weights and device."""
    if config.optim != "auto":
        return config.optim
    on_gpu = next(trainee.parameters()).device.type == "cuda"
    return "paged_adamw_8bit" if on_gpu and config.quantization != "none" else USUAL_OPTIM


def _adamw_class(optim: str) -> Callable[..., Optimizer]:
    if optim == USUAL_OPTIM:
        return AdamW
    # Two seconds to import, and only wanted here: with moments in 8 bits, which a full GPU moves to the host's memory.
    from bitsandbytes.optim import PagedAdamW8bit

    warnings.filterwarnings("ignore", message="Paged optimizers are not supported on CPU")
    return PagedAdamW8bit  # type: ignore[no-any-return]
