"""Only upper blocks learn: those below run once a row, and nothing else changes."""

import json
from dataclasses import replace

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from playground.adapters.record import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE
from playground.errors import InputError
from playground.training import lower as lower_module
from playground.training import trainee as trainee_module
from playground.training.config import RunConfig
from playground.training.continuing import with_settings_of
from playground.training.features import Feature
from playground.training.finetune import finetune
from playground.training.lower import blocks_of
from playground.training.trainee import build_trainee, collate

ROWS = [Feature([2, 40 + n, *range(50, 50 + n % 5)], [n % 2]) for n in range(8)]


@pytest.fixture(autouse=True)
def full_precision(monkeypatch):
    """The backbone in fp32, also where the processor has bfloat16, to compare figures."""
    monkeypatch.setattr(trainee_module, "fast_bfloat16", lambda: False)


@pytest.fixture
def build(tiny_backbone_folder):
    """``build(upper_share)``: a trainee whose LoRA already changes the output."""

    def made(upper_share=0.5):
        folder = str(tiny_backbone_folder)
        config = RunConfig(task="classify", data="", name="x", backbone=folder, upper_share=upper_share)
        trainee = build_trainee(config, "classify", folder, 2)
        with torch.no_grad():
            for name, weight in trainee.named_parameters():
                if "lora_B" in name:
                    weight.normal_(0, 0.1)
        return trainee.train()

    return made


def passes_of_lowest(trainee):
    """Grows with each pass through the lowest block."""
    seen = []
    lowest = blocks_of(trainee.model.get_base_model())[0]
    lowest.mlp.register_forward_hook(lambda _block, given, _output: seen.append(given[0].shape))
    return seen


def loss_and_gradients(trainee, rows):
    trainee.zero_grad()
    loss = trainee(**collate(rows, 0))
    loss.backward()
    return [loss.detach(), *(weight.grad for weight in trainee.parameters() if weight.requires_grad)]


def test_a_second_pass_skips_the_lower_blocks_and_gives_the_same_loss_and_gradients(build):
    trainee = build()
    seen = passes_of_lowest(trainee)
    first = loss_and_gradients(trainee, ROWS)
    assert len(seen) == 1
    torch.testing.assert_close(loss_and_gradients(trainee, ROWS), first)
    assert len(seen) == 1
    trainee.lower.forget()
    torch.testing.assert_close(loss_and_gradients(trainee, ROWS), first)
    assert len(seen) == 2


def test_rows_are_known_in_whatever_batch_they_come(build):
    trainee = build()
    loss_and_gradients(trainee, ROWS[:4])
    loss_and_gradients(trainee, ROWS[4:])
    seen = passes_of_lowest(trainee)
    mixed = loss_and_gradients(trainee, [*ROWS[2:7], Feature([*ROWS[0].input_ids], [1])])
    assert not seen
    trainee.lower.forget()
    torch.testing.assert_close(
        loss_and_gradients(trainee, [*ROWS[2:7], Feature(ROWS[0].input_ids, [1])]), mixed, atol=1e-5, rtol=1e-4
    )


def test_rows_beyond_the_memory_pass_each_time(build, monkeypatch):
    a_row = len(ROWS[0].input_ids) * 32 * 4
    monkeypatch.setattr(lower_module, "MOST_BYTES", a_row + 4)
    trainee = build()
    seen = passes_of_lowest(trainee)
    for _ in range(2):
        loss_and_gradients(trainee, ROWS)
    assert len(seen) == 2
    assert trainee.lower.size_bytes == a_row
    loss_and_gradients(trainee, ROWS[:1])
    assert len(seen) == 2
    assert trainee.lower.bytes_for(ROWS) == a_row + 4


def test_the_memory_for_all_rows_is_reckoned_from_some(build):
    trainee = build()
    loss_and_gradients(trainee, ROWS[:3])
    reckoned = trainee.lower.bytes_for(ROWS)
    loss_and_gradients(trainee, ROWS)
    assert trainee.lower.size_bytes == reckoned


def test_only_upper_blocks_get_an_adapter_and_where_all_do_nothing_is_kept(build):
    learnt = {name for name, weight in build().named_parameters() if "lora_" in name and weight.requires_grad}
    assert learnt
    assert all(".layers.1." in name for name in learnt)
    assert build(upper_share=1.0).lower is None
    assert build(upper_share=0.01).lower is not None


def test_the_turbo_preset_makes_an_adapter_that_says_which_layers_learnt_and_that_plain_peft_loads(
    make_run_config, tiny_classifier
):
    config = replace(make_run_config(epochs=4.0, learning_rate=1e-2), preset="turbo", upper_share=0.5)
    losses = []
    record = finetune(config, lambda event: losses.append(event["loss"]) if event["event"] == "step" else None, str)
    assert losses[-1] < losses[0]
    assert json.loads((record.path / CONFIG_FILE).read_text())["layers_to_transform"] == [1]
    assert record.training["upper_share"] == 0.5
    assert "the upper 50%" in (record.path / CARD_FILE).read_text().replace("\\", "")
    tensors = load_file(record.path / WEIGHTS_FILE)
    assert all(".layers.1." in name for name in tensors if "lora_" in name)
    loaded = PeftModel.from_pretrained(tiny_classifier(2), record.path)
    found = {name: weight for name, weight in loaded.named_parameters() if "lora_B" in name}
    assert len(found) == sum("lora_B" in name for name in tensors)
    assert all(weight.abs().max() > 0 for weight in found.values())


def test_a_training_that_goes_on_adapts_the_layers_that_its_parent_has(make_run_config, no_shipped_adapters):
    parent = finetune(make_run_config("lamps", upper_share=0.5), lambda event: None, str)
    assert with_settings_of(parent, make_run_config("more")).upper_share == 0.5
    more = finetune(make_run_config("more", parent="lamps", epochs=0.5), lambda event: None, str)
    assert more.training["upper_share"] == 0.5
    odd = replace(parent, training={**parent.training, "upper_share": 7.0})
    with pytest.raises(InputError, match=r"upper_share.* must be a number from 0\.01 to 1, not '7\.0'"):
        with_settings_of(odd, make_run_config("more"))
