"""Fixtures for all tests: a home of their own, and a tiny seeded random backbone with real PEFT adapters on it."""

import importlib
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from playground import settings
from playground.adapters import store
from playground.adapters.record import AdapterRecord, hash_files, read_record, write_record
from playground.adapters.store import new_folder

TINY_SIZES = {
    "vocab_size": 260,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 8192,
    "sliding_window": 32,
    "layer_types": ["sliding_attention", "full_attention"],
    "initializer_range": 0.2,
    "tie_word_embeddings": False,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "bos_token_id": 2,
}
TINY_BACKBONE = {"id": "tiny", "checksum": "0" * 64}
SHAPES = {"sentiment": "classify", "classify": "classify", "ner": "tag", "qa": "span"}
LABELS = {
    "classify": ("negative", "neutral", "positive"),
    "tag": ("O", "B-PER", "I-PER"),
    "span": ("start", "end"),
    "generate": (),
}


@pytest.fixture(autouse=True)
def playground_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the person's own folder; the converted backbone, which takes a minute to make, is shared."""
    backbones = settings.backbone_cache()
    home = tmp_path / "home"
    monkeypatch.setenv("PLAYGROUND_BACKBONES", str(backbones))
    monkeypatch.setenv("PLAYGROUND_HOME", str(home))
    monkeypatch.setenv("PLAYGROUND_RELOAD", "0")  # it takes seconds; the tests of it switch it on
    return home


@pytest.fixture
def no_shipped_adapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of shipped adapters, empty."""
    folder = tmp_path / "repository" / "adapters"
    folder.mkdir(parents=True)
    monkeypatch.setattr(settings, "REPOSITORY", folder.parent)
    return folder


@pytest.fixture
def pretend_stored(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[AdapterRecord]], None]:
    """``pretend_stored(records)``: the store has these instead of what is on the disk; the list may change."""

    def pretend(records: list[AdapterRecord]) -> None:
        def of(origin: str, task: str | None) -> list[AdapterRecord]:
            return [record for record in records if record.origin == origin and task in (None, record.task)]

        def look_up(origin: str, task: str, name: str) -> AdapterRecord | None:
            return next((record for record in of(origin, task) if record.name == name), None)

        monkeypatch.setattr(store, "_records", of)
        monkeypatch.setattr(store, "_look_up", look_up)

    return pretend


@pytest.fixture
def without_fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of ours that would run in a fresh process does the same in this one.

    It spares the seconds in which Python imports torch, in tests of what is made of an answer; that a fresh process
    gives one is shown by others.
    """

    def run(command: list[str], *, text: bool = False, **_: Any) -> subprocess.CompletedProcess[Any]:
        assert command[:2] == [sys.executable, "-m"]
        with redirect_stdout(io.StringIO()) as said:
            code = importlib.import_module(command[2]).main(command[3:])
        output, nothing = (said.getvalue(), "") if text else (said.getvalue().encode(), b"")
        return subprocess.CompletedProcess(command, code, output, nothing)

    monkeypatch.setattr(subprocess, "run", run)


@pytest.fixture(scope="session")
def tiny_causal() -> Callable[..., Any]:
    """``tiny_causal(seed=0, **config)``: a Gemma 3 language model of 2 layers, hidden size 32 and 260 tokens."""

    def build(seed: int = 0, **config: Any) -> Any:
        import torch
        from transformers import Gemma3ForCausalLM, Gemma3TextConfig

        torch.manual_seed(seed)
        return Gemma3ForCausalLM(_switched(Gemma3TextConfig(**TINY_SIZES), config)).eval()

    return build


@pytest.fixture(scope="session")
def tiny_classifier() -> Callable[..., Any]:
    """``tiny_classifier(num_labels=3, seed=0, **config)``: the same backbone with a linear head."""

    def build(num_labels: int = 3, seed: int = 0, **config: Any) -> Any:
        import torch
        from transformers import Gemma3TextConfig, Gemma3TextForSequenceClassification

        torch.manual_seed(seed)
        sizes = Gemma3TextConfig(**TINY_SIZES, num_labels=num_labels)
        return Gemma3TextForSequenceClassification(_switched(sizes, config)).eval()

    return build


def _switched(config: Any, options: dict[str, Any]) -> Any:
    """`config` with `options` as ``from_pretrained`` sets them: after it was read, not while it is made."""
    for name, value in options.items():
        setattr(config, name, value)
    return config


@pytest.fixture(scope="session")
def tiny_backbone_folder(tiny_causal: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that serves as backbone id: the tiny language model with a tokenizer of single bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate([*special, *alphabet])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    folder = tmp_path_factory.mktemp("backbone") / "tiny"
    tiny_causal().save_pretrained(folder)
    names = dict(zip(("pad_token", "eos_token", "bos_token", "unk_token"), special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_backbone(tiny_causal: Callable[..., Any], tiny_backbone_folder: Path) -> Callable[..., Any]:
    """``tiny_backbone(**fields)``: the tiny language model as the backbone that the tiny adapters were made for."""

    def build(**fields: Any) -> Any:
        from playground.backbones.loading import Backbone, load_tokenizer

        known = {
            "id": TINY_BACKBONE["id"],
            "title": "Tiny",
            "checksum": TINY_BACKBONE["checksum"],
            "family": "decoder",
            "quantization": "none",
            "source": str(tiny_backbone_folder),
        }
        model = fields.pop("model", None) or tiny_causal()
        return Backbone(**known | fields, model=model, tokenizer=load_tokenizer(str(tiny_backbone_folder)))

    return build


@pytest.fixture(scope="session")
def tiny_engine(tiny_backbone: Callable[..., Any]) -> Iterator[Any]:
    from playground.engine.engine import Engine

    engine = Engine(tiny_backbone())
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def tiny_peft(tiny_causal: Callable[..., Any], tiny_classifier: Callable[..., Any]) -> Callable[..., Any]:
    """``tiny_peft(shape="classify", num_labels=3, seed=0, attention="causal", **lora)``: a PEFT model whose LoRA
    already changes the output.
    """

    def build(
        shape: str = "classify", num_labels: int = 3, seed: int = 0, attention: str = "causal", **lora: Any
    ) -> Any:
        import peft
        import torch

        config = {"use_bidirectional_attention": attention == "bidirectional"}
        if shape == "generate":
            model, task_type = tiny_causal(**config), "CAUSAL_LM"
        else:
            model, task_type = tiny_classifier(num_labels, **config), "SEQ_CLS"
        torch.manual_seed(seed + 1)
        options = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"} | lora
        adapted = peft.get_peft_model(model, peft.LoraConfig(task_type=task_type, **options))
        with torch.no_grad():
            for name, parameter in adapted.named_parameters():
                if "lora_B" in name or "modules_to_save" in name:
                    parameter.normal_(0, 0.1)
        return adapted.eval()

    return build


@pytest.fixture
def save_tiny_adapter(tiny_peft: Callable[..., Any]) -> Callable[..., AdapterRecord]:
    """``save_tiny_adapter(task="sentiment", name="tiny", seed=0, lora={}, folder=None, **record_fields)``.

    Saves an adapter as PEFT does, installed among the person's own ones, or in `folder` without any check.
    """

    def save(
        task: str = "sentiment",
        name: str = "tiny",
        *,
        seed: int = 0,
        lora: dict[str, Any] | None = None,
        folder: Path | None = None,
        **record_fields: Any,
    ) -> AdapterRecord:
        shape = SHAPES.get(task, "generate")
        known = {"name": name, "task": task, "shape": shape, "backbone": TINY_BACKBONE, "labels": LABELS[shape]}
        record = AdapterRecord(**known | record_fields)
        adapted = tiny_peft(shape, len(LABELS[shape]) or 3, seed, record.attention, **lora or {})
        if folder is not None:
            return _write_adapter(adapted, record, folder)
        with new_folder(task, name) as fresh:
            _write_adapter(adapted, record, fresh)
        return read_record(settings.own_adapters() / task / name, "own")

    return save


@pytest.fixture
def make_name_adapter(save_tiny_adapter: Callable[..., AdapterRecord]) -> Callable[[str], AdapterRecord]:
    """``make_name_adapter(folder)``: an untrained adapter for names of persons on the backbone in that folder."""

    def make(folder: str) -> AdapterRecord:
        from playground.backbones.loading import checksum, read_config

        backbone = {"id": folder, "checksum": checksum(folder, folder, read_config(folder))}
        return save_tiny_adapter("ner", backbone=backbone)

    return make


def _write_adapter(adapted: Any, record: AdapterRecord, folder: Path) -> AdapterRecord:
    from dataclasses import replace

    adapted.save_pretrained(folder)
    write_record(replace(record, files=hash_files(folder)), folder)
    return read_record(folder, "own")
