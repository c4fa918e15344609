from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from playground.adapters.card import card, loading_code
from playground.adapters.record import AdapterRecord
from playground.backbones.catalogue import EMBEDDED_ID

pytestmark = pytest.mark.usefixtures("no_shipped_adapters")

RECORD = AdapterRecord(
    name="reviews",
    task="sentiment",
    shape="classify",
    backbone={"id": EMBEDDED_ID, "checksum": "ab" * 32},
    labels=("negative", "positive"),
    created="2025-01-02T03:04:05+00:00",
    description="Opinions",
    training={
        "data": "reviews.csv",
        "licence": "CC BY 4.0",
        "rows": 4800,
        "seed": 7,
        "wall_time_s": 90.0,
        "command": "python -m playground train sentiment --data reviews.csv",
        "languages": ["no", "pt-BR", "en"],
    },
    metrics={
        "data": "UMSAB development rows",
        "adapter": {
            "metrics": {"macro_f1": 65.04, "accuracy": 66.1},
            "main": "macro_f1",
            "n": 3000,
            "interval": [63, 67],
        },
        "base": {"metrics": {"macro_f1": 31.0}, "main": "macro_f1", "n": 3000, "interval": [29.5, 32.5]},
        "by_language": {"en": {"metrics": {"macro_f1": 70.0}, "main": "macro_f1", "n": 300, "interval": [66, 74]}},
    },
    files={"adapter_config.json": "0" * 64, "adapter_model.safetensors": "1" * 64},
)


def front_matter(text):
    _, matter, body = text.split("---\n", 2)
    return yaml.safe_load(matter), body


def test_the_front_matter_is_what_the_hub_reads():
    matter, _ = front_matter(card(RECORD))
    assert matter == {
        "base_model": "google/gemma-3-270m",
        "base_model_relation": "adapter",
        "library_name": "peft",
        "pipeline_tag": "text-classification",
        "tags": ["lora", "polyglot-playground", "sentiment"],
        "language": ["en", "no", "pt"],
        "metrics": ["accuracy", "f1"],
        "license": "gemma",
    }


@pytest.mark.parametrize(
    ("task", "shape", "tag"),
    [
        ("ner", "tag", "token-classification"),
        ("qa", "span", "question-answering"),
        ("summarize", "generate", "summarization"),
        ("translate", "generate", "translation"),
        ("instruct", "generate", "text-generation"),
    ],
)
def test_each_task_has_its_pipeline_tag(task, shape, tag):
    matter, _ = front_matter(card(replace(RECORD, task=task, shape=shape)))
    assert matter["pipeline_tag"] == tag


def test_the_adapters_figures_stand_beside_the_bases_with_count_and_interval():
    text = card(RECORD)
    assert "| Macro-F1 | 65.0 (63.0 to 67.0) | 31.0 (29.5 to 32.5) |" in text
    assert "| Accuracy | 66.1 | not measured |" in text
    assert "n = 3,000" in text
    assert "| Language | n | This adapter, Macro-F1 (95 % interval) |\n" in text
    assert "| en | 300 | 70.0 (66.0 to 74.0) |\n" in text


def scores_of(value, n):
    return {"metrics": {"macro_f1": value}, "main": "macro_f1", "n": n, "interval": [value, value]}


def test_base_and_trivial_answer_have_columns_of_their_own_where_they_were_measured():
    more = {
        "trivial": scores_of(20.0, 3000),
        "trivial_title": "the commonest | label",
        "base_by_language": {"en": scores_of(40.0, 12)},
        "trivial_by_language": {"en": scores_of(25.0, 300), "fi": scores_of(9.0, 50)},
        "by_language": {**RECORD.metrics["by_language"], "fi": scores_of(60.0, 50)},
    }
    text = card(replace(RECORD, metrics={**RECORD.metrics, **more}))
    assert "| Trivial: the commonest \\| label (n = 3,000) |\n" in text
    assert "| Macro-F1 | 65.0 (63.0 to 67.0) | 31.0 (29.5 to 32.5) | 20.0 (20.0 to 20.0) |" in text
    assert "(95 % interval) | The backbone without it | Trivial |\n" in text
    assert "| en | 300 | 70.0 (66.0 to 74.0) | 40.0 (n = 12) | 25.0 |" in text
    assert "| fi | 50 | 60.0 (60.0 to 60.0) | - | 9.0 |" in text


def test_languages_that_it_was_not_trained_on_are_named():
    assert "never trained on" not in card(RECORD)
    measured = {"pt-BR": scores_of(1.0, 10), "fi": scores_of(1.0, 10)}
    training = {**RECORD.training, "untrained": ["sw"]}
    text = card(replace(RECORD, metrics={**RECORD.metrics, "by_language": measured}, training=training))
    assert "Languages it was never trained on: fi, sw (" in text
    pairs = replace(RECORD, task="translate", metrics={"by_language": {"en-fi": scores_of(1.0, 10)}})
    assert "Languages it was never trained on: fi (" in card(pairs)
    assert "never trained on" not in card(replace(pairs, training={}))  # nobody knows


def test_the_card_says_how_many_rows_were_dropped_as_too_like_the_measured_ones():
    assert "resemble" not in card(RECORD)
    text = card(replace(RECORD, training={**RECORD.training, "duplicates": 12}))
    assert "| Rows dropped because they resemble a row it is measured on | 12 |" in text


def test_the_card_calls_fixes_as_the_page_does_and_one_row_a_row():
    fixes = {"drop-conflicts": 1, "lower-case-labels": 1200, "of-a-later-version": 2}
    text = card(replace(RECORD, training={**RECORD.training, "fixes": fixes}))
    assert "all of them (1 row), Write all labels in small letters (1,200 rows), of-a-later-version (2 rows) |" in text


def test_the_card_tells_how_it_was_made():
    text = card(RECORD)
    for fact in (
        "reviews.csv",
        "CC BY 4.0",
        "| Rows | 4,800 |",
        "| Seed | 7 |",
        "1.5 minutes",
        "python -m playground train",
    ):
        assert fact in text


def test_the_card_names_what_was_calibrated():
    assert "| Calibrated | no answer threshold -1.5 |" in card(replace(RECORD, decision={"no_answer_threshold": -1.5}))
    assert "Calibrated" not in card(RECORD)


def test_gemmas_terms_are_named_for_gemma_only():
    assert "Gemma Terms of Use" in card(RECORD)
    other = card(replace(RECORD, backbone={"id": "Qwen/Qwen3-0.6B", "checksum": ""}))
    assert "Gemma" not in other
    assert "Qwen/Qwen3-0.6B (Apache-2.0)" in other
    assert "license" not in front_matter(other)[0]


def test_a_backbone_in_a_folder_is_not_named_as_a_hub_model():
    matter, _ = front_matter(card(replace(RECORD, backbone={"id": "/home/me/my backbone", "checksum": ""})))
    assert "base_model" not in matter


def test_a_bare_record_gives_a_card_that_claims_nothing():
    bare = replace(RECORD, metrics={}, training={}, description="", created="")
    text = card(bare)
    assert "It has not been measured." in text
    assert "How it was trained" not in text
    assert "language" not in front_matter(text)[0]


def test_texts_of_others_can_not_become_markup():
    evil = "<script>x</script> ![x](http://a/b)\n---\n# Title | ```"
    text = card(replace(RECORD, description=evil, labels=(evil, "b"), training={"data": evil, "command": evil}))
    outside_code = "".join(text.split("````")[::2])
    assert "<script>" not in outside_code
    assert "![x]" not in outside_code
    assert "\n# Title" not in outside_code
    assert front_matter(text)[0]["library_name"] == "peft"


@pytest.fixture
def tiny_folder(tmp_path, tiny_causal) -> Path:
    """The tiny backbone on disk, with a tokenizer of 128 words."""
    folder = tmp_path / "backbone"
    words = [
        "<pad>",
        "</s>",
        "<s>",
        "<unk>",
        *"A The text in any language question with answer document Summary".split(),
    ]
    vocabulary = {word: i for i, word in enumerate(words + [f"w{i}" for i in range(len(words), 128)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>").save_pretrained(folder)
    tiny_causal().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("task", ["sentiment", "ner", "qa", "summarize"])
@pytest.mark.parametrize("attention", ["causal", "bidirectional"])
def test_the_code_on_the_card_runs_and_gives_the_outputs_of_the_trained_adapter(
    save_tiny_adapter, tiny_peft, tiny_folder, monkeypatch, capsys, task, attention
):
    backbone = {"id": str(tiny_folder), "checksum": ""}
    prompt = "{document}\nSummary:" if task == "summarize" else ""
    record = save_tiny_adapter(task, backbone=backbone, prompt=prompt, attention=attention)
    code = loading_code(record)
    assert code in card(record)
    monkeypatch.chdir(record.path.parent)
    names: dict = {}
    exec(code, names)
    assert capsys.readouterr().out.strip()
    trained = tiny_peft(record.shape, len(record.labels) or 3, attention=attention)
    with torch.no_grad():
        expected = trained(**names["inputs"]).logits
        torch.testing.assert_close(names["model"](**names["inputs"]).logits, expected)
    if task == "ner":
        torch.testing.assert_close(names["logits"][-1], expected[0])


def test_a_metric_that_nobody_knows_can_not_become_markup():
    scores = {"metrics": {"<b>x|": 1.0}, "main": "<b>x|", "n": 9, "interval": [0, 2]}
    text = card(replace(RECORD, metrics={"adapter": scores, "by_language": {"en": scores}}))
    assert "<b>" not in text
    assert "This adapter, \\<b\\>x\\| (95 % interval)" in text
