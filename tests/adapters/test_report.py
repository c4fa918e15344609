"""The report's files beside an adapter: what they may hold, who may read them, and what leaves with a zip."""

import json
import os
import stat
import zipfile

import pytest

from playground.adapters import report as report_files
from playground.adapters.card import card
from playground.adapters.edit import duplicate
from playground.adapters.hub import import_from_hub, push
from playground.adapters.record import CARD_FILE, REPORT_FILE
from playground.adapters.report import PAGE_FILE, ROWS_FILE, parse_report, read_report, read_rows
from playground.adapters.store import find, remove, verify
from playground.adapters.transfer import export_zip, import_zip
from playground.errors import AdapterError
from playground.evaluation.report import compare, row_details
from playground.tasks import get_task
from playground.training.measure import add_report
from tests.fake_hub import fake_hub

ROWS = [
    {"text": text, "label": label, "lang": "en"} for text, label in zip(("good", "bad", "so so"), "abb", strict=True)
]
SECRET = "so so"
TASK = get_task("sentiment")


@pytest.fixture
def report():
    said = [row | {"scores": {row["label"]: 0.9}} for row in ROWS]
    return compare(TASK, ROWS, said[:1] * 3, said)


@pytest.fixture
def reported(save_tiny_adapter, report):
    """An own adapter with a report."""
    add_report(save_tiny_adapter(), report, row_details(TASK, ROWS, None, ROWS))
    return find("sentiment", "tiny")


def test_a_report_is_one_of_the_files_that_are_verified(reported, report):
    verify(reported)
    assert read_report(reported) == {"schema_version": 1, **report}
    card = (reported.path / "README.md").read_text(encoding="utf-8")
    assert "[report.html](report.html)" in card
    assert "points higher on the same 3 rows" in card
    assert "may be chance" in card
    (reported.path / REPORT_FILE).write_text("{}", encoding="utf-8")
    with pytest.raises(AdapterError, match=r"report\.json was changed"):
        verify(reported)
    with pytest.raises(AdapterError, match=r"report\.json was changed"):
        read_report(reported)


def test_an_adapter_without_a_report_has_none(save_tiny_adapter):
    record = save_tiny_adapter()
    assert read_report(record) is None
    assert read_rows(record) == []


def test_measuring_again_takes_the_place_of_the_report(reported, report):
    add_report(reported, report | {"n": 7}, [])
    again = find("sentiment", "tiny")
    verify(again)
    assert read_report(again)["n"] == 7
    assert "7 held-out rows" in (again.path / PAGE_FILE).read_text(encoding="utf-8")
    assert read_rows(again) == []


def test_the_rows_are_for_the_owner_alone_and_in_no_other_file(reported):
    assert [row["input"]["text"] for row in read_rows(reported)] == [row["text"] for row in ROWS]
    assert stat.S_IMODE((reported.path / ROWS_FILE).stat().st_mode) == 0o600
    for path in reported.path.iterdir():
        assert (SECRET.encode() in path.read_bytes()) == (path.name == ROWS_FILE)


def test_damaged_rows_are_said_to_be(reported):
    (reported.path / ROWS_FILE).write_text("[{", encoding="utf-8")
    with pytest.raises(AdapterError, match=r"report_rows\.json is damaged"):
        read_rows(reported)


def test_a_shipped_adapter_keeps_no_rows(save_tiny_adapter, no_shipped_adapters, report):
    save_tiny_adapter(folder=no_shipped_adapters / "sentiment" / "tiny")
    add_report(find("sentiment", "tiny"), report, row_details(TASK, ROWS, None, ROWS))
    shipped = find("sentiment", "tiny")
    verify(shipped)
    assert shipped.origin == "shipped"
    assert not (shipped.path / ROWS_FILE).exists()


def test_a_zip_takes_the_figures_along_but_no_row(reported, tmp_path):
    path = export_zip(reported, tmp_path)
    with zipfile.ZipFile(path) as archive:
        held = {name.removeprefix("tiny/"): archive.read(name) for name in archive.namelist()}
    assert held[PAGE_FILE] == (reported.path / PAGE_FILE).read_bytes()
    assert ROWS_FILE not in held
    assert not any(SECRET.encode() in content for content in held.values())
    figures = read_report(reported)
    remove(reported)
    brought = import_zip(path)
    verify(brought)
    assert read_report(brought) == figures
    assert (brought.path / PAGE_FILE).read_bytes() == held[PAGE_FILE]


@pytest.fixture
def repacked(reported, tmp_path):
    """``repacked(**contents)``: the zip of the adapter, gone by now, with other contents of some files."""

    def pack(**contents):
        path = export_zip(reported, tmp_path)
        with zipfile.ZipFile(path) as archive:
            held = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in (held | contents).items():
                archive.writestr(name, content)
        remove(reported)
        return path

    return pack


def test_a_foreign_page_is_never_taken_over(repacked):
    made = {f"tiny/{PAGE_FILE}": b"<script>alert(1)</script>", f"tiny/{ROWS_FILE}": b"[]"}
    brought = import_zip(repacked(**made))
    page = (brought.path / PAGE_FILE).read_text(encoding="utf-8")
    assert "<script" not in page
    assert "Base against adapter" in page
    assert not (brought.path / ROWS_FILE).exists()


def test_a_foreign_card_is_never_taken_over(repacked, report):
    brought = import_zip(repacked(**{"tiny/README.md": b"<script>alert(1)</script>\x1b[2J"}), name="other")
    assert (brought.path / CARD_FILE).read_text(encoding="utf-8") == card(brought, read_report(brought))


def test_the_card_of_a_duplicate_says_what_the_report_found(reported, report):
    copy = duplicate(reported, "copy")
    text = (copy.path / CARD_FILE).read_text(encoding="utf-8")
    assert text == card(copy, read_report(copy))
    assert "points higher on the same 3 rows" in text


def test_a_changed_report_is_refused(repacked, report):
    changed = json.dumps({"schema_version": 1, **report, "n": 1000}).encode()
    path = repacked(**{f"tiny/{REPORT_FILE}": changed})
    with pytest.raises(AdapterError, match=r"report\.json was changed"):
        import_zip(path)


def test_a_report_that_nobody_vouches_for_is_left_out(save_tiny_adapter, report, tmp_path):
    record = save_tiny_adapter()
    path = export_zip(record, tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"tiny/{REPORT_FILE}", json.dumps({"schema_version": 1, **report}))
    remove(record)
    brought = import_zip(path)
    assert not (brought.path / REPORT_FILE).exists()
    assert not (brought.path / PAGE_FILE).exists()


CURVE = {
    "points": [{"rows": 9, "value": 50, "interval": [40, 60]}, {"rows": 18, "value": 60, "interval": [50, 70]}],
    "gain": {"value": 10, "interval": [1, 20], "p_value": 0.01, "test": "t"},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "schema version 2"),
        ({"adapter": None}, "must be of the kind 'dict', not None"),
        ({"n": "3"}, "'n'.*'int', not '3'"),
        ({"metric": "glory"}, "lacks the metric 'glory'"),
        ({"changed": None}, "only some of base, difference, changed"),
        ({"per_length": [{"from": 1, "to": 2, "n": 3, "base": None, "adapter": 4, "interval": [5]}]}, "'interval'"),
        ({"calibration": {"adapter": [{"confidence": "x"}]}}, "'confidence'"),
        ({"learning_curve": CURVE | {"points": CURVE["points"][:1]}}, "more and more rows"),
        ({"learning_curve": CURVE | {"points": CURVE["points"][::-1]}}, "more and more rows"),
        ({"learning_curve": CURVE | {"gain": None}}, "'gain'"),
    ],
)
def test_what_is_no_report_is_refused_by_part(report, change, message):
    parse_report(json.dumps({"schema_version": 1, **report, "learning_curve": CURVE}).encode(), "r")
    with pytest.raises(AdapterError, match=message):
        parse_report(json.dumps({"schema_version": 1, **report, **change}).encode(), "r")


def test_a_matrix_with_too_few_columns_is_refused(report):
    report["adapter"]["confusion"]["matrix"][0].pop()
    with pytest.raises(AdapterError, match="a row and a column for each label"):
        parse_report(json.dumps({"schema_version": 1, **report}).encode(), "r")


def test_a_cut_write_leaves_the_old_file(reported, monkeypatch):
    before = (reported.path / PAGE_FILE).read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(OSError, match="No space left"):
        report_files.save_page(reported, reported.path)
    assert (reported.path / PAGE_FILE).read_bytes() == before
    assert not list(reported.path.glob(".*"))


def test_a_duplicate_has_the_report_and_the_rows_under_its_own_name(reported):
    copy = duplicate(reported, "second")
    verify(copy)
    assert read_report(copy) == read_report(reported)
    assert read_rows(copy) == read_rows(reported)
    assert stat.S_IMODE((copy.path / ROWS_FILE).stat().st_mode) == 0o600
    assert "second" in (copy.path / PAGE_FILE).read_text(encoding="utf-8")


def test_the_report_goes_to_the_hub_and_comes_back_without_the_rows(reported):
    with fake_hub() as served:
        push(reported, "somebody/lamps", served.api())
        files = served.repositories["somebody/lamps"].files
        assert REPORT_FILE in files
        assert not any(SECRET.encode() in data for data in files.values())
        remove(reported)
        found = import_from_hub("somebody/lamps", served.api(), "tiny")
    verify(found)
    assert read_report(found) == json.loads(files[REPORT_FILE])
    assert (found.path / PAGE_FILE).is_file()
    assert read_rows(found) == []
