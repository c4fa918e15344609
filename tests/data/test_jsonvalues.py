import json

import pytest

from playground.data import jsonrows, jsonvalues
from playground.data.jsonvalues import stream_values
from playground.errors import DataError

ROWS = [{"text": f'text {i} with }} ] , " and ü', "label": ["x", {"y": i}]} for i in range(50)]


def pieces(text, size):
    return [text[i : i + size] for i in range(0, len(text), size)]


@pytest.mark.parametrize("size", [1, 7, 100, 10**6])
@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        json.dumps({"version": {"a": 1}, "data": ROWS, "end": 1}),
        " ".join(map(json.dumps, ROWS)),
        ",\n".join(map(json.dumps, ROWS)),
    ],
)
def test_values_come_out_the_same_whatever_the_pieces(text, size):
    assert [one.value for one in stream_values(pieces(text, size))] == ROWS


def test_a_broken_value_costs_itself_and_names_its_line():
    text = '[{"a": 1},\n{"a" 2},\n{"a": 3}]'
    found = list(stream_values([text]))
    assert [one.value for one in found] == [{"a": 1}, None, {"a": 3}]
    assert "line 2" in found[1].problem


def test_a_value_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(jsonvalues, "MAX_VALUE_CHARS", 10_000)
    taken = []

    def chunks():
        yield '[{"a": "'
        for i in range(1000):
            taken.append(i)
            yield "x" * 1000

    first = next(iter(stream_values(chunks())))
    assert first.problem
    assert len(taken) < 500


def test_a_large_file_is_streamed_and_one_that_cannot_be_is_refused(read_as, monkeypatch):
    whole = [read_as("a.json", json.dumps(value)).rows for value in (ROWS, {"data": ROWS})]
    monkeypatch.setattr(jsonrows, "MAX_WHOLE_BYTES", 100)
    monkeypatch.setattr("playground.data.reading.MAX_WHOLE_BYTES", 100)
    assert [read_as("a.json", json.dumps(value)).rows for value in (ROWS, {"data": ROWS})] == whole == [ROWS, ROWS]
    with pytest.raises(DataError, match="write each row as an object on a line of its own"):
        read_as("a.json", '{"text": {"0": "' + "a b " * 50)
