import os
import time
from dataclasses import replace

import pytest

from playground import settings
from playground.adapters import edit, store
from playground.adapters.edit import duplicate, list_removed, put_back, rename, take_away, take_away_broken
from playground.adapters.record import CARD_FILE, RECORD_FILE, WEIGHTS_FILE
from playground.errors import AdapterError

pytestmark = pytest.mark.usefixtures("no_shipped_adapters")


def names():
    return sorted(record.name for record in store.list_adapters())


def test_a_duplicate_has_the_same_weights_and_a_card_with_its_own_name(save_tiny_adapter):
    record = save_tiny_adapter()
    copy = duplicate(record, "second")
    store.verify(copy)
    assert names() == ["second", "tiny"]
    assert copy.files == record.files
    assert replace(copy, name="tiny", path=record.path) == record
    assert "# second" in (copy.path / CARD_FILE).read_text(encoding="utf-8")


def test_a_shipped_adapter_can_be_duplicated_but_not_renamed_or_taken_away(save_tiny_adapter, no_shipped_adapters):
    folder = no_shipped_adapters / "sentiment" / "ours"
    record = replace(save_tiny_adapter(name="ours", folder=folder), origin="shipped")
    assert duplicate(record, "mine").origin == "own"
    for attempt in (lambda: rename(record, "other"), lambda: take_away(record)):
        with pytest.raises(AdapterError, match="belongs to the program"):
            attempt()
    assert names() == ["mine", "ours"]


def test_renaming_leaves_one_adapter_under_the_new_name(save_tiny_adapter):
    renamed = rename(save_tiny_adapter(), "better")
    assert names() == ["better"]
    store.verify(renamed)


@pytest.mark.parametrize(("name", "message"), [("taken", "already an adapter"), ("Bad Name", "can't be the name")])
def test_a_name_that_is_taken_or_none_changes_nothing(save_tiny_adapter, name, message):
    record = save_tiny_adapter()
    save_tiny_adapter(name="taken", seed=1)
    with pytest.raises(AdapterError, match=message):
        rename(record, name)
    assert names() == ["taken", "tiny"]


def test_a_tampered_adapter_is_not_copied(save_tiny_adapter):
    record = save_tiny_adapter()
    with (record.path / WEIGHTS_FILE).open("ab") as weights:
        weights.write(b"\0")
    with pytest.raises(AdapterError, match="changed or damaged"):
        duplicate(record, "second")


def test_what_was_taken_away_is_in_no_list_and_can_be_put_back(save_tiny_adapter):
    record = save_tiny_adapter()
    removed = take_away(record)
    assert (names(), store.list_broken()) == ([], [])
    assert put_back(removed) == record
    assert names() == ["tiny"]
    with pytest.raises(AdapterError, match="already an adapter"):
        put_back(removed)


def test_a_name_that_was_given_away_is_not_overwritten(save_tiny_adapter):
    removed = take_away(save_tiny_adapter())
    other = save_tiny_adapter(seed=5)
    with pytest.raises(AdapterError, match="already an adapter"):
        put_back(removed)
    assert store.find("sentiment", "tiny").files == other.files


def test_what_was_taken_away_is_found_again_by_another_process(save_tiny_adapter):
    first = take_away(save_tiny_adapter())
    os.utime(first.path, (time.time() - 60, time.time() - 60))
    second = take_away(save_tiny_adapter(seed=5))
    assert list_removed() == [second, first]
    assert put_back(list_removed()[0]).name == "tiny"
    assert list_removed() == [first]
    os.utime(first.path, (0, 0))
    assert list_removed() == []


@pytest.mark.parametrize("left", [[], [RECORD_FILE], [WEIGHTS_FILE]])
def test_a_broken_folder_can_be_taken_away_so_that_its_name_is_free(save_tiny_adapter, left):
    record = save_tiny_adapter()
    for path in record.path.iterdir():
        if path.name not in left:
            path.unlink()
    ((folder, _),) = store.list_broken()
    removed = take_away_broken(folder)
    assert store.list_broken() == []
    assert (removed.task, removed.name) == ("sentiment", "tiny")
    assert save_tiny_adapter().name == "tiny"
    assert list_removed() == [removed]


def test_a_broken_folder_of_the_program_stays(save_tiny_adapter, no_shipped_adapters):
    folder = no_shipped_adapters / "sentiment" / "ours"
    folder.mkdir(parents=True)
    with pytest.raises(AdapterError, match="belongs to the program"):
        take_away_broken(folder)
    assert folder.is_dir()


def test_after_a_day_it_is_gone_for_good(save_tiny_adapter):
    removed = take_away(save_tiny_adapter())
    long_ago = time.time() - edit.KEPT_FOR_S - 60
    os.utime(removed.path, (long_ago, long_ago))
    take_away(save_tiny_adapter(name="next"))
    with pytest.raises(AdapterError, match="gone for good"):
        put_back(removed)
    assert len(list((settings.own_adapters() / edit.REMOVED_FOLDER).iterdir())) == 1
