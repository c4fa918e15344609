import errno
import json
import math

import pytest
import torch
from bitsandbytes.optim import PagedAdamW8bit
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.optim import AdamW

from playground.errors import DataError, InputError
from playground.training.checkpoint import INDEX_FILE, UNFINISHED_FOLDER, Checkpoint, Position, remove

MIN_8_BIT = 4096
"""Smaller weights have moments in 32 bits."""
SETTINGS = {"rank": 8, "data": "räder.csv", "columns": {"text": "Text"}}


def a_model(num_steps=0, seed=0, adamw=AdamW, width=4):
    """A model of one trained and one frozen layer, and its optimizer after some steps."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, width), nn.Dropout(0.5), nn.Linear(width, 1)).requires_grad_(False)
    model[2].requires_grad_(True)
    optimizer = adamw(model[2].parameters(), lr=0.1)
    learn(model, optimizer, num_steps)
    return model, optimizer


def learn(model, optimizer, num_steps):
    for _ in range(num_steps):
        model(torch.ones(2, 3)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(tmp_path / "state", SETTINGS)


@pytest.fixture
def saved(checkpoint):
    checkpoint.save(*a_model(3), Position(3, 60, 1.5))
    return checkpoint


def test_without_a_state_the_run_begins(checkpoint):
    assert checkpoint.load(*a_model()) == Position()


@pytest.mark.filterwarnings("ignore:Paged optimizers")
@pytest.mark.parametrize("options", [{}, {"adamw": PagedAdamW8bit, "width": MIN_8_BIT}])
def test_going_on_gives_the_weights_of_a_run_without_a_break(checkpoint, options):
    checkpoint.save(*a_model(3, **options), Position(3, 60, 1.5))
    torch.manual_seed(99)
    model, optimizer = a_model(seed=7, **options)
    for layer, same in zip(model, a_model(**options)[0], strict=True):
        layer.load_state_dict(same.state_dict())  # a run's frozen weights come from the backbone
    assert checkpoint.load(model, optimizer) == Position(3, 60, 1.5)
    learn(model, optimizer, 4)
    whole, _ = a_model(7, **options)
    assert torch.equal(model[2].weight, whole[2].weight)
    assert torch.equal(model[2].bias, whole[2].bias)


def test_weights_that_lie_in_another_order_are_kept_too(checkpoint):
    model, optimizer = a_model(3)
    model[2].weight.data = model[2].weight.data.expand(2, -1).clone().T
    checkpoint.save(model, optimizer, Position(3, 60, 1.5))
    assert torch.equal(load_file(checkpoint.folder / "step-3.safetensors")["weight/2.weight"], model[2].weight)


def test_only_the_newest_state_stays_and_nothing_after_the_end(saved):
    saved.save(*a_model(5), Position(5, 100, 2.0))
    assert sorted(path.name for path in saved.folder.iterdir()) == [INDEX_FILE, "step-5.safetensors"]
    assert saved.load(*a_model()).steps == 5
    remove(saved.folder)
    assert not list(saved.folder.iterdir())


def test_a_break_while_writing_leaves_the_state_before(saved, monkeypatch):
    monkeypatch.setattr("playground.training.checkpoint.sha256", lambda path: math.nan / 0)
    with pytest.raises(ZeroDivisionError):
        saved.save(*a_model(5), Position(5, 100, 2.0))
    monkeypatch.undo()
    assert saved.load(*a_model()).steps == 3


def test_a_full_disk_is_told_as_one_and_leaves_the_state_before(saved, monkeypatch):
    def on_a_full_disk(tensors, path):
        path.write_bytes(b"half")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("playground.training.checkpoint.save_file", on_a_full_disk)
    for steps in (3, 5):  # also one that would take the place of the state that is there
        with pytest.raises(OSError, match="No space left") as caught:
            saved.save(*a_model(steps), Position(steps, 100, 2.0))
        assert caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert saved.load(*a_model()).steps == 3
    saved.save(*a_model(5), Position(5, 100, 2.0))
    assert sorted(path.name for path in saved.folder.iterdir()) == [INDEX_FILE, "step-5.safetensors"]


def test_what_a_killed_process_left_half_written_goes_with_the_state(tmp_path):
    part = Checkpoint(tmp_path / "part-0", SETTINGS)
    part.save(*a_model(3), Position(3, 60, 1.5))
    left = part.folder / UNFINISHED_FOLDER / ".tmpAbc"
    left.parent.mkdir()
    left.write_bytes(b"half")
    part.save(*a_model(5), Position(5, 100, 2.0))
    assert not left.exists()
    left.parent.mkdir()
    left.write_bytes(b"half")
    (tmp_path / "part-1.csv").write_text("somebody's own", encoding="utf-8")
    remove(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["part-1.csv"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"rank": 16}, "rank = 8, not 16"), ({"columns": {}}, "columns"), ({"seed": 1}, "seed = None, not 1")],
)
def test_the_state_of_a_run_with_other_settings_is_refused(saved, changed, says):
    with pytest.raises(InputError, match=says):
        Checkpoint(saved.folder, SETTINGS | changed).load(*a_model())


@pytest.mark.parametrize("damage", [lambda data: data[:-7], lambda data: b"x" + data[1:], lambda data: b""])
def test_damaged_tensors_are_refused(saved, damage):
    path = saved.folder / "step-3.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"checksum of step-3\.safetensors"):
        saved.load(*a_model())


def test_missing_tensors_and_a_broken_index_are_refused(saved):
    (saved.folder / "step-3.safetensors").unlink()
    with pytest.raises(DataError, match="can't be read"):
        saved.load(*a_model())
    (saved.folder / INDEX_FILE).write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="no JSON"):
        saved.load(*a_model())


def test_the_index_can_lead_to_no_other_folder(saved, tmp_path):
    index = json.loads((saved.folder / INDEX_FILE).read_text(encoding="utf-8"))
    (tmp_path / "step-9.safetensors").write_bytes((saved.folder / "step-3.safetensors").read_bytes())
    (saved.folder / INDEX_FILE).write_text(json.dumps(index | {"file": "../step-9.safetensors"}), encoding="utf-8")
    with pytest.raises(DataError, match="can't be read"):
        saved.load(*a_model())


def test_a_state_of_another_model_is_refused(saved):
    model = nn.Linear(4, 2)
    with pytest.raises(DataError, match="does not fit"):
        saved.load(model, AdamW(model.parameters()))
