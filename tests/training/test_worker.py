import errno
import json
import os
import random
import signal
import threading
import time
from dataclasses import replace

import pytest
from filelock import FileLock

from playground import access, settings
from playground.adapters import store
from playground.errors import Cancelled, DataError, Paused
from playground.training import finetune, run_files, runs, worker
from playground.training.run_files import CHECKPOINT_FOLDER, WORKER_LOCK, folder_of, load_state

PATIENCE_S = 120
ENDLESS = 10_000.0
NUM_KILLS = 20
STEP = {"event": "step", "step": 1, "steps": 4, "steps_before": 0, "loss": 0.5}


@pytest.fixture
def run_id(make_run_config, reviews, unborn_workers):
    return runs.start_run(make_run_config(), reviews)


@pytest.fixture
def training(monkeypatch):
    """``training(function)`` replaces the real one by ``function(emit, stop_wish)``."""

    def use(function):
        monkeypatch.setattr(
            finetune, "finetune", lambda config, emit, stop_wish, checkpoints: function(emit, stop_wish)
        )

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


def wait_for_end(run_id):
    deadline = time.monotonic() + PATIENCE_S
    while (state := runs.read_run(run_id)).is_active and time.monotonic() < deadline:
        time.sleep(0.05)
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


def test_answers_on_the_way_are_events_and_outlive_a_break(run_id, training):
    def told(step):
        rows = [{"input": "نص", "expected": "x", "answer": f"after {step}"}]
        return {"event": "samples", "step": step, "rows": rows}

    def until(*steps, error=None):
        def train(emit, stop_wish):
            for step in steps:
                emit(told(step))
            if error:
                raise error

        training(train)
        return ends(run_id)

    assert [sample["step"] for sample in until(2, 4, error=Paused("Paused.")).samples] == [2, 4]
    runs.resume_run(run_id)
    state = until(4, 6)
    assert [sample["step"] for sample in state.samples] == [2, 4, 6]
    assert state.samples[-1]["rows"] == told(6)["rows"]
    lines = (folder_of(run_id) / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [event["step"] for event in map(json.loads, lines) if event["event"] == "samples"] == [2, 4, 4, 6]


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
    is_of_the_machine = says in (worker.NO_SPACE, worker.NO_MEMORY)
    assert (state.state, state.message) == ("interrupted" if is_of_the_machine else "failed", says)
    assert state.losses == [(1, 0.5)]
    # What is told to resume can be resumed, also when it was cut before its first checkpoint.
    assert runs.can_resume(state) == is_of_the_machine


def test_a_full_disk_does_not_keep_what_the_person_throws_away(run_id, training):
    def train(emit, stop_wish):
        emit(STEP)
        (folder_of(run_id) / CHECKPOINT_FOLDER).mkdir()
        runs.stop_run(run_id, keep=False)
        raise OSError(errno.ENOSPC, "No space left on device")

    training(train)
    state = ends(run_id)
    assert (state.state, state.message) == ("stopped", "The run was stopped and nothing was kept.")
    assert not (folder_of(run_id) / CHECKPOINT_FOLDER).exists()


def test_a_full_disk_can_not_silence_the_run(run_id, training, monkeypatch):
    """The space kept in reserve is free by the time the last status is written."""
    real_save = run_files.save_state
    reserve = folder_of(run_id) / "reserve"

    def save_on_full_disk(state):
        if reserve.exists() and state.step:
            raise OSError(errno.ENOSPC, "No space left on device")
        real_save(state)

    def train(emit, stop_wish):
        emit(STEP)
        emit({"event": "phase", "phase": "saving", "message": "Saving the adapter"})

    monkeypatch.setattr(worker, "save_state", save_on_full_disk)
    training(train)
    state = ends(run_id)
    assert (state.state, state.message) == ("interrupted", worker.NO_SPACE)


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
    assert "while it waited" in state.message


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


def test_a_terminated_run_leaves_off_and_is_not_forgotten(run_id, training):
    terminated = threading.Event()

    def train(emit, stop_wish):
        emit(STEP)
        assert stop_wish() == ""
        terminated.set()
        assert stop_wish() == "pause"
        raise Paused("Paused.")

    training(train)
    state = ends(run_id, terminated)
    assert (state.state, state.adapter) == ("interrupted", None)
    assert runs.recover_runs() == [run_id]


def test_a_pause_while_measuring_leaves_the_adapter(run_id, training, save_tiny_adapter):
    def train(emit, stop_wish):
        save_tiny_adapter("classify", "lamps")
        emit({"event": "saved", "adapter": "lamps", "task": "classify"})
        emit({"event": "phase", "phase": "evaluating", "message": "Measuring"})
        runs.pause_run(run_id)
        assert stop_wish() == "discard"
        raise Cancelled("stopped")

    training(train)
    state = ends(run_id)
    assert (state.state, state.adapter) == ("paused", "lamps")
    assert runs.can_resume(state)


def test_a_run_paused_while_it_waits_never_trains(run_id, training, make_run_config, reviews):
    second = runs.start_run(make_run_config("other"), reviews)
    training(failing(AssertionError("must not train")))
    runs.pause_run(second)
    assert ends(second).state == "paused"


def test_a_second_worker_leaves_a_run_alone(run_id, training):
    training(failing(AssertionError("must not train")))
    with FileLock(folder_of(run_id) / WORKER_LOCK):
        assert ends(run_id).state == "waiting"


def test_a_damaged_checkpoint_costs_the_steps_but_not_the_run(run_id, monkeypatch):
    folder = folder_of(run_id) / CHECKPOINT_FOLDER
    folder.mkdir()
    (folder / "checkpoint.json").write_text("{", encoding="utf-8")
    assert ends(run_id).state == "done"


def test_a_killed_worker_loses_nothing_and_its_run_goes_on(make_run_config, reviews, real_runs, monkeypatch):
    real_runs.append(runs.start_run(make_run_config(epochs=ENDLESS), reviews))
    alive = wait_for(real_runs[0], lambda state: len(state.losses) >= 2)
    runs.pause_run(alive.run_id)
    paused = wait_for(alive.run_id, lambda state: state.state == "paused")
    assert paused.step["step"] >= alive.step["step"]

    runs.resume_run(alive.run_id)
    resumed = wait_for(alive.run_id, lambda state: state.step["step"] > paused.step["step"])
    os.kill(resumed.pid, signal.SIGKILL)
    dead = wait_for_end(alive.run_id)
    assert (dead.state, dead.run_id) == ("interrupted", alive.run_id)
    assert "killed" in dead.message
    assert not store.list_adapters("classify")

    runs.resume_run(alive.run_id)
    # From the checkpoint of the pause, the steps that were lost are taken again.
    wait_for(alive.run_id, lambda state: state.pid != resumed.pid and state.step["step"] > paused.step["step"])
    runs.stop_run(alive.run_id, keep=True)
    kept = wait_for(alive.run_id, lambda state: state.state == "stopped")
    steps = [step for step, _ in kept.losses]
    assert steps == sorted(set(steps))
    assert kept.report["n"] == 4
    assert store.verify(store.find("classify", "lamps")) is None


def test_a_run_that_was_lost_after_it_saved_its_adapter_is_only_measured(run_id):
    whole = ends(run_id)
    lost = replace(whole, state="interrupted", adapter=None, report=None)
    run_files.save_state(lost)
    runs.resume_run(run_id)
    resumed = ends(run_id)
    assert (resumed.state, resumed.adapter, resumed.report) == ("done", "lamps", whole.report)
    assert resumed.step == lost.step
    assert [record.name for record in store.list_adapters("classify")] == ["lamps"]


@pytest.mark.slow
def test_a_run_survives_kills_at_any_moment(make_run_config, reviews, real_runs):
    """At the start, between steps, while a checkpoint is written, at the end: each time it goes on."""
    chance = random.Random(0)
    real_runs.append(runs.start_run(make_run_config(epochs=400.0), reviews))
    reached = []
    for _ in range(NUM_KILLS):
        time.sleep(chance.uniform(0.0, 12.0))
        state = runs.read_run(real_runs[0])
        if state.state == "done":
            break
        if state.pid:
            os.kill(state.pid, signal.SIGKILL)
            assert wait_for_end(state.run_id).state == "interrupted"
            reached.append(state.step.get("step", 0.0))
        runs.resume_run(state.run_id)
    done = wait_for(real_runs[0], lambda state: state.state == "done")
    assert len(reached) > 2
    assert done.report["n"] == 4
    assert [record.name for record in store.list_adapters("classify")] == ["lamps"]


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


def test_a_terminated_worker_goes_on_where_it_left_off(make_run_config, reviews, real_runs):
    real_runs.append(runs.start_run(make_run_config(epochs=ENDLESS), reviews))
    alive = wait_for(real_runs[0], lambda state: state.step)
    os.kill(alive.pid, signal.SIGTERM)
    ended = wait_for_end(alive.run_id)
    assert (ended.state, ended.adapter) == ("interrupted", None)
    assert runs.recover_runs() == [alive.run_id]
    wait_for(alive.run_id, lambda state: state.step["step"] > ended.step["step"])


def test_bad_rows_end_in_a_sentence_about_them(make_run_config, tmp_path, unborn_workers):
    path = tmp_path / "one.csv"
    path.write_text("text,label\n" + "".join(f"row {i},same\n" for i in range(12)), encoding="utf-8")
    failed = ends(runs.start_run(make_run_config(), path))
    assert failed.state == "failed"
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


def test_the_adapter_of_a_visitors_run_is_the_visitors(make_run_config, reviews, unborn_workers):
    visitor, other = access.Person("a" * 64), access.Person("b" * 64)
    with access.acting_as(visitor):
        run_id = runs.start_run(make_run_config("theirs"), reviews)
    worker.work(run_id, threading.Event())
    assert load_state(folder_of(run_id)).state == "done"
    assert store.find("classify", "theirs").owner == visitor.key
    with access.acting_as(other):
        assert "theirs" not in [record.name for record in store.list_adapters()]


def test_a_run_of_a_visitor_that_takes_too_long_keeps_what_it_learnt(
    make_run_config, reviews, unborn_workers, monkeypatch
):
    monkeypatch.setattr(settings, "max_run_minutes", lambda: 1e-9)
    with access.acting_as(access.Person("a" * 64)):
        run_id = runs.start_run(make_run_config("slow", epochs=ENDLESS), reviews)
    worker.work(run_id, threading.Event())
    state = load_state(folder_of(run_id))
    assert (state.state, state.adapter) == ("stopped", "slow")
    assert any("PLAYGROUND_MAX_RUN_MINUTES" in note for note in state.notes)
