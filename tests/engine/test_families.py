"""Backbones of other families: an encoder, a decoder with Conv1D layers, an encoder with a decoder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from playground.adapters import store
from playground.backbones.loading import load
from playground.engine.engine import Engine
from playground.engine.predict import predict_many, predict_stream
from playground.errors import BackboneError
from playground.tasks import get_task
from playground.training.config import make_config
from playground.training.finetune import finetune

SIZES = {"vocab_size": 260, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}


@pytest.fixture(scope="module")
def save_backbone(tiny_backbone_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """``save_backbone(model)``: its folder, with the tokenizer of single bytes."""

    def save(model: Any) -> str:
        from transformers import AutoTokenizer

        folder = tmp_path_factory.mktemp("family") / type(model).__name__.lower()
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(tiny_backbone_folder).save_pretrained(folder)
        return str(folder)

    return save


@pytest.fixture(scope="module")
def encoder(save_backbone):
    from transformers import BertConfig, BertForMaskedLM

    torch.manual_seed(0)
    config = BertConfig(
        **SIZES, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64, initializer_range=0.2,
    )  # fmt: skip
    return save_backbone(BertForMaskedLM(config))


@pytest.fixture(scope="module")
def gpt2(save_backbone):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(**SIZES, n_embd=32, n_layer=2, n_head=2, n_positions=512, initializer_range=0.2)
    return save_backbone(GPT2LMHeadModel(config))


@pytest.fixture(scope="module")
def both(save_backbone):
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(0)
    config = T5Config(vocab_size=260, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, decoder_start_token_id=0)
    return save_backbone(T5ForConditionalGeneration(config))


@pytest.fixture
def engine_of():
    engines = []

    def start(folder):
        engines.append(Engine(load(folder, "none", lambda fraction, message: None)))
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()


REVIEWS = [
    ("a good one", "+"),
    ("really good", "+"),
    ("good and nice", "+"),
    ("bad", "-"),
    ("so bad", "-"),
    ("bad and sad", "-"),
]


def trained(task, rows, backbone, tmp_path, **options):
    import json

    data, held_out = tmp_path / "rows.jsonl", tmp_path / "held out.jsonl"
    field = get_task(task).inputs[0].name
    others = [{**row, field: row[field] + " indeed"} for row in rows[:4]]
    for path, written in ((data, rows), (held_out, others)):
        path.write_text("".join(json.dumps(row) + "\n" for row in written), encoding="utf-8")
    short = {"epochs": 6.0, "max_length": 48, "evaluation_rows": 2, "learning_rate": 1e-2, "batch_size": 4}
    losses = []
    config = make_config(task, data, "mine", "quick", backbone, validation=str(held_out), **short | options)
    finetune(config, lambda event: losses.append(event["loss"]) if event["event"] == "step" else None, lambda: "")
    return store.find(task, "mine"), losses


@pytest.mark.parametrize("upper_share", [1.0, 0.5])
@pytest.mark.parametrize("family", ["encoder", "gpt2"])
def test_other_families_learn_to_classify(family, upper_share, request, engine_of, tmp_path):
    folder = request.getfixturevalue(family)
    rows = [{"text": text, "label": label} for text, label in REVIEWS * 4]
    record, losses = trained("classify", rows, folder, tmp_path, upper_share=upper_share)
    assert sum(losses[-3:]) < sum(losses[:3]) / 2
    engine = engine_of(folder)
    found = [
        p for _, p in predict_many(engine, get_task("classify"), [{"text": t} for t, _ in REVIEWS], record) if p.done
    ]
    assert [prediction.row["label"] for prediction in found] == [label for _, label in REVIEWS]


def test_an_encoder_learns_to_tag_and_reads_texts_longer_than_its_positions(encoder, engine_of, tmp_path):
    rows = [
        {"text": f"{word} Bob {word}.", "entities": [{"start": len(word) + 1, "end": len(word) + 4, "label": "PER"}]}
        for word in "see hear meet know call find".split() * 4
    ]
    record, losses = trained("ner", rows, encoder, tmp_path, epochs=15.0)
    assert losses[-1] < losses[0] / 2
    text = "see Bob. " * 30
    (final,) = [p for p in predict_stream(engine_of(encoder), get_task("ner"), {"text": text}, record) if p.done]
    names = [text[one["start"] : one["end"]] for one in final.row["entities"]]
    assert names.count("Bob") > 5
    assert final.row["entities"][-1]["end"] > len(text) - 40


@pytest.mark.parametrize("options", [{}, {"use_dora": True, "use_rslora": True, "weight_decay": 0.3}])
def test_an_encoders_logits_equal_plain_pefts(options, encoder, engine_of, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForTokenClassification

    from playground.engine.requests import EncodeRow

    rows = [{"text": text, "label": label} for text, label in REVIEWS * 4]
    record, _ = trained("classify", rows, encoder, tmp_path, epochs=1.0, **options)
    base = AutoModelForTokenClassification.from_pretrained(encoder, num_labels=2)
    plain = PeftModel.from_pretrained(base, record.path).eval()
    ids = [2, 70, 71, 90, 12]
    with torch.no_grad():
        expected = plain(input_ids=torch.tensor([ids])).logits[0].numpy()
    engine = engine_of(encoder)
    loaded = engine.adapter(record)
    ticket = engine.encode([EncodeRow(ids, loaded, "causal", pooled) for pooled in (True, False)])
    ticket.wait()
    np.testing.assert_allclose(ticket.logits[0], expected[0], atol=1e-4)
    np.testing.assert_allclose(ticket.logits[1], expected, atol=1e-4)


def test_gpt2_writes_what_transformers_writes(gpt2, engine_of):
    from transformers import AutoModelForCausalLM

    from playground.engine.requests import Decoding

    prompts = [[2, 70, 71], [2, 90, 12, 30, 31, 32]]
    plain = AutoModelForCausalLM.from_pretrained(gpt2).eval()
    ticket = engine_of(gpt2).generate([(ids, None) for ids in prompts], Decoding(max_new_tokens=10))
    ticket.wait()
    for ids, row in zip(prompts, ticket.decode_rows, strict=True):
        mask = torch.ones(1, len(ids), dtype=torch.long)
        found = plain.generate(torch.tensor([ids]), attention_mask=mask, max_new_tokens=10, do_sample=False)
        assert row.output_ids == [i for i in found[0, len(ids) :].tolist() if i != 1]


@pytest.mark.parametrize("use_dora", [False, True])
def test_gpt2_with_an_adapter_writes_what_peft_writes(use_dora, gpt2, engine_of, tmp_path):
    import peft
    from transformers import AutoModelForCausalLM

    from playground.adapters.record import AdapterRecord, hash_files
    from playground.engine.requests import Decoding

    plain = AutoModelForCausalLM.from_pretrained(gpt2).eval()
    options = {"target_modules": ["c_attn", "c_proj", "c_fc"], "fan_in_fan_out": True, "use_dora": use_dora}
    lora = peft.LoraConfig(task_type="CAUSAL_LM", **options)
    adapted = peft.get_peft_model(plain, lora)
    torch.manual_seed(1)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, 0, 0.5)
    adapted.save_pretrained(tmp_path)
    engine, ids = engine_of(gpt2), [2, 70, 71, 72]
    made_for = {"id": gpt2, "checksum": engine.backbone.checksum}
    record = AdapterRecord("mine", "instruct", "generate", made_for, files=hash_files(tmp_path), path=tmp_path)
    ticket = engine.generate([(ids, engine.adapter(record)), (ids, None)], Decoding(max_new_tokens=10))
    ticket.wait()
    mask = torch.ones(1, len(ids), dtype=torch.long)
    found = adapted.generate(input_ids=torch.tensor([ids]), attention_mask=mask, max_new_tokens=10, do_sample=False)
    with_adapter, without = (row.output_ids for row in ticket.decode_rows)
    assert with_adapter == [i for i in found[0, len(ids) :].tolist() if i != 1] != without


def test_an_encoder_says_that_it_cannot_write(encoder, engine_of, tmp_path):
    engine = engine_of(encoder)
    assert (engine.backbone.family, engine.backbone.can_encode, engine.backbone.can_generate) == (
        "encoder",
        True,
        False,
    )
    with pytest.raises(BackboneError, match="can't write"):
        list(predict_stream(engine, get_task("summarize"), {"document": "a"}, None))
    rows = [{"prompt": "a", "completion": "b"}] * 8
    with pytest.raises(BackboneError, match=r"encoder.*can't be trained for generate"):
        trained("instruct", rows, encoder, tmp_path)


def test_an_encoder_with_a_decoder_says_what_it_cannot_do(both, engine_of, tmp_path):
    engine = engine_of(both)
    assert engine.backbone.family == "encoder-decoder"
    for task, row in (("sentiment", {"text": "a"}), ("summarize", {"document": "a"})):
        with pytest.raises(BackboneError, match=r"can't write|no head"):
            list(predict_stream(engine, get_task(task), row, None))
    with pytest.raises(BackboneError, match="can't classify"):
        engine.encode([])
    with pytest.raises(BackboneError, match=r"encoder-decoder.*can't be trained for classify"):
        trained("classify", [{"text": t, "label": la} for t, la in REVIEWS], both, tmp_path)
