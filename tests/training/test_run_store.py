import errno
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from playground import settings
from playground.training import run_store
from playground.training.run_store import delete_run, durations_s, read_status, run_ids, write_status


def write_often(run_id):
    for number in range(50):
        write_status(run_id, float(ord(run_id)), "running", None, {"number": number, "filler": "x" * 2000})


def test_looking_makes_no_file():
    assert read_status("a") is None
    assert run_ids() == []
    assert not settings.runs().exists()


def test_the_last_word_counts():
    write_status("a", 1.0, "running", None, {"message": "Training"})
    write_status("a", 1.0, "done", 60.0, {"message": "Fertig · تم"})
    assert read_status("a") == {"message": "Fertig · تم"}
    delete_run("a")
    assert read_status("a") is None


def test_runs_are_found_by_state_in_the_order_of_their_making():
    for run_id, created, state in [
        ("a", 3.0, "done"),
        ("b", 1.0, "running"),
        ("c", 2.0, "waiting"),
        ("d", 4.0, "done"),
    ]:
        write_status(run_id, created, state, created * 10, {})
    assert run_ids() == ["b", "c", "a", "d"]
    assert run_ids("running", "waiting") == ["b", "c"]
    assert durations_s("done", 1) == [40.0]


def test_writers_do_not_disturb_each_other():
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        list(pool.map(write_often, "abc"))
    assert [read_status(run_id)["number"] for run_id in "abc"] == [49, 49, 49]
    with sqlite3.connect(settings.runs() / run_store.DATABASE_FILE) as table:
        assert table.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_full_disk_is_told_as_one(monkeypatch):
    write_status("a", 1.0, "running", None, {})
    monkeypatch.setattr(run_store, "SCHEMA", "PRAGMA max_page_count = 1")
    with pytest.raises(OSError, match="full") as caught:
        write_status("b", 1.0, "running", None, {"filler": "x" * 100_000})
    assert caught.value.errno == errno.ENOSPC
    assert run_ids() == ["a"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_keeps_nobody_from_reading(monkeypatch, code):
    """In write-ahead mode, SQLite needs space even to read; of a used up share it says 'disk I/O error' alone."""
    write_status("a", 1.0, "running", None, {"step": 7})
    real_connect = sqlite3.connect

    def on_a_full_disk(path, **options):
        if "immutable" not in str(path):
            raise sqlite3.OperationalError("disk I/O error")
        return real_connect(path, **options)

    def refusing(**_):
        raise OSError(code, "no space")

    monkeypatch.setattr(sqlite3, "connect", on_a_full_disk)
    monkeypatch.setattr(run_store.tempfile, "TemporaryFile", refusing)
    assert read_status("a") == {"step": 7}
    assert run_ids("running") == ["a"]
    with pytest.raises(OSError, match="can't be used") as caught:
        write_status("b", 1.0, "running", None, {})
    assert caught.value.errno == errno.ENOSPC


def test_a_file_that_is_no_table_is_refused():
    settings.runs().mkdir(parents=True)
    (settings.runs() / run_store.DATABASE_FILE).write_bytes(b"no table at all" * 100)
    with pytest.raises(OSError, match="not a database"):
        run_ids()


def test_a_table_of_an_earlier_version_gets_owners():
    path = settings.runs() / run_store.DATABASE_FILE
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as table:
        columns = "run_id TEXT PRIMARY KEY, created REAL NOT NULL, state TEXT NOT NULL, duration_s REAL"
        table.execute(f"CREATE TABLE runs ({columns}, status TEXT NOT NULL)")
        table.execute("INSERT INTO runs VALUES ('old', 1.0, 'done', 5.0, '{}')")
    table.close()
    assert run_store.owner_of("old") == ""
    write_status("new", 2.0, "done", 5.0, {}, "a" * 64)
    assert run_store.run_ids_of("a" * 64) == ["new"]
    assert run_store.run_ids_of("") == ["old"]
    assert run_ids() == ["old", "new"]
    assert run_store.owner_of("gone") is None
