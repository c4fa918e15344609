"""Adapters of many people in one home."""

import json
import zipfile

import pytest

from playground import access
from playground.access import NOBODY, OWNER, Person
from playground.adapters import edit
from playground.adapters.store import (
    OWNER_FILE,
    choose,
    default_adapter,
    find,
    list_adapters,
    list_broken,
    new_folder,
    owner_of,
    remove,
)
from playground.adapters.transfer import export_zip, import_zip
from playground.errors import AccessError, AdapterError

ANN, BOB = Person("a" * 64), Person("b" * 64)
pytestmark = pytest.mark.usefixtures("no_shipped_adapters")


@pytest.fixture
def save(save_tiny_adapter):
    def save_for(person, name, task="sentiment"):
        with access.acting_as(person):
            save_tiny_adapter(task, name)
            return find(task, name)

    return save_for


def seen_by(person):
    with access.acting_as(person):
        return {record.name for record in list_adapters()}


def test_each_sees_their_own_and_the_owner_sees_all(save):
    save(ANN, "anns")
    save(BOB, "bobs")
    save(OWNER, "old")
    assert seen_by(ANN) == {"anns"}
    assert seen_by(BOB) == {"bobs"}
    assert seen_by(NOBODY) == set()
    assert seen_by(OWNER) == {"anns", "bobs", "old"}


@pytest.mark.parametrize("look", [lambda name: find("sentiment", name), lambda name: choose(["sentiment"], name)])
def test_an_adapter_of_somebody_else_is_as_unknown_as_one_that_is_not_there(save, look):
    save(ANN, "anns")
    with access.acting_as(BOB):
        with pytest.raises(AdapterError) as unseen:
            look("anns")
        with pytest.raises(AdapterError) as unknown:
            look("none-such")
    assert str(unseen.value) == str(unknown.value).replace("none-such", "anns")


def test_a_broken_folder_of_somebody_else_is_not_mentioned(save):
    (save(ANN, "anns").path / "playground.json").write_text("{")
    with access.acting_as(BOB):
        assert list_broken() == []
        with pytest.raises(AdapterError, match="There is no adapter 'anns'"):
            find("sentiment", "anns")
    with access.acting_as(ANN):
        assert len(list_broken()) == 1


def test_nobody_gets_an_adapter_of_somebody_else_by_default_not_even_the_owner(save):
    save(ANN, "anns")
    for person, name in ((BOB, None), (OWNER, None), (ANN, "anns")):
        with access.acting_as(person):
            found = default_adapter("sentiment", "tiny")
            assert (found.name if found else None) == name


def test_only_its_own_person_and_the_owner_can_remove_an_adapter(save):
    record = save(ANN, "anns")
    with access.acting_as(BOB), pytest.raises(AccessError):
        remove(record)
    assert record.path.exists()
    with access.acting_as(OWNER):
        remove(find("sentiment", "anns"))
    assert not record.path.exists()


def test_a_name_that_somebody_else_has_is_taken(save):
    save(ANN, "lamps")
    with (
        access.acting_as(BOB),
        pytest.raises(AdapterError, match="already an adapter"),
        new_folder("sentiment", "lamps"),
    ):
        pass


def test_whose_an_adapter_is_goes_nowhere_with_it(save, tmp_path):
    record = save(ANN, "anns")
    with access.acting_as(ANN):
        archive = export_zip(record, tmp_path)
    with zipfile.ZipFile(archive) as packed:
        assert not any(OWNER_FILE in name for name in packed.namelist())
        assert not any(ANN.key.encode() in packed.read(name) for name in packed.namelist())
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr(f"anns/{OWNER_FILE}", json.dumps({"owner": ANN.key}))
    with access.acting_as(BOB):
        assert import_zip(archive, name="bobs").owner == BOB.key
    assert seen_by(ANN) == {"anns"}


@pytest.mark.parametrize("mark", ["{", "[]", '{"owner": 5}', '{"owner": "../.."}', "{}", '{"owner": null}'])
def test_a_damaged_mark_gives_the_adapter_to_the_owner_alone(save, mark):
    record = save(ANN, "anns")
    (record.path / OWNER_FILE).write_text(mark)
    assert owner_of(record.path) == ""
    assert seen_by(ANN) == set()
    assert seen_by(OWNER) == {"anns"}


def test_a_renamed_adapter_stays_its_persons_and_one_taken_away_comes_back_to_them_alone(save):
    record = save(ANN, "anns")
    with access.acting_as(OWNER):
        renamed = edit.rename(record, "better")
    assert renamed.owner == ANN.key
    with access.acting_as(BOB):
        for change in (lambda: edit.rename(renamed, "mine"), lambda: edit.take_away(renamed)):
            with pytest.raises(AccessError):
                change()
    with access.acting_as(ANN):
        removed = edit.take_away(renamed)
    with access.acting_as(BOB), pytest.raises(AccessError):
        edit.put_back(removed)
    with access.acting_as(BOB):
        assert edit.list_removed() == []
    with access.acting_as(ANN):
        assert edit.list_removed() == [removed]
        assert edit.put_back(removed).owner == ANN.key


def test_a_copy_is_the_one_who_made_it(save):
    record = save(ANN, "anns")
    with access.acting_as(ANN):
        assert edit.duplicate(record, "copy").owner == ANN.key
    with access.acting_as(OWNER):
        assert edit.duplicate(record, "owners-copy").owner == ""


def test_two_people_can_bring_the_same_adapter(save, tmp_path):
    archive = export_zip(save(ANN, "lamps"), tmp_path)
    with access.acting_as(BOB):
        assert import_zip(archive).name == "lamps-2"
        with pytest.raises(AdapterError, match="already an adapter 'sentiment/lamps-2'"):
            import_zip(archive, name="lamps-2")
    with access.acting_as(ANN), pytest.raises(AdapterError, match="already an adapter 'sentiment/lamps'"):
        import_zip(archive)
