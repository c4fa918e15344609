"""LoftQ: LoRA that starts from what 4 bits took away from the weights (https://arxiv.org/abs/2310.08659).

The frozen weights stay as they were rounded, so that the adapter can be used beside the same 4-bit backbone by anybody;
the start is the best low-rank answer to their error, one step of the paper's algorithm, as in
``peft.replace_lora_weights_loftq``. That one needs a GPU and does not divide by the adapter's scale.

Shapes: r rank, I inputs of a layer, O its outputs.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from peft import PeftModel
from peft.tuners.lora import Linear4bit
from peft.utils.integrations import dequantize_module_weight
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME
from transformers.utils.hub import cached_file, get_checkpoint_shard_files

from playground.backbones.checkpoint_tensors import CheckpointTensors
from playground.errors import BackboneError

ADAPTER = "default"


@torch.no_grad()
def start_from_rounding(model: PeftModel, source: str) -> None:
    """Sets the LoRA matrices of the 4-bit `model` to the rounding error of its weights.

    Args:
        source: folder or Hub id of the backbone, with the weights before they were rounded.

    Raises:
        BackboneError: a weight is not there in full precision.
    """
    exact = ExactWeights(source)
    for name, layer in _layers(model):
        rounded = dequantize_module_weight(layer.base_layer).float()
        is_turned = issubclass(getattr(layer.base_layer, "source_cls", nn.Linear), Conv1D)
        error = exact.read(name, rounded.shape, is_turned=is_turned).to(rounded) - rounded
        a, b = low_rank(error / layer.scaling[ADAPTER], layer.r[ADAPTER])
        layer.lora_A[ADAPTER].weight.copy_(a)
        layer.lora_B[ADAPTER].weight.copy_(b)


def low_rank(matrix: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """A (r, I) and B (O, r) whose product comes as near to `matrix` (O, I) as r directions can."""
    if len(matrix) > matrix.shape[1]:
        b, a = low_rank(matrix.T, rank)
        return a.T.contiguous(), b.T.contiguous()
    left = torch.linalg.eigh(matrix @ matrix.T).eigenvectors[:, -rank:]  # the largest come last
    right = left.T @ matrix
    roots = right.norm(dim=1).clamp(min=1e-12).sqrt()
    missing = rank - len(roots)  # of a layer smaller than the rank
    a, b = right / roots[:, None], left * roots
    return nn.functional.pad(a, (0, 0, 0, missing)), nn.functional.pad(b, (0, missing))


def _layers(model: PeftModel) -> Iterator[tuple[str, Linear4bit]]:
    """The adapted 4-bit layers, with their names in the backbone."""
    for name, layer in model.get_base_model().named_modules():
        if isinstance(layer, Linear4bit):
            yield name, layer


class ExactWeights:
    """The weights of a backbone before they were rounded."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._tensors = CheckpointTensors(_files(source))

    def read(self, layer: str, shape: torch.Size, *, is_turned: bool) -> Tensor:
        """The weight of `layer`, which has `shape` in the model and lies in the file as (I, O) if `is_turned`.

        Raises:
            BackboneError: as `kept`, or it has another shape.
        """
        kept = self.kept(layer)
        weight = kept.T if is_turned else kept
        if weight.shape != shape:
            raise self._useless(f"the weight of '{layer}' has the shape {tuple(weight.shape)}")
        return weight

    def kept(self, layer: str) -> Tensor:
        """The weight of `layer` as it lies in the file.

        Raises:
            BackboneError: it is not there in full precision.
        """
        # A model for labels calls the blocks by another beginning than one for text.
        wanted = f"{layer}.weight"
        names = [name for name in self._tensors if wanted.endswith(f".{name}") or name.endswith(f".{wanted}")]
        found = wanted if wanted in self._tensors else names[0] if len(names) == 1 else None
        if found is None:
            raise self._useless(f"they hold no '{wanted}'")
        weight = self._tensors[found]
        if not weight.is_floating_point():
            raise self._useless(f"'{found}' has the type {weight.dtype}")
        return weight

    def _useless(self, reason: str) -> BackboneError:
        return BackboneError(
            f"LoftQ can't start from the files of the backbone '{self.source}': {reason}; use init 'default'."
        )


def _files(source: str) -> list[Path]:
    try:
        whole = cached_file(source, SAFE_WEIGHTS_NAME, _raise_exceptions_for_missing_entries=False)
        if whole is not None:
            return [Path(whole)]
        index = cached_file(source, SAFE_WEIGHTS_INDEX_NAME)
        return [Path(file) for file in get_checkpoint_shard_files(source, index)[0]]
    except (OSError, SafetensorError) as err:
        raise BackboneError(
            f"LoftQ can't start from the backbone '{source}': it has no safetensors files; use init 'default'."
        ) from err
