from concurrent.futures import ThreadPoolExecutor

import pytest

from playground import access, settings
from playground.access import NOBODY, OWNER, Person
from playground.errors import AccessError, InputError

ANN, BOB = Person("a" * 64), Person("b" * 64)


@pytest.fixture(autouse=True)
def unknown_people(monkeypatch):
    monkeypatch.setattr(access, "_known_by", [])


def test_alone_on_a_machine_one_is_the_owner_and_sees_everything():
    assert access.current() == OWNER
    assert OWNER.sees("")
    assert OWNER.sees(ANN.key)
    assert access.problem() == ""


@pytest.mark.parametrize(
    ("person", "owner", "sees"),
    [(ANN, ANN.key, True), (ANN, BOB.key, False), (ANN, "", False), (NOBODY, "", False), (NOBODY, ANN.key, False)],
)
def test_a_visitor_sees_their_own_things_only(person, owner, sees):
    assert person.sees(owner) is sees


def test_who_is_asking_is_known_in_every_thread_and_can_be_set_for_a_block():
    access.ask(lambda: NOBODY)
    with access.acting_as(ANN):
        assert access.current() == ANN
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(access.current).result() == NOBODY
    assert access.current() == NOBODY


@pytest.mark.parametrize("key", ["../..", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_a_key_is_a_hash_and_nothing_else(key):
    with pytest.raises(ValueError, match="64"):
        Person(key)


def test_nobody_and_visitors_of_a_read_only_page_may_change_nothing(monkeypatch):
    with access.acting_as(NOBODY), pytest.raises(AccessError, match="cookie"):
        access.must_change()
    monkeypatch.setenv("PLAYGROUND_READ_ONLY", "1")
    with access.acting_as(ANN), pytest.raises(AccessError, match="for trying only"):
        access.must_change()
    with access.acting_as(OWNER):
        access.must_change()


@pytest.mark.parametrize(
    ("environment", "is_shared"),
    [
        ({}, False),
        ({"HOST": "127.0.0.1"}, False),
        ({"HOST": "0.0.0.0"}, True),
        ({"GRADIO_SERVER_NAME": "192.168.0.5"}, True),
        ({"SPACE_ID": "someone/playground"}, True),
        ({"PLAYGROUND_SHARED": "1"}, True),
        ({"PLAYGROUND_OWNER_PASSWORD": "secret"}, True),
        ({"HOST": "0.0.0.0", "PLAYGROUND_SHARED": "0"}, False),
        ({"PLAYGROUND_READ_ONLY": "1", "PLAYGROUND_SHARED": "0"}, True),
        ({"PLAYGROUND_READ_ONLY": "0"}, False),
    ],
)
def test_a_page_is_shared_when_others_can_reach_it(environment, is_shared, monkeypatch):
    for name in ("HOST", "GRADIO_SERVER_NAME", "SPACE_ID", "PLAYGROUND_SHARED", "PLAYGROUND_OWNER_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert settings.is_shared() is is_shared


@pytest.mark.parametrize("value", ["many", "-1", "1.5", "²"])
def test_a_limit_that_is_no_number_is_named(value, monkeypatch):
    monkeypatch.setenv("PLAYGROUND_MAX_RUNS", value)
    with pytest.raises(InputError, match=f"PLAYGROUND_MAX_RUNS is '{value}'"):
        settings.check_limits()
