"""Tables with one entity a row become rows of texts with all their entities."""

import pytest

from playground.data.columns import propose
from playground.data.rows import map_table

ROWS = [
    ("1", "Ada met Bob", "0", "3", "PER"),
    ("1", "Ada met Bob", "8", "11", "PER"),
    ("2", "nobody here", "", "", ""),
    ("3", "Rome is old", "0", "4", "LOC"),
    ("4", "Oslo is far", "0", "40", "LOC"),
]


@pytest.mark.parametrize(
    "header", ["id,text,start,end,label", "id,Sentence,start_offset,end_offset,entity_type", "id,text,begin,end,type"]
)
def test_rows_of_a_text_are_put_together(read_as, header):
    rows = [*ROWS[:4] * 3, *ROWS]
    table = read_as("a.csv", "\n".join([header, *map(",".join, rows)]) + "\n")
    found = map_table(table, propose(table))
    assert [[one["label"] for one in row["entities"]] for row in found.rows] == [["PER", "PER"], [], ["LOC"]] * 4
    assert found.lines[:4] == [2, 4, 5, 6]
    assert [(one.line, one.reason[:30]) for one in found.rejected] == [(18, "entity 1 (LOC) spans 0 to 40, ")]
    assert found.rows[0]["id"] == "1"


def test_times_beside_a_label_are_no_places(read_as):
    table = read_as("a.csv", "text,start,end,label\nshort one,1200,1300,a\nother one,1300,1400,b\n")
    assert table.columns == ["text", "start", "end", "label"]
