"""What an adapter says on probe rows in the engine: the reference that copies are held against."""

from collections.abc import Sequence

import torch

from playground.adapters.record import AdapterRecord
from playground.backbones.loading import Backbone
from playground.engine.adapters import load_adapter
from playground.engine.encode import encode, run_blocks
from playground.engine.lora import install, layer_sizes
from playground.engine.requests import EncodeRow
from playground.errors import AdapterError
from playground.exporting.probes import Outputs


def engine_outputs(backbone: Backbone, record: AdapterRecord, ids: Sequence[Sequence[int]]) -> Outputs:
    """Of each row of `ids`; `backbone` serves for nothing else afterwards.

    Raises:
        AdapterError: the adapter is not sound or made for another backbone, or an id is none of its tokens.
    """
    size = backbone.model.get_input_embeddings().num_embeddings
    if max(map(max, ids)) >= size:
        raise AdapterError(f"{record.title}: its probe rows hold the token {max(map(max, ids))}; there are {size:,}.")
    sizes = layer_sizes(backbone.model)
    routes = install(backbone.model)
    adapter = load_adapter(record, backbone, sizes)
    pooled = record.shape == "classify"
    if record.shape != "generate":
        return encode(backbone, routes, [EncodeRow(one, adapter, record.attention, pooled) for one in ids])
    found: Outputs = []
    for one in ids:
        rows = torch.tensor([list(one)], device=backbone.device)
        with torch.inference_mode(), routes.use([adapter], backbone.device):
            states = run_blocks(backbone.model, rows, torch.ones_like(rows), record.attention)
            found.append(backbone.model.get_output_embeddings()(states[0, -1]).float().cpu().numpy())
    return found
