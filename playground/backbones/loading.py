"""Loading a backbone by id: the embedded one, a local folder or a Hub id."""

import hashlib
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    GenerationConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_MASKED_LM_MAPPING_NAMES
from transformers.utils import logging as transformers_logging

from playground.backbones import embedded, gemma_gguf
from playground.backbones.apart import apart
from playground.backbones.catalogue import CATALOGUE, EMBEDDED_ID, EMBEDDED_SHA256
from playground.backbones.lean import Decoder, can_run
from playground.backbones.quantize import Int8Linear
from playground.errors import BackboneError
from playground.types import Family, Progress, Quantization

# What transformers reports while loading (a head is new, weights are tied) is meant for developers.
transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()
# bitsandbytes warns about optional GPU kernels on every machine without them.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

MIN_VOCABULARY = 32
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
MODEL_CLASSES = {
    "decoder": AutoModelForCausalLM,
    "encoder": AutoModelForMaskedLM,
    "encoder-decoder": AutoModelForSeq2SeqLM,
}

EXACT: dict[str, Any] = {"use_safetensors": True, "trust_remote_code": False, "dtype": torch.float32}
"""Arguments of ``from_pretrained`` for the unquantized weights in fp32 on the CPU."""


@dataclass(frozen=True)
class Backbone:
    """Frozen pretrained weights with their tokenizer, and what they can do."""

    id: str
    title: str
    checksum: str
    family: Family
    quantization: Quantization
    source: str
    """Folder or Hub id that ``from_pretrained`` takes."""
    model: PreTrainedModel
    """Without weights where `lean` has them."""
    tokenizer: PreTrainedTokenizerBase
    lean: Decoder | None = None
    """What runs the rows of the embedded architecture on a CPU, in place of `model`."""

    @property
    def can_generate(self) -> bool:
        return self.family == "decoder"

    @property
    def can_encode(self) -> bool:
        return self.family in ("decoder", "encoder")

    @property
    def can_attend_both_ways(self) -> bool:
        """Whether adapters of either attention mode run: a decoder that transformers can switch."""
        return hasattr(self.model.config, "use_bidirectional_attention")

    @property
    def has_chat_template(self) -> bool:
        return self.tokenizer.chat_template is not None

    @property
    def device(self) -> torch.device:
        device: torch.device = torch.device("cpu") if self.lean else self.model.device
        return device

    @property
    def max_positions(self) -> int:
        """Tokens that fit into one pass."""
        # Some architectures count their special positions too; their tokenizer knows better.
        limit: int = self.tokenizer.model_max_length
        return min(int(getattr(self.model.config, "max_position_embeddings", 512)), limit)


def automatic_quantization() -> Quantization:
    """4-bit on a GPU, 8-bit (the output projection) on the CPU.

    On ZeroGPU nothing is quantized: its GPU exists only later, and 4-bit weights can't be made without one.
    """
    if os.environ.get("SPACES_ZERO_GPU"):
        return "none"
    return "4-bit" if torch.cuda.is_available() else "8-bit"


def training_quantization() -> Quantization:
    """4-bit on a GPU, none on the CPU, where it would only save memory."""
    return "4-bit" if automatic_quantization() == "4-bit" else "none"


def load(backbone_id: str, quantization: Quantization, progress: Progress) -> Backbone:
    """Loads the backbone called `backbone_id`, converting the embedded one first when that was not done yet.

    Raises:
        BackboneError: there is none of that id, or it can't be read.
    """
    return _load(backbone_id, quantization, weight_options(quantization), progress)


def load_exact(backbone_id: str, progress: Progress) -> Backbone:
    """The unquantized backbone in fp32 on the CPU, also where there is a GPU.

    Raises:
        BackboneError: there is none of that id, it can't be read, or its own files are quantized.
    """
    return _load(backbone_id, "none", EXACT, progress)


def refuse_quantized(backbone_id: str, config: PreTrainedConfig) -> None:
    """Raises BackboneError when the files of the backbone are quantized already, so that nothing exact can be had."""
    if getattr(config, "quantization_config", None) is not None:
        raise BackboneError(
            f"The files of the backbone '{backbone_id}' are quantized, and adapters are only merged into unquantized "
            "weights; name the unquantized original with PLAYGROUND_BACKBONE."
        )


def _load(backbone_id: str, quantization: Quantization, options: dict[str, Any], progress: Progress) -> Backbone:
    source = locate(backbone_id, progress)
    progress(0.92, "Loading the tokenizer")
    tokenizer = load_tokenizer(source)
    progress(0.95, "Loading the weights")
    config = read_config(source)
    family = family_of(config)
    if options is EXACT:
        refuse_quantized(backbone_id, config)
    eight_bits_on_cpu = quantization == "8-bit" and family == "decoder" and not torch.cuda.is_available()
    decoder = None
    try:
        if eight_bits_on_cpu and can_run(config, source):
            decoder, model = apart(lambda: Decoder(source, config)), _without_weights(source, config)
        else:
            model = MODEL_CLASSES[family].from_pretrained(source, **options)
    except (OSError, ValueError, KeyError, SafetensorError) as err:
        raise _unreadable(source, err) from err
    model.eval().requires_grad_(False)
    if eight_bits_on_cpu and decoder is None:
        model.lm_head = Int8Linear(model.get_output_embeddings())
    known = CATALOGUE.get(backbone_id)
    return Backbone(
        id=backbone_id,
        title=known.title if known else Path(backbone_id).name,
        checksum=checksum(backbone_id, source, config),
        family=family,
        quantization=quantization,
        source=source,
        model=model,
        tokenizer=tokenizer,
        lean=decoder,
    )


def _without_weights(source: str, config: PreTrainedConfig) -> PreTrainedModel:
    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    if (Path(source) / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(source)
    return model


def locate(backbone_id: str, progress: Progress) -> str:
    """What ``from_pretrained`` takes for `backbone_id`: a folder or a Hub id."""
    if backbone_id == EMBEDDED_ID:
        return str(embedded.prepare(progress))
    if (Path(backbone_id) / "config.json").is_file():
        return str(Path(backbone_id).resolve())
    if HUB_ID.fullmatch(backbone_id):
        return backbone_id
    raise BackboneError(
        f"There is no backbone '{backbone_id}': give a folder with a config.json, a Hub id such as "
        f"Qwen/Qwen3-0.6B, or '{EMBEDDED_ID}' for the embedded one."
    )


def read_config(source: str) -> PreTrainedConfig:
    try:
        return AutoConfig.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError) as err:
        raise _unreadable(source, err) from err


def _unreadable(source: str, err: Exception) -> BackboneError:
    reason = str(err).strip().splitlines() or [type(err).__name__]
    return BackboneError(f"The backbone '{source}' can't be read: {reason[0]}")


def load_tokenizer(source: str) -> PreTrainedTokenizerBase:
    try:
        tokenizer = (
            gemma_gguf.load_tokenizer(embedded.home())
            if source == str(embedded.home())
            else AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        )
    except (OSError, ValueError) as err:
        raise _unreadable(source, err) from err
    # Without its files transformers makes an empty one; without offsets entities could not be found in the text.
    if len(tokenizer) < MIN_VOCABULARY or not tokenizer.is_fast:
        raise BackboneError(
            f"The backbone '{source}' can't be read: its tokenizer is missing or has no tokenizer.json."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def weight_options(quantization: Quantization) -> dict[str, Any]:
    """Arguments of ``from_pretrained`` for safe loading in the given precision."""
    options: dict[str, Any] = {"use_safetensors": True, "trust_remote_code": False}
    on_gpu = torch.cuda.is_available()
    if quantization == "4-bit":
        options["quantization_config"] = four_bit_config()
    elif quantization == "8-bit" and on_gpu:
        options["quantization_config"] = BitsAndBytesConfig(load_in_8bit=True)
    options["dtype"] = torch.bfloat16 if on_gpu else torch.float32
    if on_gpu:
        options["device_map"] = "cuda"
    return options


def four_bit_config() -> BitsAndBytesConfig:
    """NF4 with double quantization, https://arxiv.org/abs/2305.14314; bfloat16 compute where it is fast."""
    compute = torch.bfloat16 if fast_bfloat16() else torch.float32
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )


def fast_bfloat16() -> bool:
    """Whether this machine multiplies bfloat16 matrices in hardware."""
    return torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def family_of(config: PreTrainedConfig) -> Family:
    """Raises BackboneError for an architecture that is none of the three families."""
    if config.is_encoder_decoder:
        return "encoder-decoder"
    kind = config.model_type
    declared = " ".join(config.architectures or ())
    if kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and "CausalLM" not in declared:
        return "encoder"
    if kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return "decoder"
    raise BackboneError(f"Backbones of the architecture '{kind}' are not supported: it is no language model.")


def checksum(backbone_id: str, source: str, config: PreTrainedConfig) -> str:
    """SHA-256 of the embedded GGUF or of a folder's weights; for a Hub id its commit."""
    if backbone_id == EMBEDDED_ID:
        return EMBEDDED_SHA256
    digest = hashlib.sha256()
    for path in sorted(Path(source).glob("*.safetensors")):
        digest.update(bytes.fromhex(embedded.sha256(path)))
    return digest.hexdigest() if Path(source).is_dir() else str(getattr(config, "_commit_hash", ""))
