"""What a run would take: reckoned before it, offered in smaller settings where it can't fit."""

import json

import pytest

from playground.backbones.loading import load_tokenizer
from playground.cli import main
from playground.errors import PlaygroundError
from playground.tasks import get_task
from playground.training import memory
from playground.training.estimate import Estimate, estimate, fits
from playground.training.features import build_features, head_labels
from playground.training.finetune import finetune
from playground.training.material import read_material
from playground.training.room import Room, measure_room
from playground.training.trainee import build_trainee

GB = 2**30


@pytest.fixture
def room():
    """Of a backbone with 1 GB in which a token costs 1 MB and the longest of 8 rows has 512."""
    return Room(base_bytes=GB, bytes_a_token=2**20, longest=512, rows=8, linear_weights=2**27)


def test_the_command_line_only_says_what_a_process_of_its_own_has_tried_out(make_run_config, reviews, capsys):
    backbone = make_run_config().backbone
    own = ["--data", str(reviews), "--name", "lamps", "--backbone", backbone]
    main(["train", "classify", *own, "--epochs", "2", "--batch-size", "4", "--estimate", "--json"])
    found = Estimate(**json.loads(capsys.readouterr().out))
    assert found.steps == 18  # 36 rows to learn from, twice, four at a time
    assert found.fits
    assert found.offer is None
    assert found.training_s > 0
    assert found.measuring_s > 0
    assert 0 < found.peak_bytes < found.free_bytes
    assert not found.may_stop_early  # there are too few rows to hold some back
    assert "(18 steps)" in found.in_words()


def test_all_that_takes_time_is_named_and_what_may_take_less():
    found = Estimate(76, 20.0, 84.0, 120.0, GB, 8 * GB, masking_s=30.0, may_stop_early=True)
    assert found.in_words().startswith(
        "This run takes about 4 min: 20 s to load, 30 s to mask names, 84 s to train (76 steps, fewer if it stops "
        "early), 2 min to measure."
    )


def test_rows_that_can_not_be_used_are_said_not_raised_as_a_trace(make_run_config, reviews, without_fresh_process):
    reviews.write_text("text,label\nonly one,row\n")
    with pytest.raises(PlaygroundError, match="My reviews"):
        estimate(make_run_config())


def test_less_memory_is_found_by_fewer_rows_then_by_4_bit_then_by_shorter_rows(room, make_run_config):
    config = make_run_config(max_length=512)
    assert room.needed_bytes == 5 * GB
    assert room.offer(config, 6 * GB) is None
    assert room.offer(config, 4 * GB) == {"rows_a_pass": 4}
    assert room.offer(config, 1.7 * GB) == {"rows_a_pass": 1}
    assert room.offer(config, 1.3 * GB) == {"rows_a_pass": 1, "quantization": "4-bit"}
    assert room.offer(make_run_config(max_length=512, quantization="4-bit"), 1.3 * GB) == (
        {"rows_a_pass": 1, "max_length": 128}
    )
    assert room.offer(config, 0.1 * GB) is None


def test_a_run_that_can_not_fit_is_not_started_but_told_what_would(make_run_config, monkeypatch):
    events = []
    config = make_run_config(task="classify", batch_size=8)
    used = memory.used_bytes()
    monkeypatch.setattr(memory, "free_bytes", lambda: 0)
    monkeypatch.setattr(memory, "used_bytes", lambda: used)
    with pytest.raises(PlaygroundError, match=r"needs about .* but only .* are free"):
        finetune(config, events.append, lambda: "")
    assert not [event for event in events if event["event"] == "step"]


def test_looking_for_room_teaches_nothing(make_run_config):
    config = make_run_config()
    task = get_task("classify")
    rows = read_material(config, task).training
    tokenizer = load_tokenizer(config.backbone)
    labels = head_labels(task, rows)
    features = build_features(task, rows, tokenizer, labels, 32, 0).features
    trainee = build_trainee(config, task.shape, config.backbone, len(labels))
    before = {name: weight.detach().clone() for name, weight in trainee.named_parameters()}
    found = measure_room(trainee, features, config, 0)
    assert found.longest >= max(len(feature.input_ids) for feature in features)
    for name, weight in trainee.named_parameters():
        assert weight.equal(before[name])
        assert weight.grad is None


def test_some_memory_is_left_to_others():
    assert fits(90, 100)
    assert not fits(99, 100)


def test_words_about_what_can_not_fit_at_all():
    found = Estimate(9, 1.0, 0.0, 0.0, 3 * GB, GB)
    assert "smaller settings do not help" in found.in_words()
