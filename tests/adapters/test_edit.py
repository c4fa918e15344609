import os
import time
from dataclasses import replace

import pytest

from playground import settings
from playground.adapters import edit, store
from playground.adapters.edit import duplicate, put_back, rename, take_away
from playground.adapters.record import CARD_FILE, WEIGHTS_FILE
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


def test_after_a_day_it_is_gone_for_good(save_tiny_adapter):
    removed = take_away(save_tiny_adapter())
    long_ago = time.time() - edit.KEPT_FOR_S - 60
    os.utime(removed.path, (long_ago, long_ago))
    take_away(save_tiny_adapter(name="next"))
    with pytest.raises(AdapterError, match="gone for good"):
        put_back(removed)
    assert len(list((settings.own_adapters() / edit.REMOVED_FOLDER).iterdir())) == 1
