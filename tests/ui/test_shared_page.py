"""What the parts of a shared page show and do for people who must not see each other's things."""

import pytest

from playground import access
from playground.access import NOBODY, OWNER, Person
from playground.errors import AccessError
from playground.training import corrections
from playground.ui import adapters_hub, finetune_corrections

ANN, BOB = Person("a" * 64), Person("b" * 64)
ROW = {"text": "Molto bello.", "label": "positive"}


def offered_to(person):
    """How many tasks have corrections for that person."""
    source = finetune_corrections.CorrectionSource(
        "task", "use", "one", "withdraw", "forget", "undo", "gone", "outcome"
    )
    with access.acting_as(person):
        return len(finetune_corrections.refreshed(source)["task"].choices)


def test_corrections_are_their_persons_alone(tmp_path):
    corrections.keep(ANN.key, "sentiment", ROW)
    corrections.keep(OWNER.key, "sentiment", ROW)
    assert [offered_to(person) for person in (ANN, OWNER, BOB, NOBODY)] == [1, 1, 0, 0]
    with access.acting_as(NOBODY), pytest.raises(AccessError):
        finetune_corrections.as_file("sentiment", tmp_path)
    with access.acting_as(ANN):
        taken = finetune_corrections.as_file("sentiment", tmp_path)
    assert "Molto bello" in taken.read_text(encoding="utf-8")


def test_only_the_owner_pushes_with_the_token_of_the_machine(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    monkeypatch.setattr(adapters_hub, "get_token", lambda: "hf_given")
    for person, may_push in ((OWNER, True), (ANN, False), (NOBODY, False)):
        with access.acting_as(person):
            assert adapters_hub.can_push() is may_push
