"""The model that learns: frozen backbone, LoRA weights, head, and the loss of each shape.

Shapes: B rows, T tokens, H hidden size, L outputs of the head, V vocabulary, N positions with a target.
"""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AutoConfig, BitsAndBytesConfig

from playground.backbones.loading import family_of, fast_bfloat16, weight_options
from playground.engine.lora import linear_layers
from playground.errors import BackboneError, InputError
from playground.exporting.plain import HEADS, bare_model, head_outputs
from playground.training.config import RunConfig
from playground.training.features import IGNORED, Feature
from playground.training.loftq import start_from_rounding
from playground.training.lower import LowerBlocks, blocks_of
from playground.training.pissa import init_name, save_as_lora, start_of
from playground.types import Attention, Family, Shape

Objective = Literal["task", "next token", "masked token"]

LOGIT_ROWS = 256
"""Positions whose logits exist at the same time: V is 262,144, so each costs a megabyte in fp32."""
FREQUENT_TOKENS = 32_768
"""Ids below are the frequent tokens of a byte-pair vocabulary, which numbers them in the order of its merges."""
SAMPLED_TOKENS = 8192
"""So many of the other tokens stand for all of them."""
WIDTH_STEP = 16
MAX_LABEL_WEIGHT = 10.0
"""A few rows of the rarest label shall not drown out all others."""


class Trainee(nn.Module):
    """Maps a batch to its mean loss."""

    def __init__(
        self, model: PeftModel, shape: Shape, family: Family, start: Mapping[str, Tensor] | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.shape = shape
        self.family = family
        self.start = start or {}
        """The LoRA matrices that were taken out of the frozen weights before the training."""
        self.objective: Objective = "task"
        self.vocabulary: Vocabulary | None = None
        self.weighs_labels = False
        """Whether each label counts as much as any other, however rare it is (classify)."""
        self.label_weights: Tensor | None = None
        self.lower: LowerBlocks | None = None
        """Where only upper blocks learn: those below."""

    def train(self, mode: bool = True) -> "Trainee":
        super().train(mode)
        if mode and self.lower:
            self.lower.hold_still()
        return self

    def prepare(self, features: Sequence[Feature]) -> None:
        """Fits the loss to what occurs in `features`: their tokens (generate, bare texts) or labels (classify)."""
        if self._says_tokens:
            self.vocabulary = vocabulary(self._projection(), features)
        elif self.shape == "classify" and self.weighs_labels:
            self.label_weights = label_weights(features, self.model.config.num_labels)

    @contextmanager
    def reading(self, attention: Attention) -> Iterator[None]:
        """Inside, the LoRA matrices alone learn from bare texts, as `playground.training.pretraining` makes them.

        Raises:
            InputError: the backbone has no output projection that goes with its embeddings.
        """
        if self.family != "decoder":
            raise InputError("Only decoder backbones read bare texts first; set their rounds (pretrain_epochs) to 0.")
        resting = [weight for name, weight in self.named_parameters() if weight.requires_grad and "lora_" not in name]
        for weight in resting:
            weight.requires_grad = False
        self.objective = "masked token" if attention == "bidirectional" else "next token"
        try:
            yield
        finally:
            self.objective, self.vocabulary = "task", None
            for weight in resting:
                weight.requires_grad = True

    @property
    def _says_tokens(self) -> bool:
        return self.shape == "generate" or self.objective != "task"

    def _projection(self) -> Tensor:
        """(V, H); where the model has a head instead, the embeddings, which decoders of this kind project with."""
        inner = self.model.get_base_model()
        projection: Tensor = (inner.get_output_embeddings() or inner.get_input_embeddings()).weight
        return projection

    def save(self, folder: Path) -> None:
        """Writes the adapter as PEFT does, in half precision where that loses nothing."""
        if self.start:
            save_as_lora(self.model, self.start, folder)
            return
        self.model.half()
        self.model.save_pretrained(folder, save_embedding_layers=False)

    def forward(self, input_ids: Tensor, kept: Tensor, labels: Tensor, offsets: Tensor | None = None) -> Tensor:
        """Loss of ids and mask (B, T) against labels (B, 1), (B, T) or (B, 2), by shape; offsets (B, L) for logits."""
        return self._loss(self._states(input_ids, kept), kept, labels, offsets)

    def row_losses(self, input_ids: Tensor, kept: Tensor, labels: Tensor, offsets: Tensor | None = None) -> Tensor:
        """The same of each row by itself (B,)."""
        states = self._states(input_ids, kept)
        given = [states, kept, labels] if offsets is None else [states, kept, labels, offsets]
        rows = ([each[place : place + 1] for each in given] for place in range(len(states)))
        return torch.stack([self._loss(*row) for row in rows])

    def _states(self, input_ids: Tensor, kept: Tensor) -> Tensor:
        """(B, T, H)."""
        with self.lower.once_a_row(input_ids, kept) if self.lower else nullcontext():
            states: Tensor = (
                self.model.get_base_model().base_model(input_ids=input_ids, attention_mask=kept).last_hidden_state
            )
        return states

    def _loss(self, states: Tensor, kept: Tensor, labels: Tensor, offsets: Tensor | None = None) -> Tensor:
        if self._says_tokens:
            words = self.vocabulary or Vocabulary(self._projection().detach())
            if self.objective == "masked token":
                return token_loss(states, labels, words)
            return next_token_loss(states, labels, words)
        head = getattr(self.model.get_base_model(), HEADS[self.family])
        if self.shape == "classify":
            pool = kept.sum(1) - 1 if self.family == "decoder" else torch.zeros_like(kept[:, 0])
            logits = head(states[torch.arange(len(states)), pool])
            logits = logits.float() if offsets is None else logits.float() + offsets
            if self.label_weights is None:
                return cross_entropy(logits, labels[:, 0])
            # The mean over the rows, not over their weights, so that parts of a batch add up to the whole.
            losses = cross_entropy(logits, labels[:, 0], reduction="none")
            return (losses * self.label_weights.to(losses.device)[labels[:, 0]]).mean()
        logits = head(states).float()
        if self.shape == "tag":
            return cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
        logits = logits.masked_fill(kept[:, :, None] == 0, -1e4)
        return (cross_entropy(logits[:, :, 0], labels[:, 0]) + cross_entropy(logits[:, :, 1], labels[:, 1])) / 2

    def outputs(self, ids: Sequence[int]) -> Tensor:
        """What one row of token ids comes to, without dropout, in fp32 on the CPU.

        Returns:
            Logits (L,) of classify, (T, L) of tag and span, (V,) of the next token of generate.
        """
        was_training = self.model.training
        self.model.eval()
        found = head_outputs(self.model.get_base_model(), self.shape, self.family, ids)
        self.model.train(was_training)
        return found


class LinearCrossEntropy(torch.autograd.Function):
    """Sum of the cross-entropies of ``states @ weight.T``, a few rows at a time.

    The gradient is made together with the logits, so that these are neither kept nor computed a second time.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, targets: Tensor, weight: Tensor, shift: Tensor | None) -> Tensor:
        """States (N, H), targets (N,), weight (V, H), frozen, and what is added to each logit (V,)."""
        gradient = torch.empty_like(states)
        total = states.new_zeros((), dtype=torch.float32)
        for start in range(0, len(targets), LOGIT_ROWS):
            rows = slice(start, start + LOGIT_ROWS)
            logits = (states[rows].to(weight.dtype) @ weight.T).float()
            logits = logits if shift is None else logits.add_(shift)
            goal = targets[rows, None]
            total += (logits.logsumexp(1) - logits.gather(1, goal)[:, 0]).sum()
            chances = logits.softmax(1).scatter_add_(1, goal, -torch.ones_like(goal, dtype=logits.dtype))
            gradient[rows] = (chances.to(weight.dtype) @ weight).to(states.dtype)
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer[0].to(gradient.dtype), None, None, None


def next_token_loss(states: Tensor, labels: Tensor, vocabulary: "Vocabulary") -> Tensor:
    """Mean cross-entropy of the next token, with logits only at positions that have a target.

    Args:
        states: (B, T, H). labels: (B, T), IGNORED where there is nothing to learn.
    """
    return token_loss(states[:, :-1], labels[:, 1:], vocabulary)


def token_loss(states: Tensor, labels: Tensor, vocabulary: "Vocabulary") -> Tensor:
    """The same of the token that belongs to each position itself."""
    wanted = labels != IGNORED
    picked, targets = states[wanted], vocabulary.places(labels[wanted])
    total: Tensor = LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
        picked, targets, vocabulary.weight, vocabulary.shift
    )
    return total / max(len(targets), 1)


def label_weights(features: Sequence[Feature], num_labels: int) -> Tensor:
    """(L,) inverse frequencies, `MAX_LABEL_WEIGHT` times the smallest at most, with a mean of 1 over the features."""
    labels = torch.tensor([feature.labels[0] for feature in features])
    counts = torch.bincount(labels, minlength=num_labels).float()
    weights = (1 / counts.clamp(min=1)).clamp(max=MAX_LABEL_WEIGHT / float(counts.max()))
    return weights * len(features) / (weights * counts).sum()


@dataclass(frozen=True)
class Vocabulary:
    """Rows of the output projection that take part in the loss."""

    weight: Tensor
    """(K, H)."""
    place_of: Tensor | None = None
    """(V,) row of `weight` for each token id; None when all take part."""
    shift: Tensor | None = None
    """(K,) logarithm of how many tokens each row stands for; None: each for its own alone."""

    def places(self, ids: Tensor) -> Tensor:
        return ids if self.place_of is None else self.place_of[ids]


def vocabulary(projection: Tensor, features: Sequence[Feature]) -> Vocabulary:
    """The tokens that occur in `features`, the frequent ones, and a sample of the others, where that leaves out most.

    The projection has 168 M weights, more than the blocks together, and most of its rows are never a target in one
    corpus. They only have to stay improbable, and the same random few, each counted as many, see to that as well
    (sampled softmax, https://arxiv.org/abs/1412.2007): what learns are the states, not these rows.

    Args:
        projection: (V, H), frozen.
    """
    seen = {token for feature in features for token in feature.input_ids}
    kept = torch.tensor(sorted(seen | set(range(min(FREQUENT_TOKENS, len(projection))))))
    if len(kept) > len(projection) / 2:
        return Vocabulary(projection.detach())
    place_of = torch.full((len(projection),), -1)
    place_of[kept] = torch.arange(len(kept))
    others = (place_of < 0).nonzero()[:, 0]
    sampled = others[torch.randperm(len(others), generator=torch.Generator().manual_seed(0))[:SAMPLED_TOKENS]]
    shift = torch.zeros(len(kept) + len(sampled))
    shift[len(kept) :] = math.log(len(others) / len(sampled))
    device = projection.device
    weight = projection.detach()[torch.cat([kept, sampled]).to(device)]
    return Vocabulary(weight, place_of.to(device), shift.to(device))


def build_trainee(config: RunConfig, shape: Shape, source: str, num_labels: int) -> Trainee:
    """The backbone in `source` with fresh LoRA weights and a fresh head.

    B is zero, so that it starts as the base, unless `config` asks for another start.

    Raises:
        BackboneError: its architecture can't be trained for `shape`, or its files do not allow that start.
    """
    torch.manual_seed(config.seed)
    settings = AutoConfig.from_pretrained(source, trust_remote_code=False)
    family = family_of(settings)
    if family == "encoder-decoder" or (shape == "generate" and family == "encoder"):
        raise BackboneError(f"The backbone '{config.backbone}' ({family}) can't be trained for {shape} tasks.")
    if shape == "generate" and config.attention == "bidirectional":
        raise InputError("Text is written from left to right: train generate tasks with causal attention.")
    model = bare_model(source, settings, shape, num_labels, config.attention, _weight_options(config))
    model.config.use_cache = False
    if config.quantization != "none":
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=torch.cuda.is_available())
    # PEFT asks `transformers` for something by an old name.
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
    peft_model = get_peft_model(model, lora_config(config, shape, family, model))
    if config.quantization == "8-bit" and config.use_dora:
        _keep_scales(peft_model)
    for parameter in peft_model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    blocks = blocks_of(model)
    num_upper = num_adapted(config, len(blocks))
    if config.init == "loftq":
        start_from_rounding(peft_model, source)
    if config.compile:
        for block in blocks[-num_upper:]:
            block.compile(dynamic=True)
    trainee = Trainee(peft_model, shape, family, start_of(peft_model) if config.init == "pissa" else None)
    if num_upper < len(blocks):
        trainee.lower = LowerBlocks(model.base_model, blocks, len(blocks) - num_upper)
    trainee.weighs_labels = config.class_weights
    return trainee


def _keep_scales(model: nn.Module) -> None:
    """On a CPU DoRA moves the 8-bit weights after each use, and their library then takes lost scales for new ones."""
    from bitsandbytes.nn import Linear8bitLt

    def put_back(layer: Any, _inputs: Any) -> None:
        if layer.weight.SCB is None:
            layer.weight.SCB = layer.state.SCB

    for layer in model.modules():
        if isinstance(layer, Linear8bitLt):
            layer.register_forward_pre_hook(put_back)


def num_adapted(config: RunConfig, num_blocks: int) -> int:
    """How many of the backbone's blocks, from the top, get an adapter."""
    return max(round(config.upper_share * num_blocks), 1)


def _weight_options(config: RunConfig) -> dict[str, Any]:
    """Arguments of ``from_pretrained`` for weights that a run is trained on."""
    options = weight_options(config.quantization)
    if config.quantization == "8-bit":  # the engine's own 8 bits, on the CPU, can't be trained
        options["quantization_config"] = BitsAndBytesConfig(load_in_8bit=True)
    if config.quantization != "none":
        options["quantization_config"].llm_int8_skip_modules = ["lm_head", *HEADS.values()]
    if fast_bfloat16():
        options["dtype"] = torch.bfloat16
    return options


def lora_config(config: RunConfig, shape: Shape, family: Family, model: nn.Module) -> LoraConfig:
    """The LoRA that `config` asks for.

    Raises:
        InputError: it names a layer that the backbone does not have, or a rank that PiSSA can't fill.
    """
    layers = sorted({name.rsplit(".", 1)[-1] for name in linear_layers(model)})
    unknown = sorted(set(config.target_modules) - set(layers))
    if unknown:
        raise InputError(f"The backbone has no layers called '{unknown[0]}'; it has {', '.join(layers)}.")
    targets = sorted(config.target_modules) or layers
    if config.init == "pissa":
        wanted = [name for name in linear_layers(model) if name.rsplit(".", 1)[-1] in targets]
        most = min(min(model.get_parameter(f"{name}.weight").shape) for name in wanted)
        if config.rank > most:
            raise InputError(f"PiSSA finds no more than {most} directions in these layers; choose at most rank {most}.")
    num_blocks = len(blocks_of(model))
    num_upper = num_adapted(config, num_blocks)
    kind = {"classify": "SEQ_CLS" if family == "decoder" else "TOKEN_CLS", "generate": "CAUSAL_LM"}.get(shape)
    return LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=targets,
        layers_to_transform=list(range(num_blocks - num_upper, num_blocks)) if num_upper < num_blocks else None,
        use_rslora=config.use_rslora,
        use_dora=config.use_dora,
        init_lora_weights=init_name(config.init),
        modules_to_save=None if shape == "generate" else [HEADS[family]],
        task_type=kind,
    )


def padded_width(longest: int) -> int:
    """Tokens to a row of a batch whose longest row has `longest`.

    The library behind bfloat16 compiles kernels for each new shape, a second each, and few widths let it reuse them;
    the one behind fp32 does not.
    """
    return math.ceil(longest / WIDTH_STEP) * WIDTH_STEP if fast_bfloat16() else longest


def collate(features: Sequence[Feature], pad_id: int) -> dict[str, Tensor]:
    """Right-padded batch: ids and mask (B, T), labels (B, 1), (B, 2) or (B, T), offsets (B, L) if there are any."""
    longest = max(len(f.input_ids) for f in features)
    width = padded_width(longest)
    a_position = len(features[0].labels) == len(features[0].input_ids)
    label_width = width if a_position else len(features[0].labels)
    tensors = {
        "input_ids": torch.tensor([f.input_ids + [pad_id] * (width - len(f.input_ids)) for f in features]),
        "kept": torch.tensor([[1] * len(f.input_ids) + [0] * (width - len(f.input_ids)) for f in features]),
        "labels": torch.tensor([f.labels + [IGNORED] * (label_width - len(f.labels)) for f in features]),
    }
    return tensors | ({"offsets": torch.tensor([f.offsets for f in features])} if features[0].offsets else {})
