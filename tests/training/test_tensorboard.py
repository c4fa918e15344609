"""Curves of a run, read back from the files that TensorBoard reads."""

import struct

from tensorboardX.proto.event_pb2 import Event

from playground.training.tensorboard import CURVES, curves

STEP = dict.fromkeys(CURVES, 0.5) | {"event": "step", "step": 3, "steps": 9, "loss": 1.25}


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


def test_steps_notes_and_the_report_become_curves_and_every_event_goes_on(tmp_path):
    unwatched = {key: value for key, value in STEP.items() if key != "validation_loss"} | {"step": 4}
    report = {"event": "report", "report": {"base": None, "adapter": {"metrics": {"macro_f1": 80.0}}}}
    events = [{"event": "phase"}, STEP, unwatched, {"event": "note", "message": "Stopped early"}, report]
    seen = []
    with curves(tmp_path, seen.append) as note:
        for event in events:
            note(event)
    assert seen == events
    found = written(tmp_path)
    assert found["loss/training", 3] == 1.25
    assert found["macro_f1/adapter", 0] == 80.0
    assert {tag for tag, step in found if step == 3} == set(CURVES.values())
    assert {tag for tag, step in found if step == 4} == set(CURVES.values()) - {"loss/validation"}
