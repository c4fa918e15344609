"""Continued pretraining on the bare texts of the rows."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

from playground.errors import InputError, Paused
from playground.tasks import get_task
from playground.training.features import IGNORED
from playground.training.finetune import finetune
from playground.training.loop import train
from playground.training.pretraining import pretraining_of, text_features
from playground.training.run_files import READING_TEXTS, TRAINING
from playground.training.trainee import build_trainee

ROWS = [{"text": f"the splendid lamp number {n} burns well", "label": "good"} for n in range(12)]


@pytest.fixture(scope="module")
def tokenizer(tiny_backbone_folder):
    return PreTrainedTokenizerFast.from_pretrained(tiny_backbone_folder)


def never():
    return ""


@pytest.mark.parametrize("attention", ["causal", "bidirectional"])
def test_each_text_is_read_once_with_next_or_masked_tokens(make_run_config, tokenizer, attention):
    config = make_run_config(attention=attention, pretrain_epochs=1.0)
    rows = [*ROWS, ROWS[0], {"text": "hm", "label": "good"}]
    features = text_features(get_task("classify"), rows, tokenizer, config)
    assert len(features) == 12
    for feature in features:
        hidden = [place for place, label in enumerate(feature.labels) if label != IGNORED]
        shown = [place for place in range(len(feature.labels)) if place not in hidden]
        if attention == "causal":
            assert feature.labels == [IGNORED, *feature.input_ids[1:]]
        else:
            assert 1 <= len(hidden) <= len(feature.labels) / 4
            assert all(feature.input_ids[place] != feature.labels[place] for place in hidden)
            assert shown


@pytest.mark.parametrize("attention", ["causal", "bidirectional"])
def test_reading_lowers_its_loss_and_leaves_the_head_alone(make_run_config, tokenizer, attention):
    config = make_run_config(attention=attention, pretrain_epochs=30.0, learning_rate=1e-2)
    trainee = build_trainee(config, "classify", config.backbone, 2)
    head = trainee.model.get_base_model().score.modules_to_save["default"].weight.detach().clone()
    stage = pretraining_of(config)
    features = text_features(get_task("classify"), ROWS, tokenizer, stage)
    losses = []
    with trainee.reading(attention):
        trainee.prepare(features)
        train(trainee, features, stage, 0, lambda step: losses.append(step.loss), lambda: False)
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])
    assert trainee.model.get_base_model().score.modules_to_save["default"].weight.equal(head)
    assert all(weight.requires_grad for name, weight in trainee.named_parameters() if "lora_" in name)
    assert trainee.objective == "task"


def test_a_run_reads_first_and_can_be_paused_while_it_does(make_run_config, tmp_path):
    config = make_run_config(pretrain_epochs=2.0, epochs=1.0, seed=3)
    events = []
    whole = finetune(config, events.append, never)
    phases = [event["message"] for event in events if event["event"] == "phase"]
    assert READING_TEXTS in phases
    assert phases[phases.index(READING_TEXTS) + 1] == TRAINING
    steps = []

    def wish():
        return "pause" if len(steps) == 2 else ""

    def note(event):
        steps.extend([event] if event["event"] == "step" else [])

    paused = make_run_config("again", pretrain_epochs=2.0, epochs=1.0, seed=3)
    with pytest.raises(Paused):
        finetune(paused, note, wish, tmp_path / "state")
    again = finetune(paused, lambda event: None, never, tmp_path / "state")
    first, second = (load_file(record.path / "adapter_model.safetensors") for record in (whole, again))
    for name, weight in first.items():
        torch.testing.assert_close(second[name], weight)
    assert "--pretrain-epochs 2.0" in whole.training["command"]


def test_the_time_budget_holds_for_reading_and_learning_together(make_run_config):
    events = []
    config = make_run_config(pretrain_epochs=100.0, epochs=200.0, batch_size=1, time_limit_s=6.0)
    record = finetune(config, events.append, never)
    steps = [event for event in events if event["event"] == "step"]
    reading = [event["elapsed_s"] for event in steps if not event["steps_before"]]
    assert 2 <= reading[-1] < 4.5
    assert reading[-1] + record.training["wall_time_s"] < 8.5
    assert record.training["wall_time_s"] > 2
    assert steps[-1]["learning_rate"] < 0.2 * max(event["learning_rate"] for event in steps)


def test_encoders_are_refused_in_words(make_run_config):
    config = make_run_config()
    trainee = build_trainee(config, "classify", config.backbone, 2)
    trainee.family = "encoder"
    with pytest.raises(InputError, match="pretrain_epochs"), trainee.reading("causal"):
        pass
