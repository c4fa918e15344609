"""Runs that outlive their machine, in a repository of a small Hub on this one."""

import hashlib
import json
import logging
import shutil
import sqlite3
import threading
import time
from dataclasses import replace

import pytest

from playground import access, settings
from playground.adapters import edit, store
from playground.adapters.record import WEIGHTS_FILE
from playground.errors import AdapterError, InputError
from playground.training import corrections, hub_keeper, hub_store, loop, run_store, runs, worker
from playground.training.hub_files import place_of
from playground.training.hub_store import HubStore
from playground.training.run_files import CHECKPOINT_FOLDER, EVENTS_FILE, folder_of, load_state, save_state
from tests.fake_hub import TOKEN, Repository, fake_hub

pytestmark = pytest.mark.usefixtures("no_shipped_adapters")
REPOSITORY = "somebody/runs"
RUN = "0" * 32
PATIENCE_S = 60.0


@pytest.fixture
def served():
    with fake_hub() as found:
        yield found


@pytest.fixture
def kept(served):
    """``kept()``: the copy of the present home, as a program that has just started finds it."""

    def begin():
        found = HubStore(REPOSITORY, served.api())
        found.fill()
        return found

    return begin


@pytest.fixture
def lose_home(playground_home, monkeypatch, tmp_path):
    """``lose_home()``: the machine is gone, and the next one has an empty home at another place."""

    def lose():
        shutil.rmtree(playground_home)
        monkeypatch.setenv("PLAYGROUND_HOME", str(tmp_path / "another home"))

    return lose


def files_of(served):
    return served.repositories[REPOSITORY].files


def in_home(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


class MachineLost(BaseException):
    """What nothing survives."""


def test_a_run_goes_on_after_its_machine_is_lost_and_ends_in_the_same_weights(
    make_run_config, reviews, unborn_workers, kept, lose_home, monkeypatch, served
):
    whole = runs.start_run(make_run_config("whole"), reviews)
    worker.work(whole, threading.Event())
    expected = (store.find("classify", "whole").path / WEIGHTS_FILE).read_bytes()

    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    copy, note = kept(), worker.Journal.note

    def note_until_lost(self, event):
        note(self, event)
        if event.get("step") == 4:
            self.save()
            with (self.folder / EVENTS_FILE).open("a", encoding="utf-8") as events:
                events.write('{"event": "ste')  # half a line, as it may be found
            copy.save()
            raise MachineLost

    monkeypatch.setattr(worker.Journal, "note", note_until_lost)
    run_id = runs.start_run(make_run_config("cut"), reviews)
    with pytest.raises(MachineLost):
        worker.work(run_id, threading.Event())
    monkeypatch.setattr(worker.Journal, "note", note)
    assert load_state(folder_of(run_id)).state == "running"
    lose_home()

    kept()
    back = runs.read_run(run_id)
    assert (back.state, back.step["step"], back.pid) == ("interrupted", 4, None)
    assert store.find("classify", "whole").path.joinpath(WEIGHTS_FILE).read_bytes() == expected
    assert json.loads((folder_of(run_id) / EVENTS_FILE).read_text(encoding="utf-8").splitlines()[-1])["step"] == 4
    assert runs.recover_runs() == [run_id]
    steps = []

    def note_steps(self, event):
        steps.extend([event["step"]] if event["event"] == "step" else [])
        note(self, event)

    monkeypatch.setattr(worker.Journal, "note", note_steps)
    worker.work(run_id, threading.Event())
    assert runs.read_run(run_id).state == "done"
    assert min(steps) > 1, "it went on from its checkpoint"
    assert (store.find("classify", "cut").path / WEIGHTS_FILE).read_bytes() == expected
    assert not any(name.endswith((".sqlite3", "log.txt")) for name in files_of(served))


def test_what_people_own_comes_back_as_theirs(make_run_config, reviews, unborn_workers, kept, lose_home):
    visitor = access.Person("a" * 64)
    row = {"text": "A lamp", "label": "buy"}
    with access.acting_as(visitor):
        run_id = runs.start_run(make_run_config("theirs"), reviews)
        worker.work(run_id, threading.Event())
    corrections.keep(visitor.key, "classify", row)
    before = store.find("classify", "theirs")
    rows = (before.path / "report_rows.json").read_bytes()
    status = run_store.read_status(run_id)
    copy = kept()
    assert copy.save() > 0
    assert copy.save() == 0, "nothing has changed"
    lose_home()

    assert kept().save() == 0
    after = store.find("classify", "theirs")
    assert (after.owner, after.key) == (visitor.key, before.key)
    assert (after.path / "report_rows.json").read_bytes() == rows
    assert (after.path / "report_rows.json").stat().st_mode & 0o777 == 0o600
    assert (after.path / "report.html").is_file()
    assert run_store.read_status(run_id) == {**status, "pid": None}
    assert run_store.owner_of(run_id) == visitor.key
    assert corrections.rows_of(visitor.key, "classify") == [row]


def test_what_is_deleted_here_is_deleted_there_with_its_history(
    make_run_config, reviews, unborn_workers, kept, served, save_tiny_adapter
):
    run_id = runs.start_run(make_run_config(), reviews)
    record = save_tiny_adapter("ner", "people")
    save_tiny_adapter("ner", "others", seed=1)
    copy = kept()
    copy.save()
    assert any(path.startswith(f"runs/{run_id}/data/") for path in files_of(served))
    shutil.rmtree(settings.runs() / run_id)
    run_store.delete_run(run_id)
    edit.take_away(record)
    # Also after a start in between, which must not take it for lost.
    kept().save()
    assert {path.rpartition("/")[0] for path in files_of(served)} == {"", "adapters/ner/others"}
    assert served.repositories[REPOSITORY].commits == []


def test_a_run_under_way_is_sent_now_and_then_and_never_with_half_a_checkpoint(
    make_run_config, reviews, unborn_workers, kept, served, monkeypatch
):
    run_id = runs.start_run(make_run_config(), reviews)
    copy, folder = kept(), folder_of(run_id)
    checkpoint = folder / CHECKPOINT_FOLDER

    def sent(name):
        return files_of(served).get(f"runs/{run_id}/{CHECKPOINT_FOLDER}/{name}")

    def write(step, tensors, digest_of):
        (checkpoint / f"step-{step}.safetensors").write_bytes(tensors)
        digest = hashlib.sha256(digest_of).hexdigest()
        index = json.dumps({"file": f"step-{step}.safetensors", "sha256": digest})
        (checkpoint / "checkpoint.json").write_text(index, encoding="utf-8")

    assert copy.save() > 0
    checkpoint.mkdir()
    write(1, b"one", b"one")
    assert copy.save() == 0, "too early"
    save_state(replace(load_state(folder), state="running"))
    assert copy.save() > 0
    assert sent("step-1.safetensors") == b"one"
    monkeypatch.setattr(hub_store, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    write(2, b"tw", b"two")
    assert copy.save() == 0
    (checkpoint / "step-1.safetensors").unlink()
    write(2, b"two", b"two")
    copy.save()
    assert (sent("step-1.safetensors"), sent("step-2.safetensors")) == (None, b"two")


def test_a_home_that_vanished_deletes_nothing_there(kept, served, save_tiny_adapter):
    save_tiny_adapter("ner", "people")
    copy = kept()
    copy.save()
    before = dict(files_of(served))
    shutil.rmtree(settings.own_adapters())
    assert copy.save() == 0
    assert files_of(served) == before
    kept()
    assert store.find("ner", "people")


def test_a_run_whose_line_is_damaged_is_put_back_and_keeps_no_other_from_being_sent(
    make_run_config, reviews, unborn_workers, kept, served
):
    copy = kept()
    whole = runs.start_run(make_run_config("whole"), reviews)
    copy.save()
    before = files_of(served)[f"runs/{whole}/run.json"]
    with sqlite3.connect(settings.runs() / run_store.DATABASE_FILE) as table:
        table.execute("UPDATE runs SET status = '{' WHERE run_id = ?", (whole,))
    other = runs.start_run(make_run_config("other"), reviews)
    copy.save()
    assert files_of(served)[f"runs/{whole}/run.json"] == before
    assert f"runs/{other}/run.json" in files_of(served)
    kept()
    assert runs.read_run(whole).config.name == "whole"


def test_the_newer_of_two_is_kept(kept, served, save_tiny_adapter, lose_home, playground_home, monkeypatch):
    old = save_tiny_adapter("ner", "people")
    kept().save()
    shutil.copytree(playground_home, playground_home.with_name("elsewhere"))
    store.remove(old)
    time.sleep(1.1)
    new = save_tiny_adapter("ner", "people", seed=1)
    kept().save()
    monkeypatch.setenv("PLAYGROUND_HOME", str(playground_home.with_name("elsewhere")))
    assert store.find("ner", "people").key == old.key
    kept()
    assert store.find("ner", "people").key == new.key != old.key


def test_a_run_goes_on_while_the_hub_is_down(make_run_config, reviews, unborn_workers, kept, served):
    copy = kept()
    served.is_down = True
    run_id = runs.start_run(make_run_config(), reviews)
    assert not hub_keeper.attempt(copy, copy.save)
    assert "503" in hub_keeper.status()
    worker.work(run_id, threading.Event())
    assert load_state(folder_of(run_id)).state == "done"
    assert files_of(served) == {}
    served.is_down = False
    assert hub_keeper.attempt(copy, copy.save)
    assert f"runs/{run_id}/run.json" in files_of(served)
    assert REPOSITORY in hub_keeper.status()


def test_a_repository_that_is_not_there_is_made_private(kept, served):
    kept()
    assert served.repositories[REPOSITORY].private


def test_a_public_repository_is_refused_also_later(kept, served, save_tiny_adapter):
    served.repositories[REPOSITORY] = Repository(private=False)
    with pytest.raises(AdapterError, match="public repository"):
        kept()
    served.repositories[REPOSITORY].private = True
    copy = kept()
    served.repositories[REPOSITORY].private = False
    save_tiny_adapter()
    with pytest.raises(AdapterError, match="make it private"):
        copy.save()
    assert files_of(served) == {}


def test_a_token_that_is_none_or_wrong_is_refused(served):
    with pytest.raises(InputError, match="HF_TOKEN"):
        HubStore(REPOSITORY, served.api(token=None))
    with pytest.raises(AdapterError, match="token is not valid"):
        HubStore(REPOSITORY, served.api(token="hf_wrong")).fill()


@pytest.mark.parametrize(("repo_id", "says"), [("no id", "'no id' is no id of the Hub"), (REPOSITORY, "HF_TOKEN")])
def test_the_program_starts_without_its_repository_and_says_why(repo_id, says, monkeypatch, caplog):
    monkeypatch.setenv("PLAYGROUND_RUNS_REPO", repo_id)
    monkeypatch.setattr("playground.adapters.hub.get_token", lambda: None)
    with caplog.at_level(logging.WARNING):
        hub_keeper.start()
    assert says in hub_keeper.status()
    assert says in caplog.text


def test_a_hub_that_is_down_at_the_start_is_asked_again(
    make_run_config, reviews, unborn_workers, kept, served, lose_home, monkeypatch, save_tiny_adapter
):
    run_id = runs.start_run(make_run_config(), reviews)
    kept().save()
    lose_home()
    recovered = []
    monkeypatch.setenv("PLAYGROUND_RUNS_REPO", REPOSITORY)
    monkeypatch.setattr(hub_keeper, "connect", served.api)
    monkeypatch.setattr(hub_keeper, "SECONDS_BETWEEN_LOOKS", 0.02)
    monkeypatch.setattr(runs, "keep_recovering", lambda: recovered.extend(runs.recover_runs()))  # no second look later
    served.is_down = True
    before = set(threading.enumerate())
    lock = hub_keeper.start()
    assert "503" in hub_keeper.status()
    assert hub_keeper.start() is None, "one process a home"
    assert "Another process" in hub_keeper.status()
    save_tiny_adapter("ner", "people")
    served.is_down = False
    deadline = time.monotonic() + PATIENCE_S
    while "adapters/ner/people/playground.json" not in files_of(served) and time.monotonic() < deadline:
        time.sleep(0.02)
    lock.release()
    for thread in set(threading.enumerate()) - before:
        if thread.name == hub_keeper.THREAD:
            thread.join(PATIENCE_S)
    assert recovered == [run_id]
    assert "adapters/ner/people/playground.json" in files_of(served)


@pytest.mark.parametrize(
    "path",
    [
        f"runs/{RUN}/../../evil.json",
        f"/runs/{RUN}/config.json",
        f"runs/{RUN}/data/../config.json",
        f"runs/{RUN}/data/.hidden",
        f"runs/{RUN}/data/a/b.csv",
        f"runs/{RUN}/data/rows.pkl",
        f"runs/{RUN}/log.txt",
        f"runs/{RUN}/config.json\n",
        f"runs/{RUN}/checkpoint/step-1.bin",
        f"runs/{RUN[1:]}/config.json",
        "runs/runs.sqlite3",
        "adapters/ner/../people/playground.json",
        "adapters/ner/people/adapter_model.bin",
        "adapters/ner/people/report.html",
        "corrections/somebody/corrections-ner.jsonl",
        "corrections\\owner\\corrections-ner.jsonl",
        "backbones/x/model.safetensors",
    ],
)
def test_a_path_that_the_program_does_not_write_is_none_of_ours(path):
    assert place_of(path) is None


def test_nothing_strange_in_the_repository_reaches_the_home(
    make_run_config, reviews, unborn_workers, kept, served, lose_home, caplog, save_tiny_adapter
):
    """Paths, sizes, contents: each makes its own unit be left out, and the others come back."""
    names = ("good", "secret", "column", "owner", "rows", "large")
    ids = {name: runs.start_run(make_run_config(name), reviews) for name in names}
    for run_id in ids.values():
        worker_is_gone = {"state": "paused"}
        run_store.write_status(run_id, 1.0, "paused", None, run_store.read_status(run_id) | worker_is_gone)
    save_tiny_adapter("ner", "people")
    kept().save()
    files = files_of(served)

    def change(path, **values):
        files[path] = json.dumps(json.loads(files[path]) | values).encode()

    change(f"runs/{ids['secret']}/config.json", data="/etc/passwd", validation="/etc/passwd")
    change(f"runs/{ids['column']}/config.json", rank="many")
    change(f"runs/{ids['owner']}/run.json", owner="../../x")
    del files[f"runs/{ids['rows']}/data/My_reviews.csv"]
    files[f"runs/{ids['large']}/config.json"] = b" " * 2**20 + files[f"runs/{ids['large']}/config.json"]
    files["adapters/ner/people/adapter_model.safetensors"] += b"x"
    files |= {"runs/runs.sqlite3": b"SQLite", f"runs/{ids['good']}/evil.pkl": b"x", "../evil.json": b"{}"}
    sent = (settings.home() / hub_store.SENT_FILE).read_bytes()
    lose_home()
    settings.home().mkdir()
    (settings.home() / hub_store.SENT_FILE).write_bytes(sent)
    with caplog.at_level(logging.WARNING):
        copy = kept()
    assert {state.run_id for state in runs.list_runs()} == {ids["good"], ids["secret"]}
    config = runs.read_run(ids["secret"]).config
    assert config.data == str(settings.runs() / ids["secret"] / "data" / "My_reviews.csv")
    assert config.validation is None
    assert not any("evil" in name for name in in_home(settings.home().parent))
    assert not store.list_adapters("ner")
    for said in ("'../evil.json'", "rank", "'../../x'", "rows are missing", "larger than", "changed or damaged"):
        assert said in caplog.text
    before = dict(files)
    copy.save()
    assert before.keys() == files.keys(), "what could not be used is left alone"
    assert TOKEN not in caplog.text
