"""The trained weights of a model: copied, put back, mixed."""

from collections.abc import Mapping

from torch import Tensor, nn


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """The trained weights, out of the reach of the training."""
    trained = ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)
    return {name: weight.detach().to("cpu", copy=True) for name, weight in trained}


def put_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """The reverse of `copy_weights`."""
    for name, weight in model.named_parameters():
        if name in weights:
            weight.data.copy_(weights[name])


def mix_weights(model: nn.Module, earlier: Mapping[str, Tensor], share: float) -> None:
    """Moves the weights back by `share` (0 to 1) of the way to what they were `earlier`."""
    for name, weight in model.named_parameters():
        if name in earlier:
            weight.data.lerp_(earlier[name].to(weight), share)
