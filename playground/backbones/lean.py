"""The embedded architecture (Gemma 3, text) on a CPU, without anything that a pass does not need.

The texts of a pass lie end to end, whatever their lengths, so that nothing is padded; each has its own adapter, its own
attention mode and, where it will go on, its own cache of keys and values.
The same computation as https://github.com/huggingface/transformers/blob/main/src/transformers/models/gemma3, with the
weights in 8 bits (`playground.backbones.packed`) and all else in fp32.
Shapes: N tokens of all texts, T of one, H hidden size, A heads, K of them with keys and values, D head size, V words
of the vocabulary.
"""

import math
import mmap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedConfig

from playground.backbones import packed
from playground.backbones.checkpoint_tensors import CheckpointTensors
from playground.backbones.compiled import Floats, prepare, share_cores
from playground.backbones.compiled_layers import add_norm, attend, norm, turn
from playground.backbones.packed import PackedLinear
from playground.types import Attention

Update = Callable[[str, Tensor, Tensor], None]
"""Adds in place what the adapters make of a product's name, its inputs (N, I) and its outputs (N, O)."""

FEW_TOKENS = 16
"""Attention of so many tokens of a text is computed here; for more, a library's kernel is faster."""
FIRST_CAPACITY = 64
EMBEDDINGS = "model.embed_tokens.weight"


def can_run(config: PreTrainedConfig, source: str) -> bool:
    """Whether the backbone in the folder `source` is of this architecture, and this processor has the kernels."""
    return (
        config.model_type == "gemma3_text"
        and all(rope["rope_type"] == "default" for rope in config.rope_parameters.values())
        and not config.attention_bias
        and config.attn_logit_softcapping is None
        and config.final_logit_softcapping is None
        and config.hidden_activation == "gelu_pytorch_tanh"
        and any(Path(source).glob("*.safetensors"))
    )


class Cache:
    """Keys and values of one text, for as many of its tokens as have gone through the layers."""

    def __init__(self, num_layers: int, num_heads: int, head_size: int) -> None:
        self.length = 0
        self._tensor = _own_memory(num_layers, 2, num_heads, FIRST_CAPACITY, head_size)
        self._see()

    def _see(self) -> None:
        self.layers = [tuple(layer.unbind()) for layer in self._tensor.unbind()]
        """Keys and values (K, capacity, D) of each layer."""

    def reserve(self, length: int) -> None:
        """Makes room for `length` tokens."""
        capacity = self._tensor.shape[3]
        if length > capacity:
            self._resize(max(length, 2 * capacity))

    def _resize(self, capacity: int) -> None:
        old = self._tensor
        self._tensor = _own_memory(*old.shape[:3], capacity, old.shape[4])
        self._tensor[:, :, :, : self.length] = old[:, :, :, : self.length]
        self._see()

    def copy(self, length: int | None = None) -> "Cache":
        """Another one that begins with the first `length` tokens of this one, or with all of them."""
        made = object.__new__(Cache)
        made.length = self.length if length is None else length
        made._tensor = self._tensor
        made._resize(max(FIRST_CAPACITY, made.length + FIRST_CAPACITY))
        return made


def _own_memory(*shape: int) -> Tensor:
    """A tensor of zeros whose memory comes from the system and goes back there with it.

    Texts of all lengths come and go, and in the heap they would leave holes that are never filled. Of what is not
    written yet nothing is resident.
    """
    memory = mmap.mmap(-1, torch.float32.itemsize * math.prod(shape), access=mmap.ACCESS_COPY)
    return torch.frombuffer(memory, dtype=torch.float32).view(shape)


@dataclass
class Piece:
    """The tokens of one text that go through the layers in this pass."""

    ids: Sequence[int]
    cache: Cache | None = None
    """What came before, and where these go; None for a text that is whole."""
    attention: Attention = "causal"
    start: int = field(default=0, init=False)
    """Where in the pass its tokens begin."""

    @property
    def span(self) -> slice:
        return slice(self.start, self.start + len(self.ids))

    @property
    def past(self) -> int:
        return self.cache.length if self.cache else 0


@dataclass(frozen=True)
class _Layer:
    name: str
    window: int | None
    """Tokens that attention reaches back; None: all."""
    qkv: PackedLinear
    out: PackedLinear
    gate_up: PackedLinear
    down: PackedLinear
    norms: Mapping[str, Floats]
    """Factors (H,) of the norms before and after attention and feed-forward."""
    qk_norm: Floats
    """The same (A + K, D) of queries, which are scaled for attention, and keys."""


class Decoder:
    """The layers and the output projection. Safe for one thread at a time."""

    def __init__(self, source: str, config: PreTrainedConfig) -> None:
        prepare()
        self.config = config
        # Read once: each look into a configuration takes as long as a small product.
        self._eps, self._head_size, self._num_heads = config.rms_norm_eps, config.head_dim, config.num_attention_heads
        self._layer_types = list(config.layer_types)
        self._tensors = CheckpointTensors(sorted(Path(source).glob("*.safetensors")))
        self.products: dict[str, tuple[str, ...]] = {}
        """Which linear layers of the checkpoint each product computes at once."""
        self._layers = [self._read_layer(index) for index in range(config.num_hidden_layers)]
        self._last_norm = self._factors("model.norm").numpy()
        projection = EMBEDDINGS if config.tie_word_embeddings else "lm_head.weight"
        self._projection = PackedLinear(self._tensors.rows(projection), level_inputs=True)
        self.cheap_rows = packed.best_kernel().cheap_rows
        """So many tokens go through a pass in little more time than one."""
        self._embeddings = self._tensors.rows(EMBEDDINGS)
        half = torch.arange(0, config.head_dim, 2).float() / config.head_dim
        ropes = config.rope_parameters
        self._frequencies = {kind: ropes[kind]["rope_theta"] ** -half for kind in set(config.layer_types)}
        self._tables = {kind: _rotation(0, of) for kind, of in self._frequencies.items()}
        """Cosines and signed sines of the places so far, by kind of layer."""
        self._kinds = [config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads]
        """How many heads are queries, keys and values."""

    def weight(self, name: str) -> Tensor:
        """A tensor of the checkpoint, unquantized, mapped from its file as long as it is in use."""
        return self._tensors[name]

    def _read_layer(self, index: int) -> _Layer:
        config = self.config
        prefix = f"model.layers.{index}"

        def factors(name: str) -> Tensor:
            return self._factors(f"{prefix}.{name}")

        def product(name: str, *parts: str) -> PackedLinear:
            layers = tuple(f"{prefix}.{part}" for part in parts)
            self.products[f"{prefix}.{name}"] = layers
            return PackedLinear(torch.cat([self.weight(f"{layer}.weight").float() for layer in layers]))

        queries = factors("self_attn.q_norm") * config.query_pre_attn_scalar**-0.5
        keys = factors("self_attn.k_norm")
        heads = [queries.expand(config.num_attention_heads, -1), keys.expand(config.num_key_value_heads, -1)]
        norms = {
            "before_attention": "input_layernorm",
            "after_attention": "post_attention_layernorm",
            "before_feedforward": "pre_feedforward_layernorm",
            "after_feedforward": "post_feedforward_layernorm",
        }
        return _Layer(
            name=prefix,
            window=config.sliding_window if config.layer_types[index] == "sliding_attention" else None,
            qkv=product("qkv", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            out=product("out", "self_attn.o_proj"),
            gate_up=product("gate_up", "mlp.gate_proj", "mlp.up_proj"),
            down=product("down", "mlp.down_proj"),
            norms={place: factors(name).numpy() for place, name in norms.items()},
            qk_norm=torch.cat(heads).numpy(),
        )

    def _factors(self, name: str) -> Tensor:
        return 1 + self.weight(f"{name}.weight").float()

    def new_cache(self) -> Cache:
        config = self.config
        return Cache(config.num_hidden_layers, config.num_key_value_heads, config.head_dim)

    def _rotations(self, position: Sequence[int]) -> dict[str, tuple[Floats, Floats]]:
        """Cosines and signed sines (N, D) of `position` for each kind of layer."""
        end = max(position) + 1
        if end > next(iter(self._tables.values())).shape[1]:
            self._tables = {kind: _rotation(2 * end, of) for kind, of in self._frequencies.items()}
        places = torch.tensor(position)
        turned = {kind: table[:, places].numpy() for kind, table in self._tables.items()}
        return {kind: (cosines, sines) for kind, (cosines, sines) in turned.items()}

    @torch.inference_mode()
    def states(self, pieces: Sequence[Piece], update: Update) -> Tensor:
        """Last hidden states (N, H) of `pieces`, one after the other; their caches grow by their tokens."""
        share_cores()
        position: list[int] = []
        for piece in pieces:
            piece.start = len(position)
            position += range(piece.past, piece.past + len(piece.ids))
            if piece.cache:
                piece.cache.reserve(piece.past + len(piece.ids))
        x = self._embeddings[[token for piece in pieces for token in piece.ids]].float() * self.config.hidden_size**0.5
        rotations = self._rotations(position)
        masks: dict[tuple[int, int | None], Tensor | None] = {}
        for index, layer in enumerate(self._layers):
            rotation = rotations[self._layer_types[index]]
            self._attend(index, layer, x, pieces, rotation, masks, update)
            self._feed_forward(layer, x, update)
        for piece in pieces:
            if piece.cache:
                piece.cache.length += len(piece.ids)
        return self._normed(x, self._last_norm)

    @torch.inference_mode()
    def logits(self, states: Tensor) -> Tensor:
        """Maps last hidden states (N, H) to (N, V)."""
        share_cores()
        return self._projection(states)

    def _normed(self, x: Tensor, factors: Floats) -> Tensor:
        found = torch.empty_like(x)
        norm(x.numpy(), factors, self._eps, found.numpy())
        return found

    def _add(self, x: Tensor, change: Tensor, factors: Floats) -> None:
        """Adds the normed `change` to `x`, in place."""
        add_norm(x.numpy(), change.numpy(), factors, self._eps)

    def _feed_forward(self, layer: _Layer, x: Tensor, update: Update) -> None:
        inputs = self._normed(x, layer.norms["before_feedforward"])
        both = layer.gate_up(inputs)
        update(f"{layer.name}.gate_up", inputs, both)
        gate, up = both.chunk(2, 1)
        inner = F.gelu(gate, approximate="tanh").mul_(up)
        outputs = layer.down(inner)
        update(f"{layer.name}.down", inner, outputs)
        self._add(x, outputs, layer.norms["after_feedforward"])

    def _attend(
        self,
        index: int,
        layer: _Layer,
        x: Tensor,
        pieces: Sequence[Piece],
        rotation: tuple[Floats, Floats],
        masks: dict[tuple[int, int | None], Tensor | None],
        update: Update,
    ) -> None:
        inputs = self._normed(x, layer.norms["before_attention"])
        qkv = layer.qkv(inputs)
        update(f"{layer.name}.qkv", inputs, qkv)
        heads = qkv.view(len(x), -1, self._head_size)
        turn(heads.numpy(), layer.qk_norm, self._eps, *rotation)
        joined = heads.new_empty(len(x), self._num_heads, self._head_size)
        for number, piece in enumerate(pieces):
            span = piece.span
            if piece.cache and len(piece.ids) <= FEW_TOKENS:
                cached = (part.numpy() for part in piece.cache.layers[index])
                window = layer.window or piece.past + len(piece.ids)
                attend(heads[span].numpy(), *cached, piece.past, window, joined[span].numpy())
                continue
            key = (number, layer.window)
            if key not in masks:
                masks[key] = _mask(piece, layer.window)
            queries, keys, values = torch.split(heads[span].transpose(0, 1), self._kinds)
            mine = _with_past(piece, index, keys, values)
            joined[span] = _attention(queries, *mine, piece, layer.window, masks[key])
        seen = joined.flatten(1)
        outputs = layer.out(seen)
        update(f"{layer.name}.out", seen, outputs)
        self._add(x, outputs, layer.norms["after_attention"])


def _rotation(length: int, frequencies: Tensor) -> Tensor:
    """Cosines and signed sines (2, length, D) that turn queries and keys, https://arxiv.org/abs/2104.09864."""
    angles = torch.arange(length, dtype=torch.float32)[:, None] * frequencies
    cosine, sine = angles.cos(), angles.sin()
    return torch.stack([torch.cat([cosine, cosine], -1), torch.cat([-sine, sine], -1)])


def _with_past(piece: Piece, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """(K, past + T, D), with the new ones written into the cache."""
    if piece.cache is None:
        return keys, values
    all_keys, all_values = piece.cache.layers[layer]
    past, end = piece.past, piece.past + len(piece.ids)
    all_keys[:, past:end] = keys
    all_values[:, past:end] = values
    return all_keys[:, :end], all_values[:, :end]


def _first_seen(piece: Piece, window: int | None) -> int:
    """Place of the first key that a query of `piece` reaches: what lies before it costs nothing."""
    return 0 if window is None else max(piece.past + 1 - window, 0)


def _mask(piece: Piece, window: int | None) -> Tensor | None:
    """(T, keys from `_first_seen` on) to add to the scores; None where `_attention` needs none."""
    length, end = len(piece.ids), piece.past + len(piece.ids)
    reaches_all = window is None or end <= window
    if length == 1 or (reaches_all and (piece.attention == "bidirectional" or not piece.past)):
        return None
    distance = torch.arange(piece.past, end)[:, None] - torch.arange(_first_seen(piece, window), end)[None]
    hidden = torch.zeros_like(distance, dtype=torch.bool) if piece.attention == "bidirectional" else distance < 0
    if window is not None:
        hidden |= distance.abs() >= window
    return torch.zeros(hidden.shape).masked_fill_(hidden, -torch.inf)


def _attention(
    queries: Tensor, keys: Tensor, values: Tensor, piece: Piece, window: int | None, mask: Tensor | None
) -> Tensor:
    """(T, A, D) of queries (A, T, D), keys and values (K, past + T, D)."""
    first = _first_seen(piece, window)
    keys, values = keys[:, first:], values[:, first:]
    is_causal = mask is None and piece.attention == "causal"
    found = F.scaled_dot_product_attention(
        queries[None], keys[None], values[None], mask, is_causal=is_causal, scale=1.0, enable_gqa=True
    )
    return found[0].transpose(0, 1)
