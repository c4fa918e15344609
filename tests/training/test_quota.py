import os
import time
from dataclasses import replace

import pytest

from playground import access, settings
from playground.access import OWNER, Person
from playground.adapters.edit import list_removed, shelf, take_away
from playground.errors import AccessError, BusyError, InputError, QuotaError
from playground.training import quota, run_store, runs
from playground.training.overtime import Overtime
from playground.training.run_files import folder_of, load_state, save_state

ANN, BOB = Person("a" * 64), Person("b" * 64)


@pytest.fixture
def start(make_run_config, reviews, unborn_workers):
    """``start(person, name)``: a run of that person."""

    def begin(person, name):
        with access.acting_as(person):
            return runs.start_run(make_run_config(name), reviews)

    return begin


def test_a_run_is_unknown_to_everybody_but_its_person_and_the_owner(start):
    run_id = start(ANN, "lamps")
    actions = [
        runs.read_run,
        runs.pause_run,
        runs.resume_run,
        runs.restart_run,
        runs.delete_run,
        lambda found: runs.stop_run(found, keep=False),
    ]
    with access.acting_as(BOB):
        assert runs.list_runs() == []
        for act in actions:
            with pytest.raises(InputError, match="no run at this address") as unseen:
                act(run_id)
            with pytest.raises(InputError) as unknown:
                act("0" * 32)
            assert str(unseen.value) == str(unknown.value)
    for person in (ANN, OWNER):
        with access.acting_as(person):
            assert runs.read_run(run_id).owner == ANN.key
            assert [state.run_id for state in runs.list_runs()] == [run_id]


def test_runs_without_a_person_are_the_owners(start):
    run_id = start(OWNER, "lamps")
    with access.acting_as(ANN), pytest.raises(InputError):
        runs.read_run(run_id)


def test_lost_runs_of_visitors_go_on_when_the_app_starts_again(start, monkeypatch):
    run_id = start(ANN, "lamps")
    save_state(replace(load_state(folder_of(run_id)), state="interrupted"))
    monkeypatch.setattr(access, "_known_by", [lambda: access.NOBODY])
    assert runs.recover_runs() == [run_id]
    assert run_store.owner_of(run_id) == ANN.key


def test_a_visitor_has_a_limit_of_runs_and_the_owner_has_none(start, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_MAX_RUNS_EACH", "1")
    start(ANN, "one")
    with pytest.raises(BusyError, match=r"You have 1 run under way.*PLAYGROUND_MAX_RUNS_EACH.*stop one"):
        start(ANN, "two")
    start(BOB, "three")
    start(OWNER, "four")
    start(OWNER, "five")


def test_all_together_have_a_limit_of_runs(start, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_MAX_RUNS", "2")
    start(ANN, "one")
    start(BOB, "two")
    with pytest.raises(BusyError, match="2 is the limit"):
        start(OWNER, "three")


def test_an_ended_run_is_deleted_with_its_rows(start):
    run_id = start(ANN, "lamps")
    with access.acting_as(ANN):
        folder = folder_of(run_id)
        with pytest.raises(InputError, match="stop it first"):
            runs.delete_run(run_id)
        save_state(replace(load_state(folder), state="stopped"))
        runs.delete_run(run_id)
        assert runs.list_runs() == []
    assert not folder.exists()


def test_what_a_visitor_stores_is_limited_and_counted(start, save_tiny_adapter, monkeypatch):
    start(ANN, "lamps")
    before = quota.used_bytes(ANN.key)
    assert before > 64 * 1024
    with access.acting_as(ANN):
        record = save_tiny_adapter()
        assert quota.used_bytes(ANN.key) >= before + (record.path / "adapter_model.safetensors").stat().st_size
    assert quota.used_bytes(BOB.key) == 0
    monkeypatch.setenv("PLAYGROUND_MAX_DISK_MB_EACH", "1")
    with access.acting_as(BOB):
        quota.check_disk(settings.MEGABYTE)
        with pytest.raises(QuotaError, match=r"1\.0 MB is the limit.*PLAYGROUND_MAX_DISK_MB_EACH.*delete"):
            quota.check_disk(settings.MEGABYTE + 1)
    with access.acting_as(ANN), pytest.raises(QuotaError):
        quota.check_disk(settings.MEGABYTE)
    with access.acting_as(OWNER):
        quota.check_disk(settings.MEGABYTE + 1)


def test_what_all_people_store_is_limited(start, monkeypatch):
    start(ANN, "lamps")
    monkeypatch.setenv("PLAYGROUND_MAX_DISK_MB", "1")
    with pytest.raises(QuotaError, match="PLAYGROUND_MAX_DISK_MB"):
        start(BOB, "more")
    with access.acting_as(OWNER), pytest.raises(QuotaError):
        quota.check_disk(settings.MEGABYTE)


def test_adapters_deleted_longest_ago_give_way_where_room_is_needed(save_tiny_adapter, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_MAX_DISK_MB", "1")
    sizes = {}
    for age_s, name in ((30, "first"), (20, "second"), (10, "third")):
        record = save_tiny_adapter(name=name)
        sizes[name] = quota.size_of(record.path)
        removed = take_away(record)
        os.utime(removed.path, (time.time() - age_s,) * 2)

    def deleted():
        return [removed.name for removed in list_removed()]

    assert quota.used_by_all_bytes() == 0
    with pytest.raises(QuotaError):
        quota.check_disk(settings.MEGABYTE + 1)
    quota.check_disk(settings.MEGABYTE - sum(sizes.values()))
    assert deleted() == ["third", "second", "first"]
    quota.check_disk(settings.MEGABYTE - sum(sizes.values()) + 1)
    assert deleted() == ["third", "second"]
    second = list_removed()[1]
    quota.check_disk(settings.MEGABYTE, returning=second.path)
    assert deleted() == ["second"]
    quota.check_disk(settings.MEGABYTE)
    assert deleted() == []
    assert list(shelf().iterdir()) == []


def test_a_page_for_trying_starts_and_changes_no_run(start, monkeypatch):
    run_id = start(ANN, "lamps")
    monkeypatch.setenv("PLAYGROUND_READ_ONLY", "1")
    with pytest.raises(AccessError):
        start(ANN, "more")
    with access.acting_as(ANN):
        for act in (runs.pause_run, runs.resume_run, runs.restart_run, runs.delete_run):
            with pytest.raises(AccessError):
                act(run_id)
        with pytest.raises(AccessError):
            runs.stop_run(run_id, keep=True)


def test_a_run_can_not_go_on_from_an_adapter_of_somebody_else(
    make_run_config, reviews, unborn_workers, save_tiny_adapter
):
    with access.acting_as(ANN):
        save_tiny_adapter("classify", "anns")
    config = make_run_config(parent="anns")
    with access.acting_as(BOB), pytest.raises(Exception, match="There is no adapter 'anns'"):
        runs.start_run(config, reviews)


def test_a_visitors_run_ends_in_time(start, monkeypatch):
    state = replace(load_state(folder_of(start(ANN, "lamps"))), step={"step": 1.0})
    notes = []
    now = iter([0.0, 59.0, 60.0, 60.0, 61.0, 119.0, 120.0])
    monkeypatch.setattr("playground.training.overtime.time.monotonic", lambda: next(now))
    monkeypatch.setenv("PLAYGROUND_MAX_RUN_MINUTES", "1")
    overtime = Overtime(state, notes.append)
    measuring = replace(state, state="evaluating")
    reading = replace(state, step={})
    wishes = [overtime.wish(one) for one in (state, reading, state, state, measuring, measuring)]
    assert wishes == ["", "", "keep", "keep", "", "skip"]
    assert len(notes) == 1
    assert "PLAYGROUND_MAX_RUN_MINUTES" in notes[0]["message"]


def test_the_owners_runs_take_as_long_as_they_take(start, monkeypatch):
    state = replace(load_state(folder_of(start(OWNER, "lamps"))), step={"step": 1.0, "elapsed_s": 1e9})
    monkeypatch.setenv("PLAYGROUND_MAX_RUN_MINUTES", "1")
    now = iter([0.0, 1e9])
    monkeypatch.setattr("playground.training.overtime.time.monotonic", lambda: next(now))
    assert Overtime(state, print).wish(state) == ""


def test_a_pause_does_not_give_a_visitors_run_its_time_anew(start, monkeypatch):
    state = replace(load_state(folder_of(start(ANN, "lamps"))), step={"step": 9.0, "elapsed_s": 50.0})
    now = iter([1000.0, 1009.0, 1010.0])
    monkeypatch.setattr("playground.training.overtime.time.monotonic", lambda: next(now))
    monkeypatch.setenv("PLAYGROUND_MAX_RUN_MINUTES", "1")
    overtime = Overtime(state, lambda _: None)
    assert [overtime.wish(state), overtime.wish(state)] == ["", "keep"]
