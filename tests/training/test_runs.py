import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from playground import settings
from playground.adapters.record import write_record
from playground.engine import zerogpu
from playground.errors import AdapterError, BusyError, DataError, InputError, PlaygroundError
from playground.training import processes, run_files, run_store, runs
from playground.training.run_files import NUM_LOSSES, after, data_file, folder_of, load_state, read_wish, thinned

NO_PROCESS = 2**22 + 1  # above the highest pid of Linux


@pytest.fixture
def started(make_run_config, reviews, unborn_workers):
    """``started(name="lamps", **state)``: the id of a run whose status was changed to `state`."""

    def start(name="lamps", **changes):
        run_id = runs.start_run(make_run_config(name), reviews)
        folder = folder_of(run_id)
        run_files.save_state(replace(load_state(folder), **changes))
        return run_id

    return start


def age(run_id, by_s):
    long_ago = time.time() - by_s
    for path in folder_of(run_id).iterdir():
        os.utime(path, (long_ago, long_ago))


def test_a_new_run_waits_with_its_own_copy_of_the_rows(make_run_config, reviews, unborn_workers):
    run_id = runs.start_run(make_run_config(), reviews)
    state = runs.read_run(run_id)
    copy = data_file(folder_of(run_id))
    assert state.state == "waiting"
    assert state.config.data == str(copy)
    assert copy.read_bytes() == reviews.read_bytes()
    assert unborn_workers == [settings.runs() / run_id]


def test_the_command_in_the_card_does_not_give_the_id_of_the_run_away(make_run_config, reviews, unborn_workers):
    from playground.training.command import command_line

    run_id = runs.start_run(make_run_config(columns={"text": "Full text"}), reviews)
    command = command_line(runs.read_run(run_id).config)
    assert run_id not in command
    assert "--data 'My reviews.csv'" in command
    assert "--column 'text=Full text'" in command


def test_rows_are_called_as_the_person_called_them_also_when_the_run_starts_again(
    make_run_config, reviews, unborn_workers
):
    name = "hub:somebody/lamps@default/train"
    first = runs.start_run(make_run_config(data_name=name), reviews)
    run_files.save_state(replace(load_state(folder_of(first)), state="failed"))
    again = runs.restart_run(first)
    assert [runs.read_run(one).config.data_name for one in (first, again)] == [name, name]


@pytest.mark.parametrize("run_id", ["", "../../etc", "a" * 31, "A" * 32, "0" * 32, "0" * 32 + "\n", None])
def test_an_id_that_is_none_or_unknown_is_refused(run_id):
    with pytest.raises(InputError):
        runs.read_run(run_id)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"name": "My Lamps"}, AdapterError, "My Lamps"),
        ({"name": "none"}, AdapterError, "reserved"),
        ({"task": "poetry"}, InputError, "poetry"),
    ],
)
def test_a_run_that_can_not_work_is_refused_before_it_starts(
    changes, error, says, make_run_config, reviews, unborn_workers
):
    with pytest.raises(error, match=says):
        runs.start_run(replace(make_run_config(), **changes), reviews)
    assert not run_files.run_folders()


def test_a_missing_file_is_refused(make_run_config, tmp_path, unborn_workers):
    with pytest.raises(DataError, match=r"gone\.csv"):
        runs.start_run(make_run_config(), tmp_path / "gone.csv")


def test_a_file_above_the_limit_is_refused(make_run_config, reviews, unborn_workers, monkeypatch):
    monkeypatch.setattr(settings, "MAX_UPLOAD_BYTES", 100)
    with pytest.raises(DataError, match="limit"):
        runs.start_run(make_run_config(), reviews)


def test_a_nearly_full_disk_is_said_before_the_start(make_run_config, reviews, unborn_workers, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(PlaygroundError, match="0 MB left"):
        runs.start_run(make_run_config(), reviews)
    assert not list(settings.runs().iterdir())


def test_a_disk_that_fills_up_while_copying_leaves_nothing(make_run_config, reviews, unborn_workers, monkeypatch):
    def copy(source, target):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", copy)
    with pytest.raises(PlaygroundError, match="No space left"):
        runs.start_run(make_run_config(), reviews)
    assert not list(settings.runs().iterdir())


def test_a_disk_too_full_for_the_table_leaves_no_rows_behind(make_run_config, reviews, unborn_workers, monkeypatch):
    def on_a_full_disk(state):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(runs, "save_state", on_a_full_disk)
    with pytest.raises(PlaygroundError, match="No space left on device"):
        runs.start_run(make_run_config(), reviews)
    assert not [path for path in settings.runs().iterdir() if path.is_dir()]


def test_rows_of_a_start_that_was_cut_are_deleted_in_the_end(started):
    started()
    cut, fresh = (settings.runs() / f".{letter * 32}.partial" for letter in "ab")
    for partial in (cut, fresh):
        (partial / "data").mkdir(parents=True)
    os.utime(cut, (0, 0))
    started("other")
    assert (cut.exists(), fresh.exists()) == (False, True)


def test_a_name_in_use_is_refused_with_a_free_one(make_run_config, reviews, started, save_tiny_adapter):
    save_tiny_adapter("sentiment", "reviews")
    started("lamps")
    with pytest.raises(InputError, match="lamps-2"):
        runs.start_run(make_run_config("lamps"), reviews)
    with pytest.raises(InputError, match="reviews-2"):
        runs.start_run(make_run_config("reviews", "sentiment"), reviews)


def test_the_name_of_a_run_that_came_to_nothing_is_free_again(started):
    started("lamps", state="failed")
    assert runs.free_name("classify", "lamps") == "lamps"


def test_too_many_runs_are_refused(make_run_config, reviews, started, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_MAX_RUNS", "2")
    started("a")
    started("b")
    with pytest.raises(BusyError, match="2 runs"):
        runs.start_run(make_run_config("c"), reviews)


def test_a_run_without_its_process_is_interrupted_and_keeps_what_it_knew(started):
    losses = [(1, 2.5), (2, 2.0)]
    run_id = started(state="running", pid=NO_PROCESS, step={"step": 2.0, "steps": 9.0}, losses=losses)
    state = runs.read_run(run_id)
    assert state.state == "interrupted"
    assert "step 2 of 9" in state.message
    assert state.losses == losses


def test_a_run_that_is_silent_for_long_is_interrupted(started):
    run_id = started(state="running", pid=os.getpid())
    assert runs.read_run(run_id).state == "running"
    age(run_id, 2 * processes.SILENT_AFTER_S)
    assert runs.read_run(run_id).state == "interrupted"


def test_a_run_that_another_program_resumed_is_judged_by_its_new_worker(started, monkeypatch):
    run_id = started(state="running", pid=os.getpid())
    lost = subprocess.Popen([sys.executable, "-c", "0"])
    lost.wait()
    monkeypatch.setitem(processes._children, run_id, lost)
    assert runs.read_run(run_id).state == "running"
    run_files.save_state(replace(load_state(folder_of(run_id)), pid=lost.pid))
    assert runs.read_run(run_id).state == "interrupted"


def test_a_run_lost_while_measuring_says_that_its_adapter_is_there(started):
    run_id = started(state="evaluating", pid=NO_PROCESS, adapter="lamps")
    assert "'lamps' is saved" in runs.read_run(run_id).message


@pytest.mark.parametrize("state", ["done", "stopped", "failed"])
def test_an_ended_run_stays_what_it_is(started, state):
    assert runs.read_run(started(state=state, pid=NO_PROCESS)).state == state


def test_an_interrupted_run_starts_again_with_its_rows_and_settings(started, reviews):
    old = runs.read_run(started(state="running", pid=NO_PROCESS))
    new = runs.read_run(runs.restart_run(old.run_id))
    assert new.run_id != old.run_id
    assert new.state == "waiting"
    assert data_file(folder_of(new.run_id)).read_bytes() == reviews.read_bytes()
    assert replace(new.config, data="", run="") == replace(old.config, data="", run="")


@pytest.mark.parametrize("state", ["paused", "interrupted", "running"])
def test_a_run_without_a_worker_goes_on_under_the_same_id(started, unborn_workers, state):
    run_id = started(state=state, pid=NO_PROCESS, losses=[(1, 2.5)])
    runs.pause_run(run_id)
    runs.resume_run(run_id)
    resumed = runs.read_run(run_id)
    assert (resumed.state, resumed.pid, resumed.losses) == ("waiting", None, [(1, 2.5)])
    assert read_wish(folder_of(run_id)) == ""
    assert unborn_workers == [folder_of(run_id)] * 2


def test_a_run_that_still_runs_or_has_ended_is_not_resumed(started, unborn_workers):
    runs.resume_run(started(state="running", pid=os.getpid()))
    assert len(unborn_workers) == 1
    with pytest.raises(InputError, match="come to its end"):
        runs.resume_run(started("b", state="done"))


def test_a_run_that_is_resumed_on_a_full_disk_says_so_and_stays(started, unborn_workers, monkeypatch):
    run_id = started(state="interrupted", message="The disk is full.")
    before = len(unborn_workers)

    def on_a_full_disk(folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(runs, "reserve_space", on_a_full_disk)
    with pytest.raises(PlaygroundError, match=r"can't go on .*No space left on device.*free some space"):
        runs.resume_run(run_id)
    assert runs.recover_runs() == []
    assert (runs.read_run(run_id).state, len(unborn_workers)) == ("interrupted", before)


@pytest.fixture
def full_disk(monkeypatch):
    """``full_disk(has_reserve=True)``: from now on nothing is written unless a reserve gave some space free."""
    free, write_text, truncate = [], Path.write_text, os.truncate

    def write(path, text, **options):
        if not free:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write_text(path, text, **options)

    def give_free(path, size_bytes):
        free.append(path.stat().st_size - size_bytes)
        truncate(path, size_bytes)

    def fill(*, has_reserve=True):
        monkeypatch.setattr(Path, "write_text", write)
        monkeypatch.setattr(os, "truncate", give_free if has_reserve else lambda path, size_bytes: None)

    return fill


def test_a_run_can_be_paused_and_stopped_on_a_full_disk(started, full_disk):
    run_id = started(state="running", pid=os.getpid())
    full_disk()
    runs.pause_run(run_id)
    assert read_wish(folder_of(run_id)) == "pause"
    runs.stop_run(run_id, keep=True)
    assert read_wish(folder_of(run_id)) == "keep"
    left_bytes = (folder_of(run_id) / "reserve").stat().st_size
    assert run_files.RESERVE_BYTES / 2 < left_bytes < run_files.RESERVE_BYTES


def test_a_run_that_can_not_be_told_on_a_full_disk_says_so(started, full_disk):
    run_id = started(state="running", pid=os.getpid())
    full_disk(has_reserve=False)
    for ask in (runs.pause_run, lambda found: runs.stop_run(found, keep=False)):
        with pytest.raises(PlaygroundError, match=r"No space left on device.*free some space"):
            ask(run_id)
    assert read_wish(folder_of(run_id)) == ""
    assert not list(folder_of(run_id).glob(".stop*"))


def test_a_failed_run_is_resumed_from_its_checkpoint_or_not_at_all(started):
    run_id = started(state="failed")
    assert not runs.can_resume(runs.read_run(run_id))
    checkpoint = folder_of(run_id) / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "checkpoint.json").write_text("{}", encoding="utf-8")
    assert runs.can_resume(runs.read_run(run_id))


def test_a_resumed_run_whose_name_was_given_away_takes_a_free_one(started, save_tiny_adapter):
    run_id = started("lamps", state="paused")
    save_tiny_adapter("classify", "lamps")
    runs.resume_run(run_id)
    assert runs.read_run(run_id).config.name == "lamps-2"


def test_a_resumed_run_keeps_the_name_of_the_adapter_that_it_saved_itself(started, save_tiny_adapter):
    run_id = started("lamps", state="interrupted")
    config = runs.read_run(run_id).config
    record = save_tiny_adapter("classify", "lamps")
    write_record(replace(record, training={"run": config.run}), record.path)
    runs.resume_run(run_id)
    assert runs.read_run(run_id).config.name == "lamps"
    assert run_id not in config.run


def test_lost_runs_go_on_by_themselves_but_not_for_ever(started, unborn_workers):
    lost, asleep, ended = started("a", state="running", pid=NO_PROCESS), started("b", state="paused"), started("c")
    run_files.save_state(replace(load_state(folder_of(ended)), state="done"))
    for _ in range(2 * runs.MAX_RESUMES):
        runs.recover_runs()
        run_files.save_state(replace(load_state(folder_of(lost)), state="running", pid=NO_PROCESS))
    assert unborn_workers.count(folder_of(lost)) == 1 + runs.MAX_RESUMES
    assert runs.read_run(asleep).state == "paused"
    stepped = after(load_state(folder_of(lost)), {"event": "step", "step": 3, "steps": 12, "loss": 0.5})
    run_files.save_state(stepped)
    assert runs.recover_runs() == [lost]


def test_the_wait_is_what_the_run_under_way_needs_and_what_others_took(started):
    assert runs.expected_wait_s(runs.read_run(started("first", state="running", pid=os.getpid()))) == 0
    second, third = started("second", created=time.time() + 1), started("third", created=time.time() + 2)
    assert runs.expected_wait_s(runs.read_run(second)) is None
    step = {"step": 4.0, "steps": 9.0, "eta_s": 30.0}
    started("done", state="done", began=100.0, ended=190.0)
    started("under-way", state="running", pid=os.getpid(), step=step)
    first = next(state for state in runs.active_runs() if state.config.name == "first")
    run_files.save_state(replace(first, state="done"))
    assert runs.expected_wait_s(runs.read_run(second)) == 30.0
    assert runs.expected_wait_s(runs.read_run(third)) == 120.0


def test_a_run_that_still_runs_is_not_started_twice(started):
    run_id = started(state="running", pid=os.getpid())
    assert runs.restart_run(run_id) == run_id


def test_starting_again_without_the_rows_says_so(started):
    run_id = started(state="failed")
    shutil.rmtree(folder_of(run_id) / "data")
    with pytest.raises(InputError, match="upload the file again"):
        runs.restart_run(run_id)


@pytest.mark.parametrize(
    ("state", "keep", "wish"),
    [("running", True, "keep"), ("running", False, "discard"), ("evaluating", True, "skip"), ("done", False, "")],
)
def test_the_wish_to_stop_reaches_a_run_that_is_under_way(started, state, keep, wish):
    run_id = started(state=state, pid=os.getpid())
    runs.stop_run(run_id, keep=keep)
    assert read_wish(folder_of(run_id)) == wish


def test_a_damaged_run_blocks_no_other(started):
    damaged = started("a")
    with sqlite3.connect(settings.runs() / run_store.DATABASE_FILE) as table:
        table.execute("UPDATE runs SET status = '{' WHERE run_id = ?", (damaged,))
    run_id = started("b", pid=os.getpid())
    assert [state.run_id for state in runs.active_runs()] == [run_id]
    with pytest.raises(InputError, match="damaged"):
        runs.read_run(damaged)


def test_runs_take_turns_in_the_order_of_their_start(started):
    late, early = started("a", created=20.0, pid=os.getpid()), started("b", created=10.0, pid=os.getpid())
    assert [state.run_id for state in runs.active_runs()] == [early, late]


def test_old_runs_and_their_rows_are_deleted(started):
    run_id = started("a", state="done")
    old = folder_of(run_id)
    age(run_id, runs.KEEP_RUNS_S + 10)
    started("b")
    assert not old.exists()
    assert run_id not in run_store.run_ids()


def test_a_long_curve_is_thinned_to_means(started):
    curve = thinned([(step, float(step)) for step in range(1, 10 * NUM_LOSSES + 1)])
    assert len(curve) == NUM_LOSSES
    assert curve[0] == (10, 5.5)
    assert curve[-1][0] == 10 * NUM_LOSSES
    assert thinned([]) == []


def test_events_become_the_state(started):
    state = load_state(folder_of(started()))
    state = after(state, {"event": "phase", "phase": "training", "message": "Training"})
    state = after(state, {"event": "step", "step": 3, "steps": 12, "loss": 0.5, "eta_s": 4.0})
    assert (state.state, state.fraction, state.step["eta_s"]) == ("running", 0.25, 4.0)
    state = after(state, {"event": "saved", "adapter": "lamps", "task": "classify"})
    state = after(state, {"event": "phase", "phase": "evaluating", "message": "Measuring on 4 held-out rows"})
    state = after(state, {"event": "evaluated", "of": "base", "rows": 2, "all": 4})
    assert (state.state, state.fraction, state.adapter) == ("evaluating", 0.5, "lamps")
    assert "2 of 4" in state.message
    same = after(state, {"event": "reloaded", "same": True, "message": "Loaded again: same outputs"})
    assert (same.adapter, same.reloaded) == ("lamps", "Loaded again: same outputs")
    other = after(state, {"event": "reloaded", "same": False, "message": "Loaded again: OTHER outputs"})
    assert other.adapter is None


def test_the_worker_does_not_count_on_the_gpu_that_a_space_lends_to_the_app(monkeypatch):
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    environment = zerogpu.environment_of_child()
    assert "SPACES_ZERO_GPU" not in environment
    assert environment["PYTHONPATH"].endswith("/elsewhere")
    assert environment["PATH"] == os.environ["PATH"]
