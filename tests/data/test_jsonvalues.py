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


@pytest.mark.parametrize("text", ["%s", '{"version": 1,\n "data": %s}'])
@pytest.mark.parametrize("max_bytes", [10**6, 10])
def test_a_bad_record_of_a_json_list_is_named_by_the_line_where_it_begins(read_as, monkeypatch, text, max_bytes):
    monkeypatch.setattr(jsonrows, "MAX_WHOLE_BYTES", max_bytes)
    monkeypatch.setattr("playground.data.reading.MAX_WHOLE_BYTES", max_bytes)
    content = text % json.dumps([{"text": "a b"}, {"text": "c d"}, [], {"text": "e f"}], indent=1)
    table = read_as("a.json", content)
    lines = content.splitlines()
    assert [lines[one.line - 1].strip() for one in table.rejected] == ["[],"]
    assert [lines[line].strip() for line in table.lines] == ['"text": "a b"', '"text": "c d"', '"text": "e f"']
    broken = read_as("a.json", content.replace(': "c d"', ' "c d"'))
    assert lines[broken.rejected[0].line].strip() == '"text": "c d"'
    assert f"(line {broken.rejected[0].line + 1}: " in broken.rejected[0].reason


def test_records_without_lines_of_their_own_are_counted(read_as):
    assert read_as("a.json", json.dumps({"text": ["a b", "c d"], "label": ["x", "y"]}, indent=1)).lines == [1, 2]
    assert read_as("a.json", json.dumps([{"text": "a b"}, [], {"text": "c d"}])).rejected[0].line == 2


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
