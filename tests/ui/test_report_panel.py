"""The report in the page: what is shown to whom, narrowed down, and taken away."""

from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from playground.adapters.record import REPORT_FILE
from playground.adapters.report import ROWS_FILE
from playground.adapters.store import find
from playground.errors import AdapterError
from playground.evaluation.report import compare, row_details
from playground.tasks import get_task
from playground.training.measure import add_report
from playground.ui import adapters_tab, report_panel
from playground.ui.reported import Reported

EVIL = '<img src=x onerror="alert(1)">'
ROWS = [
    {"text": f"{EVIL} {number}", "label": label, "lang": lang}
    for number, (label, lang) in enumerate(zip("aabb", ["en", "de"] * 2, strict=True))
]


@pytest.fixture
def record(save_tiny_adapter):
    task = get_task("sentiment")
    base, adapter = (
        [row | {"label": label} for row, label in zip(ROWS, said, strict=True)] for said in ("abab", "aaab")
    )
    add_report(save_tiny_adapter(), compare(task, ROWS, base, adapter), row_details(task, ROWS, base, adapter))
    return find("sentiment", "tiny")


@pytest.fixture
def page():
    """A page with a panel on the record that its state names, and its handlers by the name of their function."""
    with gr.Blocks() as blocks:
        panel = report_panel.build("report")
        key = gr.State("sentiment/tiny")
        report_panel.wire(panel, [key], adapters_tab.reported)
    handlers = {event.name: event.fn for event in blocks.fns.values()}
    return SimpleNamespace(panel=panel, handlers=handlers)


def from_host(host, **headers):
    return SimpleNamespace(
        client=SimpleNamespace(host=host), headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


HERE = from_host("127.0.0.1")


def told(page, name, *values, request=HERE):
    """All updates of a handler together, by component."""
    return {part: value for step in page.handlers[name](request, *values) for part, value in step.items()}


def test_the_panel_shows_every_part_and_the_worst_row_first(page, record):
    shown = report_panel.opened(page.panel, Reported(record, shows_rows=True), is_open=True)
    figures, rows = shown[page.panel.figures], shown[page.panel.rows]
    assert figures.count('<details class="pg-part" open>') == 1
    assert "unlikely to be chance" in figures or "may be chance" in figures
    assert rows.index(f"{2}</bdi>") < rows.index("0</bdi>")
    assert "4 of 4 rows" in rows
    assert "<img" not in rows + figures
    assert shown[page.panel.label].choices == [("Any", ""), ("a", "a"), ("b", "b")]
    assert shown[page.panel.language].choices == [("Any", ""), ("German", "de"), ("English", "en")]
    assert shown[page.panel.browser].visible


def test_what_was_before_a_training_that_went_on_is_not_called_the_base(page, record):
    task = get_task("sentiment")
    old, new = ([row | {"label": said, "scores": {said: 0.9}} for row in ROWS] for said in "ab")
    figures = compare(task, ROWS, old, new, "parent")
    measured = replace(record, metrics={"parent": figures["base"], "adapter": figures["adapter"]})
    continued = add_report(measured, figures, row_details(task, ROWS, old, new))
    shown = report_panel.opened(page.panel, Reported(continued, shows_rows=True), is_open=True)
    assert "before → adapter" in shown[page.panel.rows]
    assert "<dt>Before</dt>" in shown[page.panel.rows]
    whole, _ = report_panel.write_files(Reported(continued, shows_rows=True), continued.path)
    for view in (
        shown[page.panel.rows] + shown[page.panel.figures],
        whole.read_text(encoding="utf-8").split("<body>")[1],
    ):
        assert "Base" not in view
        assert "the base" not in view


def test_rows_are_narrowed_down_by_every_choice(page, record):
    def count(*choices):
        view = told(page, "on_choice", "sentiment/tiny", *choices)[page.panel.rows]
        return view.count('<details class="pg-row">')

    assert count("all", "", "", "worst") == 4
    assert count("wrong", "", "", "worst") == 1
    assert count("changed", "", "", "worst") == 1
    assert count("all", "b", "", "worst") == 3
    assert count("all", "", "de", "best") == 2
    assert count("worse", "", "", "worst") == 0


@pytest.mark.parametrize(
    "request_from",
    [
        from_host("10.0.0.7"),
        from_host("127.0.0.1", x_forwarded_for="10.0.0.7"),
        SimpleNamespace(client=None, headers={}),
    ],
)
def test_the_rows_of_an_adapter_are_only_for_who_sits_at_this_machine(page, record, request_from):
    about = adapters_tab.reported(request_from, "sentiment/tiny")
    shown = report_panel.opened(page.panel, about, is_open=True)
    assert not shown[page.panel.browser].visible
    assert "not for everybody" in shown[page.panel.rows]
    view = told(page, "on_choice", "sentiment/tiny", "all", "", "", "worst", request=request_from)
    assert "pg-row" not in view[page.panel.rows]


def test_on_a_space_nobody_sits_at_the_machine(monkeypatch):
    assert adapters_tab.is_at_this_machine(HERE)
    monkeypatch.setenv("SPACE_ID", "somebody/playground")
    assert not adapters_tab.is_at_this_machine(HERE)


def test_the_download_holds_the_rows_that_one_may_see(record, tmp_path):
    whole, figures = report_panel.write_files(Reported(record, shows_rows=True), tmp_path)
    assert whole.name == "sentiment-tiny-report.html"
    assert "The rows" in whole.read_text(encoding="utf-8")
    assert "<img" not in whole.read_text(encoding="utf-8")
    assert figures.read_bytes() == (record.path / REPORT_FILE).read_bytes()
    without, _ = report_panel.write_files(Reported(record, shows_rows=False), tmp_path)
    assert "onerror" not in without.read_text(encoding="utf-8")


def test_what_is_wrong_with_a_report_is_said_in_a_sentence(page, record, save_tiny_adapter):
    (record.path / ROWS_FILE).write_text("[", encoding="utf-8")
    assert "damaged" in told(page, "on_choice", "sentiment/tiny", "all", "", "", "worst")[page.panel.notice]
    (record.path / REPORT_FILE).write_text("{}", encoding="utf-8")
    assert "was changed" in told(page, "on_download", "sentiment/tiny")[page.panel.notice]
    assert "There is no adapter" in told(page, "on_download", "sentiment/gone")[page.panel.notice]
    save_tiny_adapter(name="plain")
    with pytest.raises(AdapterError, match="has no report"):
        report_panel.opened(page.panel, Reported(find("sentiment", "plain"), shows_rows=True), is_open=True)
