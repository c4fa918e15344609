"""How large what an adapter adds is beside the weights that it is added to."""

import torch

from playground.adapters.record import AdapterRecord
from playground.adapters.weights import LoraPair, load_weights
from playground.errors import BackboneError
from playground.training.loftq import ExactWeights


@torch.no_grad()
def update_size(record: AdapterRecord, source: str) -> float | None:
    """Length (Frobenius norm) of all updates of a saved adapter together, as a share of that of the weights.

    Args:
        source: folder or Hub id of the backbone; None is returned where its weights are not there in full precision.
    """
    try:
        exact = ExactWeights(source)
        pairs = load_weights(record).lora.items()
        sizes = torch.tensor([_sizes(pair, exact.kept(name).float()) for name, pair in pairs], dtype=torch.float64)
    except BackboneError:
        return None
    added, there = (sizes**2).sum(0).sqrt().tolist()
    return float(added / there)


def _sizes(pair: LoraPair, weight: torch.Tensor) -> tuple[float, float]:
    """Of an update and of the weight."""
    update = pair.scale * pair.b @ pair.a
    weight = weight if weight.shape == update.shape else weight.T  # GPT-2 keeps its weights turned
    if pair.magnitude is not None:
        new = weight + update
        update = pair.magnitude[:, None] * new / new.norm(dim=1, keepdim=True) - weight
    return update.norm().item(), weight.norm().item()
