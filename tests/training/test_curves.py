"""Curves of a run, read back from the files that TensorBoard reads, and from a service."""

import errno
import struct
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import pytest
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.record_writer import RecordWriter

from playground.errors import Paused
from playground.training.config import RunConfig
from playground.training.curves import CURVES, curves
from playground.training.run_files import READING_TEXTS, TRAINING

STEP = dict.fromkeys(CURVES, 0.5) | {"event": "step", "step": 3, "steps": 9, "steps_before": 0, "loss": 1.25}


@pytest.fixture
def config():
    return RunConfig(task="classify", data="/home/me/secret.csv", name="lamps", backbone="tiny", rank=4)


@pytest.fixture
def service(monkeypatch):
    """Stands in for wandb, which nobody here has an account for; keeps what it is given."""
    given = SimpleNamespace(steps=[], settings={}, is_finished=False, is_broken=False)

    def log(values, step):
        if given.is_broken:
            raise ConnectionError("no network")
        given.steps.append((step, values))

    def finish():
        given.is_finished = True

    def init(**settings):
        given.settings = settings
        return SimpleNamespace(log=log, finish=finish)

    module = ModuleType("wandb")
    module.init, module.__spec__ = init, ModuleSpec("wandb", None)
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.setenv("WANDB_API_KEY", "x")
    return given


def written(folder):
    """{(curve, step): value} in `folder`; a record is 8 bytes of length, 4 of checksum, data, 4 of checksum."""
    (path,) = folder.glob("events.*")
    data, found = path.read_bytes(), {}
    while data:
        (size,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + size])
        found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
        data = data[16 + size :]
    return found


@pytest.fixture
def full_disk(monkeypatch):
    """``full_disk()``: from now on, no file of curves can be flushed."""

    def flush(writer):
        raise OSError(errno.ENOSPC, "No space left on device")

    return lambda: monkeypatch.setattr(RecordWriter, "flush", flush)


def test_a_run_goes_on_without_curves_when_they_can_not_be_written(tmp_path, config, full_disk, monkeypatch):
    monkeypatch.setattr("playground.training.curves.SECONDS_BETWEEN_WRITES", 0)
    given = []
    with curves(tmp_path, config, given.append) as note:
        note(STEP)
        full_disk()
        for step in range(4, 100):
            note(STEP | {"step": step})
    assert [event["step"] for event in given if event["event"] == "step"] == list(range(3, 100))
    (told,) = [event["message"] for event in given if event["event"] == "note"]
    assert "No space left on device" in told
    assert written(tmp_path)[("loss/training", 3)] == STEP["loss"]


def test_curves_that_can_not_be_written_in_the_end_hide_nothing(tmp_path, config, full_disk):
    def leave_off():
        with curves(tmp_path, config, lambda _: None) as note:
            note(STEP)
            full_disk()
            raise Paused("Paused.")

    with pytest.raises(Paused):
        leave_off()


def test_steps_notes_and_the_report_become_curves_and_every_event_goes_on(tmp_path, config):
    unwatched = {key: value for key, value in STEP.items() if key != "validation_loss"} | {"step": 4}
    report = {"event": "report", "report": {"base": None, "adapter": {"metrics": {"macro_f1": 80.0}}}}
    events = [
        {"event": "phase", "message": TRAINING},
        STEP,
        unwatched,
        {"event": "note", "message": "Stopped early"},
        report,
    ]
    seen = []
    with curves(tmp_path, config, seen.append) as note:
        for event in events:
            note(event)
    assert seen == events
    found = written(tmp_path)
    assert found["loss/training", 3] == 1.25
    assert found["macro_f1/adapter", 4] == 80.0
    assert {tag for tag, step in found if step == 3} == set(CURVES.values())
    assert {tag for tag, step in found if step == 4} == (
        set(CURVES.values()) - {"loss/validation"} | {"macro_f1/adapter"}
    )


def test_parts_go_on_where_those_before_ended_and_pretraining_has_curves_of_its_own(tmp_path, config):
    read = STEP | {"loss": 4.5}
    later = STEP | {"step": 1, "steps_before": 3}
    with curves(tmp_path, config, lambda event: None) as note:
        for event in ({"event": "phase", "message": READING_TEXTS}, read):
            note(event)
        for event in ({"event": "phase", "message": TRAINING}, later, later | {"steps_before": 4, "loss": 0.5}):
            note(event)
    losses = {place: value for place, value in written(tmp_path).items() if place[0].endswith("loss/training")}
    assert losses == {
        ("pretraining/loss/training", 3): 4.5, ("loss/training", 4): 1.25, ("loss/training", 5): 0.5,
    }  # fmt: skip


def test_a_service_gets_curves_and_settings_but_no_path(tmp_path, config, service):
    with curves(tmp_path, config, lambda event: None) as note:
        note(STEP)
        note({"event": "phase", "phase": "saving", "message": "Saving"})
    assert service.is_finished
    ((step, values),) = service.steps
    assert (step, values["loss/training"]) == (3, 1.25)
    assert (service.settings["name"], service.settings["config"]["rank"]) == ("lamps", 4)
    assert "secret" not in str(service.settings)


def test_a_service_that_fails_is_named_once_and_the_run_goes_on(tmp_path, config, service):
    service.is_broken = True
    seen = []
    with curves(tmp_path, config, seen.append) as note:
        note(STEP)
        note(STEP | {"step": 4})
    assert [event["event"] for event in seen] == ["note", "step", "step"]
    assert seen[0]["message"] == "wandb failed (ConnectionError), so the run goes on without it."


def test_without_a_variable_no_service_is_used(tmp_path, config, service, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY")
    with curves(tmp_path, config, lambda event: None) as note:
        note(STEP)
    assert service.settings == {}
