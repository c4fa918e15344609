from collections import Counter

import pytest

from playground.data.splits import MAX_HELD_OUT, check_split, marking_field, split
from playground.errors import DataError, InputError
from playground.types import Row


def labelled(num: int, labels: str) -> list[Row]:
    return [{"text": f"text number {i}", "label": labels[i % len(labels)], "i": i} for i in range(num)]


def indices(rows: list[Row]) -> list[int]:
    return [row["i"] for row in rows]


def test_every_row_is_on_one_side_and_in_its_order() -> None:
    rows = labelled(100, "ab")
    training, held_out = split(rows, "classify")
    assert sorted(indices(training) + indices(held_out)) == list(range(100))
    assert indices(training) == sorted(indices(training))
    assert indices(held_out) == sorted(indices(held_out))
    assert len(held_out) == 10


def test_labels_keep_their_shares() -> None:
    _, held_out = split(labelled(1000, "aaaaaabbbc"), "classify")
    assert Counter(row["label"] for row in held_out) == {"a": 60, "b": 30, "c": 10}


def test_a_rare_label_is_never_held_out_entirely() -> None:
    rows = [*labelled(40, "a"), {"text": "the only one", "label": "rare", "i": 40}]
    for seed in range(20):
        training, _ = split(rows, "classify", seed=seed, fraction=0.5)
        assert "rare" in {row["label"] for row in training}


def test_the_seed_decides() -> None:
    rows = labelled(200, "ab")
    assert split(rows, "classify", seed=1) == split(rows, "classify", seed=1)
    assert split(rows, "classify", seed=1) != split(rows, "classify", seed=2)


def test_the_same_text_is_never_on_both_sides() -> None:
    variants = ["Good Thing {}", "good  thing {}", "GOOD THING {}\n", "ｇｏｏｄ thing {}"]
    rows: list[Row] = [{"text": form.format(i), "label": "ab"[i % 2], "k": i} for form in variants for i in range(30)]
    training, held_out = split(rows, "sentiment", fraction=0.2)
    assert held_out
    assert not {row["k"] for row in training} & {row["k"] for row in held_out}


def test_questions_about_one_context_stay_together() -> None:
    rows: list[Row] = [{"context": f"context {i % 25}", "question": f"question {i}", "answers": []} for i in range(100)]
    training, held_out = split(rows, "qa")
    assert len(held_out) == 8
    assert not {row["context"] for row in training} & {row["context"] for row in held_out}


def test_conversations_are_grouped_by_what_was_asked() -> None:
    rows: list[Row] = [
        {"messages": [{"role": "user", "content": f"q{i % 5}"}, {"role": "assistant", "content": f"a{i}"}], "k": i % 5}
        for i in range(20)
    ]
    training, held_out = split(rows, "instruct", fraction=0.2)
    assert not {row["k"] for row in training} & {row["k"] for row in held_out}


@pytest.mark.parametrize("num", [4, 5, 9, 11])
def test_small_data_has_one_held_out_row(num: int) -> None:
    for labels in ("a", "ab", "abcdefghijk"):
        training, held_out = split(labelled(num, labels), "classify")
        assert (len(training), len(held_out)) == (num - 1, 1)


def test_no_more_than_the_limit_is_held_out() -> None:
    training, held_out = split(labelled(20_000, "abc"), "classify")
    assert len(held_out) == MAX_HELD_OUT
    assert len(training) == 19_500


def test_two_large_groups_are_still_split() -> None:
    rows: list[Row] = [{"context": "ab"[i % 2], "question": str(i)} for i in range(1400)]
    training, held_out = split(rows, "qa")
    assert (len(training), len(held_out)) == (700, MAX_HELD_OUT)
    assert {row["context"] for row in training} != {row["context"] for row in held_out}


@pytest.mark.parametrize("num", [0, 1, 3])
def test_too_few_rows_are_refused(num: int) -> None:
    with pytest.raises(DataError, match=f"There are {num} usable rows; at least 4"):
        split(labelled(num, "a"), "classify")


def test_rows_with_one_input_are_refused() -> None:
    with pytest.raises(DataError, match="All 9 rows have the same input"):
        split([{"text": "same", "label": "x"}] * 9, "classify")


def test_whole_groups_are_held_out() -> None:
    rows: list[Row] = [{"text": f"text {i}", "label": "ab"[i % 2], "customer": f"c{i % 20}"} for i in range(200)]
    training, held_out = split(rows, "classify", how="group", field="customer")
    assert len(held_out) == 20
    assert not {row["customer"] for row in training} & {row["customer"] for row in held_out}
    assert split(rows, "classify", how="group", field="customer", seed=1)[1] != held_out


def test_rows_without_a_group_are_one_each() -> None:
    rows: list[Row] = [{"text": f"text {i}", "customer": None} for i in range(20)]
    training, held_out = split(rows, "classify", how="group", field="customer")
    assert (len(training), len(held_out)) == (18, 2)


def test_the_newest_rows_are_held_out_whatever_their_order() -> None:
    rows: list[Row] = [{"text": f"text {i}", "day": f"{i * 5 % 28 + 1}.2.2024", "i": i * 5 % 28} for i in range(28)]
    training, held_out = split(rows, "classify", how="time", field="day")
    assert sorted(indices(held_out)) == [25, 26, 27]
    assert max(indices(training)) == 24
    assert split(rows, "classify", how="time", field="day", seed=5) == (training, held_out)


def test_rows_of_one_time_stay_together_and_those_without_are_learnt_from() -> None:
    times = [2020, None, 2021, 2021, 2021, 2022, 2022, 2022, 2022, ""]
    rows: list[Row] = [{"text": f"text {i}", "year": year} for i, year in enumerate(times)]
    training, held_out = split(rows, "classify", how="time", field="year")
    assert {row["year"] for row in held_out} == {2022}
    assert len(training) == 6


@pytest.mark.parametrize(
    ("how", "values", "says"),
    [
        ("group", ["x"] * 5, "have the same 'c'"),
        ("time", [2020] * 5, "All 5 rows have the same 'c'"),
        ("time", ["2020", "soon", "later", "never", "x"], "Only 1 of 5 rows .* 'soon'"),
    ],
)
def test_a_column_that_can_not_split_is_refused(how: str, values: list[object], says: str) -> None:
    with pytest.raises(DataError, match=says):
        split([{"text": f"t{i}", "c": value} for i, value in enumerate(values)], "classify", how=how, field="c")


def test_a_split_is_checked_by_name() -> None:
    with pytest.raises(InputError, match="no split 'random'; there are stratified, group, time"):
        check_split("random", "")
    with pytest.raises(InputError, match="The split 'time' needs a column"):
        check_split("time", "")
    check_split("stratified", "")


def marked(*marks: str) -> list[Row]:
    return [{"text": f"text {i}", "label": "ab"[i % 2], "set": mark, "i": i} for i, mark in enumerate(marks)]


def test_a_column_of_marks_decides_and_validation_gives_way_to_test() -> None:
    rows = marked("train", "Train ", "TEST", "train", "dev", "test")
    training, held_out = split(rows, "classify", how="marked", field="set")
    assert (indices(training), indices(held_out)) == ([0, 1, 3], [2, 5])
    training, held_out = split(marked("train", "validation", "train", "unused"), "classify", how="marked", field="set")
    assert (indices(training), indices(held_out)) == ([0, 2], [1])


def test_of_many_marked_rows_some_are_held_out_from_all_places() -> None:
    rows = marked(*["train"] * 5, *["test"] * (3 * MAX_HELD_OUT))
    _, held_out = split(rows, "classify", how="marked", field="set")
    assert len(held_out) == MAX_HELD_OUT
    assert indices(held_out)[0] < 100
    assert indices(held_out)[-1] > 3 * MAX_HELD_OUT - 100


@pytest.mark.parametrize(("mark", "missing"), [("train", "test or validation"), ("test", "train"), ("x", "train")])
def test_marks_that_leave_nothing_on_one_side_are_told(mark: str, missing: str) -> None:
    with pytest.raises(DataError, match=f"'set' marks no row as {missing}; it has '{mark}'"):
        split(marked(*[mark] * 6), "classify", how="marked", field="set")


def test_the_column_of_marks_is_found() -> None:
    rows = marked("train", "train", "test", "dev")
    assert marking_field(rows, ["text", "label", "set"]) == "set"
    assert marking_field(rows, ["text", "label"]) is None
    assert marking_field(marked("train", "train"), ["set"]) is None
    assert marking_field(marked("train", "test", "other"), ["set"]) is None
