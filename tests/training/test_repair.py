"""Fixes and splits on the rows of a run, before anything is learnt."""

from collections import Counter
from dataclasses import replace

import pytest

from playground.data.fixes import MAX_REPEATS
from playground.errors import DataError, InputError
from playground.tasks import get_task
from playground.training.config import make_config
from playground.training.material import read_material
from playground.training.repair import split_words, without_leaks

TEXTS = ("The council voted on Tuesday to close the {} to cars from next spring", "My {} broke after {} days of use")
PLACES = "High Street|market|old harbour|bridge|station square|park|town hall|east gate|west gate|canal".split("|")


@pytest.fixture
def tickets(tmp_path):
    """30 rows with dates and customers, 2 exact and 2 near duplicates, a contradiction, and addresses."""
    lines = ["when,customer,comment,team"]
    for n in range(10):
        lines.append(f"2024-01-{n + 1:02},c{n % 5},{TEXTS[0].format(PLACES[n])},city")
        lines.append(f"2024-02-{n + 1:02},c{n % 5},{TEXTS[1].format(PLACES[n], n)},shop")
    lines += lines[1:3]
    lines += [f"2024-03-01,c9,{lines[n].split(',')[2]}!!,{lines[n].split(',')[3]}" for n in (3, 4)]
    lines += ["2024-03-02,c9,Same words,shop", "2024-03-03,c9,same WORDS,city"]
    lines += [f"2024-04-0{n},c8,Write to me{n}@example.com about number {n},shop" for n in range(1, 5)]
    path = tmp_path / "tickets.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def material(tickets):
    def read(**settings):
        config = make_config("classify", tickets, "tickets", "best", "tiny", **settings)
        return read_material(config, get_task("classify"))

    return read


def all_rows(material):
    return [*material.training, *material.held_out, *material.spare]


def test_without_fixes_all_rows_are_used(material):
    found = material()
    assert found.fixes == {}
    assert len(all_rows(found)) + found.duplicates == 30


def test_fixes_are_done_before_the_split_and_counted(material):
    fixes = ["drop-exact-duplicates", "drop-near-duplicates", "drop-conflicts", "mask-email", "mask-phone"]
    found = material(fixes=fixes)
    assert found.fixes == {
        "mask-email": 4,
        "mask-phone": 0,
        "drop-exact-duplicates": 2,
        "drop-conflicts": 2,
        "drop-near-duplicates": 2,
    }
    texts = [row["text"] for row in all_rows(found)]
    assert len(texts) == len(set(texts)) == 24
    assert not any("example.com" in text for text in texts)
    assert sum("[EMAIL]" in text for text in texts) == 4


def test_the_original_file_is_never_changed(material, tickets):
    before = tickets.read_bytes()
    material(fixes=["mask-pii", "drop-conflicts"])
    assert tickets.read_bytes() == before


@pytest.mark.parametrize("seed", range(5))
def test_near_duplicates_never_leak_from_the_rows_held_out(material, seed):
    found = material(seed=seed)
    held = {row["text"].rstrip("!") for row in found.held_out}
    assert not held & {row["text"].rstrip("!") for row in found.training}


def test_only_the_rows_to_learn_from_are_balanced(material):
    plain = material(seed=3, fixes=["drop-exact-duplicates"])
    found = material(seed=3, fixes=["drop-exact-duplicates", "balance-labels"])
    counts = Counter(row["label"] for row in found.training)
    assert counts["city"] == counts["shop"]
    assert found.held_out == plain.held_out
    assert found.fixes["balance-labels"] == len(found.training) - len(plain.training) > 0
    assert max(Counter(row["text"] for row in found.training).values()) <= MAX_REPEATS


def test_the_newest_rows_or_whole_customers_are_held_out(material):
    newest = material(split="time", split_column="when")
    assert min(row["when"] for row in newest.held_out) > max(row["when"] for row in newest.training)
    grouped = material(split="group", split_column="customer")
    assert not {row["customer"] for row in grouped.held_out} & {row["customer"] for row in grouped.training}


def test_rows_that_a_split_takes_for_nothing_are_counted(material, tickets):
    lines = tickets.read_text(encoding="utf-8").splitlines()
    marks = ["use", *(["train", "train", "test", "other"][n % 4] for n in range(len(lines) - 1))]
    tickets.write_text("".join(f"{line},{mark}\n" for line, mark in zip(lines, marks, strict=True)), encoding="utf-8")
    found = material(split="marked", split_column="use")
    assert found.num_unused == marks.count("other")
    assert not found.spare
    assert material().num_unused == 0


def test_rows_marked_as_validation_beside_a_test_are_there_to_watch(material, tickets):
    lines = tickets.read_text(encoding="utf-8").splitlines()
    marks = ["use", *(["train", "train", "test", "dev"][n % 4] for n in range(len(lines) - 1))]
    tickets.write_text("".join(f"{line},{mark}\n" for line, mark in zip(lines, marks, strict=True)), encoding="utf-8")
    found = material(split="marked", split_column="use")
    assert {row["use"] for row in found.spare} == {"dev"}
    assert {row["use"] for row in found.held_out} == {"test"}
    assert {row["use"] for row in found.training} == {"train"}
    assert found.num_unused == 0


def test_a_column_that_fills_a_field_can_split_too(material):
    found = material(split="group", split_column="team")
    assert {row["label"] for row in found.held_out}.isdisjoint({row["label"] for row in found.training})


def test_a_column_that_is_not_there_is_refused_with_those_that_are(material):
    with pytest.raises(DataError, match="no column 'date' to split by; the columns are when, customer, comment, team"):
        material(split="time", split_column="date")


def test_fixes_that_leave_nothing_are_refused(tickets, material):
    tickets.write_text("comment,team\n" + "Same words,a\nsame words,b\n" * 4)
    with pytest.raises(DataError, match="No row is left after drop-conflicts"):
        material(fixes=["drop-conflicts"])


def test_own_rows_are_masked_too_and_none_of_them_is_dropped(material, tmp_path):
    held = tmp_path / "held.csv"
    held.write_text("text,label\n" + "Mail a@b.com now,shop\n" * 3 + "Another one,city\n", encoding="utf-8")
    columns = {"text": "comment", "label": "team"}
    fixes = ["mask-email", "drop-exact-duplicates"]
    found = material(validation=str(held), fixes=fixes, columns=columns)
    assert Counter(row["text"] for row in found.held_out) == {"Mail [EMAIL] now": 3, "Another one": 1}
    assert found.fixes == {"mask-email": 4, "drop-exact-duplicates": 2}


def test_unknown_fixes_and_splits_are_refused_when_the_run_is_made(material):
    with pytest.raises(InputError, match="no fix 'polish'"):
        material(fixes=["polish"])
    with pytest.raises(InputError, match="The split 'time' needs a column"):
        material(split="time")


def test_the_record_says_what_was_held_out(tickets):
    config = make_config("classify", tickets, "t", "quick", "tiny", seed=3)
    assert split_words(config) == "stratified, seed 3"
    assert split_words(replace(config, split="time", split_column="when")) == "time by 'when', seed 3"
    assert split_words(replace(config, validation="/secret/folder/held.csv")) == "own file held.csv"


def test_a_conversation_that_goes_on_after_one_held_out_is_left_out():
    said = [
        {"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(["Hi", "Ho", "So?", "Yes"])
    ]
    rows = [{"messages": said}, {"messages": [*said[:2], {"role": "user", "content": "No?"}, said[3]]}]
    assert without_leaks("instruct", rows, [{"messages": said[:2]}]) == ([], 2)
    assert without_leaks("instruct", rows, [{"messages": said}]) == (rows[1:], 1)
