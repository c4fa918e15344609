import errno
import json
import os
import signal
import threading
import time
from dataclasses import replace

import pytest

from playground import settings
from playground.adapters import store
from playground.errors import Cancelled, DataError
from playground.training import finetune, run_files, runs, worker
from playground.training.run_files import folder_of, load_state

PATIENCE_S = 120
ENDLESS = 10_000.0
STEP = {"event": "step", "step": 1, "steps": 4, "loss": 0.5}


@pytest.fixture
def run_id(make_run_config, reviews, unborn_workers):
    return runs.start_run(make_run_config(), reviews)


@pytest.fixture
def training(monkeypatch):
    """``training(function)`` replaces the real one by ``function(emit, stop_wish)``."""

    def use(function):
        monkeypatch.setattr(finetune, "finetune", lambda config, emit, stop_wish: function(emit, stop_wish))

    return use


@pytest.fixture
def real_runs():
    """Collects the ids of runs with real workers and ends those that are left."""
    ids = []
    yield ids
    for run_id in ids:
        state = runs.read_run(run_id)
        if state.is_active and state.pid:
            os.kill(state.pid, signal.SIGKILL)


def wait_for(run_id, claim):
    deadline = time.monotonic() + PATIENCE_S
    while not claim(state := runs.read_run(run_id)):
        if not state.is_active or time.monotonic() > deadline:
            log = (folder_of(run_id) / "log.txt").read_text(encoding="utf-8")
            pytest.fail(f"{state.state}: {state.message}\n{log}")
        time.sleep(0.1)
    return state


def failing(error):
    def train(emit, stop_wish):
        emit(STEP)
        raise error

    return train


def ends(run_id, terminated=None):
    worker.work(run_id, terminated or threading.Event())
    return runs.read_run(run_id)


def test_a_run_ends_with_everything_on_disk(run_id, training):
    def train(emit, stop_wish):
        emit({"event": "phase", "phase": "training", "message": "Training"})
        emit(STEP)
        emit({"event": "saved", "adapter": "lamps", "task": "classify"})
        emit({"event": "report", "report": {"n": 4}})

    training(train)
    state = ends(run_id)
    lines = (folder_of(run_id) / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert (state.state, state.adapter, state.report, state.losses) == ("done", "lamps", {"n": 4}, [(1, 0.5)])
    assert [json.loads(line)["event"] for line in lines] == ["phase", "step", "saved", "report"]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (DataError("All 40 rows have the label 'x'."), "All 40 rows have the label 'x'."),
        (OSError(errno.ENOSPC, "No space left on device"), worker.NO_SPACE),
        (MemoryError(), worker.NO_MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), worker.NO_MEMORY),
        (RuntimeError("secret /home/me"), worker.UNEXPECTED),
        (OSError(errno.EACCES, "secret /home/me"), worker.UNEXPECTED),
    ],
    ids=["ours", "disk", "memory", "torch memory", "unexpected", "other file error"],
)
def test_a_failure_is_one_sentence(run_id, training, error, says):
    training(failing(error))
    state = ends(run_id)
    assert (state.state, state.message) == ("failed", says)
    assert state.losses == [(1, 0.5)]


def test_a_full_disk_can_not_silence_the_run(run_id, training, monkeypatch):
    """The space kept in reserve is free by the time the last status is written."""
    real_save = run_files.save_state
    reserve = folder_of(run_id) / "reserve"

    def save_on_full_disk(folder, state):
        if reserve.exists() and state.step:
            raise OSError(errno.ENOSPC, "No space left on device")
        real_save(folder, state)

    monkeypatch.setattr(worker, "save_state", save_on_full_disk)
    training(lambda emit, stop_wish: emit(STEP))
    state = ends(run_id)
    assert (state.state, state.message) == ("failed", worker.NO_SPACE)


def test_a_failure_while_measuring_says_that_the_adapter_is_there(run_id, training):
    def train(emit, stop_wish):
        emit({"event": "saved", "adapter": "lamps", "task": "classify"})
        raise MemoryError

    training(train)
    assert "'lamps' is saved" in ends(run_id).message


def test_a_run_discarded_while_it_waits_never_trains(run_id, training, make_run_config, reviews):
    second = runs.start_run(make_run_config("other"), reviews)
    training(failing(AssertionError("must not train")))
    runs.stop_run(second, keep=False)
    state = ends(second)
    assert (state.state, state.adapter) == ("stopped", None)
    assert "before it began" in state.message


def test_a_discard_takes_effect_at_the_next_event(run_id, training):
    def train(emit, stop_wish):
        runs.stop_run(run_id, keep=False)
        emit({"event": "phase", "phase": "loading", "message": "Converting"})
        pytest.fail("went on")

    training(train)
    assert ends(run_id).state == "stopped"


def test_discarding_while_measuring_throws_the_adapter_away(run_id, training, save_tiny_adapter):
    def train(emit, stop_wish):
        save_tiny_adapter("classify", "lamps")
        emit({"event": "saved", "adapter": "lamps", "task": "classify"})
        emit({"event": "phase", "phase": "evaluating", "message": "Measuring"})
        runs.stop_run(run_id, keep=False)
        emit({"event": "evaluated", "of": "adapter", "rows": 1, "all": 4})

    training(train)
    state = ends(run_id)
    assert (state.state, state.adapter) == ("stopped", None)
    assert not store.list_adapters("classify")


def test_measuring_can_be_skipped_and_the_adapter_stays(run_id, training, save_tiny_adapter):
    def train(emit, stop_wish):
        save_tiny_adapter("classify", "lamps")
        emit({"event": "saved", "adapter": "lamps", "task": "classify"})
        emit({"event": "phase", "phase": "evaluating", "message": "Measuring"})
        runs.stop_run(run_id, keep=True)
        assert stop_wish() == "discard"
        raise Cancelled("stopped")

    training(train)
    state = ends(run_id)
    assert (state.state, state.adapter) == ("stopped", "lamps")
    assert "skipped" in state.message
    assert store.find("classify", "lamps")


def test_a_terminated_run_keeps_what_there_is(run_id, training):
    terminated = threading.Event()

    def train(emit, stop_wish):
        emit(STEP)
        assert stop_wish() == ""
        terminated.set()
        assert stop_wish() == "keep"
        emit({"event": "saved", "adapter": "lamps", "task": "classify"})

    training(train)
    state = ends(run_id, terminated)
    assert (state.state, state.adapter) == ("stopped", "lamps")


def test_a_killed_worker_loses_nothing_and_its_run_starts_again(make_run_config, reviews, real_runs):
    real_runs.append(runs.start_run(make_run_config(epochs=ENDLESS), reviews))
    alive = wait_for(real_runs[0], lambda state: len(state.losses) >= 2)
    os.kill(alive.pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    while (dead := runs.read_run(alive.run_id)).is_active and time.monotonic() < deadline:
        time.sleep(0.05)
    assert dead.state == "interrupted"
    assert "killed" in dead.message
    assert len(dead.losses) >= len(alive.losses)
    assert not store.list_adapters("classify")

    real_runs.append(runs.restart_run(dead.run_id))
    wait_for(real_runs[1], lambda state: state.step)
    runs.stop_run(real_runs[1], keep=True)
    kept = wait_for(real_runs[1], lambda state: state.state == "stopped")
    assert kept.report["n"] == 4
    assert store.verify(store.find("classify", "lamps")) is None


def test_two_runs_take_turns(make_run_config, reviews, real_runs):
    real_runs.append(runs.start_run(make_run_config("first", epochs=ENDLESS), reviews))
    wait_for(real_runs[0], lambda state: state.step)
    real_runs.append(runs.start_run(make_run_config("second"), reviews))
    waiting = wait_for(real_runs[1], lambda state: state.pid and state.message.startswith("Waiting"))
    assert (waiting.state, waiting.step) == ("waiting", {})
    assert "another run is being trained" in waiting.message

    runs.stop_run(real_runs[0], keep=False)
    wait_for(real_runs[0], lambda state: state.state == "stopped")
    done = wait_for(real_runs[1], lambda state: state.state == "done")
    assert done.adapter == "second"
    assert [record.name for record in store.list_adapters("classify")] == ["second"]


def test_a_terminated_worker_saves_its_adapter(make_run_config, reviews, real_runs):
    real_runs.append(runs.start_run(make_run_config(epochs=ENDLESS), reviews))
    alive = wait_for(real_runs[0], lambda state: state.step)
    os.kill(alive.pid, signal.SIGTERM)
    ended = wait_for(real_runs[0], lambda state: state.state == "stopped")
    assert ended.adapter == "lamps"
    assert store.find("classify", "lamps")


def test_bad_rows_end_in_a_sentence_about_them(make_run_config, tmp_path, real_runs):
    path = tmp_path / "one.csv"
    path.write_text("text,label\n" + "".join(f"row {i},same\n" for i in range(12)), encoding="utf-8")
    real_runs.append(runs.start_run(make_run_config(), path))
    failed = wait_for(real_runs[0], lambda state: state.state == "failed")
    assert "the label 'same'; at least two labels are needed" in failed.message


def test_a_worker_without_a_run_says_so(caplog, monkeypatch):
    monkeypatch.setattr(os, "nice", lambda by: None)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    assert worker.main(["0" * 32]) == 2
    assert "no run" in caplog.text
    assert worker.main([]) == 2
    assert not settings.runs().exists()


def test_the_state_on_disk_is_at_most_a_step_behind_the_journal(run_id):
    journal = worker.Journal(folder_of(run_id))
    journal.note({"event": "phase", "phase": "training", "message": "Training"})
    assert load_state(folder_of(run_id)) == replace(journal.state, losses=[])
