"""Columns of 0 and 1 whose names are the labels."""

import json

import pytest

from playground.data.columns import propose
from playground.data.rows import map_table

TEXTS = ["The parcel is late", "The bill is wrong", "It broke at once", "Nobody answers me"]
HEADER = "id,text,delivery,billing,quality"
ROWS = ["1,0,0", "0,1,0", "0,0,1", "1,0,0"]


def csv_of(rows):
    lines = (f"{n},{text},{flags}" for n, (text, flags) in enumerate(zip(TEXTS * 5, rows * 5, strict=True)))
    return "\n".join([HEADER, *lines]) + "\n"


@pytest.mark.parametrize("written", [("0", "1"), ("FALSE", "True"), ("0.0", "1.0")])
def test_a_single_one_in_each_row_names_its_label(read_as, written):
    none, one = written
    content = csv_of([flags.replace("1", "x").replace("0", none).replace("x", one) for flags in ROWS])
    table = read_as("tickets.csv", content)
    found = map_table(table, propose(table))
    assert [row["label"] for row in found.rows[:4]] == ["delivery", "billing", "quality", "delivery"]
    assert found.rows[0]["text"] == TEXTS[0]
    assert "'delivery', 'billing', 'quality'; the column 'label' says which" in table.notes[-1]


def test_other_formats_have_them_too(read_as):
    rows = [{"text": text, "spam": n % 2 == 0, "ham": n % 2 == 1} for n, text in enumerate(TEXTS)]
    table = read_as("mails.jsonl", "\n".join(map(json.dumps, rows)))
    assert [row["label"] for row in table.rows] == ["spam", "ham"] * 2


def test_a_later_row_without_a_single_one_is_set_aside(read_as, monkeypatch):
    monkeypatch.setattr("playground.data.onehot._NUM_LOOKED_AT", 20)
    table = read_as("tickets.csv", csv_of(ROWS) + "20,Both,1,1,0\n21,None,0,0,0\n")
    found = map_table(table, propose(table))
    assert (len(found.rows), [one.line for one in found.rejected]) == (20, [22, 23])


def test_rows_with_several_are_told_to_be_learnt_one_by_one(read_as):
    table = read_as("tickets.csv", csv_of(["1,1,0", *ROWS[1:]]))
    assert "label" not in table.columns
    assert "A row can have several of 'delivery', 'billing', 'quality'" in table.notes[-1]


@pytest.mark.parametrize(
    "content",
    [
        csv_of(ROWS).replace("quality", "label"),
        csv_of(["1,2,0", *ROWS[1:]]).replace("billing", "stars").replace("quality", "n"),
        "text,spam\n" + "".join(f"{text},{n % 2}\n" for n, text in enumerate(TEXTS)),
    ],
    ids=["a column of labels", "numbers", "one column"],
)
def test_other_columns_of_numbers_are_left_as_they_are(read_as, content):
    table = read_as("tickets.csv", content)
    assert table.columns == content.split("\n")[0].split(",")
    assert not any("Each row has" in note or "several" in note for note in table.notes)
