"""The data check of the Fine-tune tab, on real files and the real handlers."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from playground.data.names import NameFinder
from playground.engine.startup import LoadStatus
from playground.errors import DataError, InputError
from playground.training import runs
from playground.training.run_files import folder_of, save_state
from playground.ui import finetune_choices, finetune_data, finetune_doctor

EVIL = "<img src=x onerror=alert(1)>"
COLUMNS = ("comment", "team")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tickets.csv"
    lines = [f"2024-01-{n + 1:02},c{n % 4},Parcel number {n} never came,delivery" for n in range(20)]
    lines += [lines[0], f"2024-02-01,c9,{EVIL} a@b.com,{EVIL}", f"2024-02-02,c9,{EVIL} a@b.com,quality"]
    path.write_text("when,customer,comment,team\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def found(file):
    return finetune_data.inspect(file)


@pytest.fixture
def begin(file, monkeypatch, no_shipped_adapters):
    monkeypatch.setattr(runs, "spawn", lambda folder: None)

    def start(*checks):
        choices = ("tiny", str(file), "lamps", "quick", "none", "classify")
        config = finetune_choices.configured(*choices, *COLUMNS, checks=checks)
        return runs.read_run(runs.start_run(config, file))

    return start


def test_the_view_shows_findings_with_lines_and_three_charts(found, loader):
    view = finetune_doctor.view(finetune_doctor.check(found, loader))
    assert "1 row repeats an earlier one word for word." in view
    assert '<td dir="auto">22</td>' in view
    assert "2 rows hold what looks like an e-mail address." in view
    assert view.count("<figure>") == 3
    assert "Length in tokens" in view
    assert "Names of persons were not looked for." in view


def test_nothing_of_the_rows_is_html(found, loader):
    assert "<img" not in finetune_doctor.view(finetune_doctor.check(found, loader))


def test_lengths_are_in_characters_until_the_backbone_is_there(found, loader):
    loader.current = LoadStatus("loading", 0.5, "Converting")
    assert finetune_doctor.check(found, loader).lengths.unit == "characters"


def test_columns_of_the_chart_stay_inside_it(found, loader):
    chart = finetune_doctor.view(finetune_doctor.check(found, loader))
    bars = [tuple(map(float, bar)) for bar in re.findall(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"', chart)]
    assert bars
    assert all(x >= 0 and x + width <= finetune_doctor.WIDTH and y >= 0 for x, y, width in bars)


def test_safe_switches_are_on_and_only_helpful_ones_offered(found, loader):
    import gradio as gr

    with gr.Blocks():
        doctor = finetune_doctor.build()
    updates = finetune_doctor.shown(doctor, found, loader)
    fixes = updates[doctor.fixes]
    assert "are being looked for" in updates[doctor.view]
    offered = [value for _, value in fixes.choices]
    assert fixes.value == ["drop-exact-duplicates"]
    assert offered == ["drop-exact-duplicates", "drop-conflicts", "class-weights", "balance-labels", "mask-email"]


def test_rows_that_come_before_the_backbone_are_looked_at_again_once_it_is_there(found, loader, monkeypatch):
    import gradio as gr

    ready = loader.current
    monkeypatch.setattr(loader, "current", LoadStatus("loading", 0.35, "Reading"))
    monkeypatch.setattr(loader, "wait", lambda timeout_s: setattr(loader, "current", ready), raising=False)
    monkeypatch.setattr(
        finetune_doctor, "name_finder", lambda engine: NameFinder("ner", lambda texts: [[]] * len(texts))
    )
    with gr.Blocks():
        doctor = finetune_doctor.build()
    checkup = finetune_doctor.shown(doctor, found, loader)[doctor.checkup]
    view = finetune_doctor.named(doctor, checkup, found, loader)[doctor.view]
    assert checkup.lengths.unit == "characters"
    assert "tokens" in view
    assert "prepared" not in view


def test_a_column_that_marks_rows_decides_at_first_what_is_measured_on(tmp_path, loader):
    import gradio as gr

    marked, plain = tmp_path / "marked.csv", tmp_path / "plain.csv"
    rows = "".join(f"It is fine {n},{'ab'[n % 2]},{'train' if n % 3 else 'Test'}\n" for n in range(30))
    marked.write_text(f"text,label,Part\n{rows}", encoding="utf-8")
    plain.write_text("text,label\nyes,a\nno,b\n" * 3, encoding="utf-8")
    with gr.Blocks():
        doctor = finetune_doctor.build()
    for path, how, column in ((marked, "marked", "Part"), (plain, "stratified", None)):
        updates = finetune_doctor.shown(doctor, finetune_data.inspect(path), loader)
        assert (updates[doctor.split], updates[doctor.column].value) == (how, column)
        assert updates[doctor.column].visible == (column is not None)


def test_rows_that_can_not_be_used_are_not_checked(file, loader):
    import gradio as gr

    with gr.Blocks():
        doctor = finetune_doctor.build()
    problem = finetune_data.inspect(file, "summarize", {"document": "comment"})
    assert finetune_doctor.shown(doctor, problem, loader)[doctor.area].visible is False


def test_names_come_later_with_their_switch_and_leave_the_others_as_they_are(found, loader, monkeypatch):
    import gradio as gr

    def find(texts):
        return [[(0, 6)] if text.startswith("Parcel") else [] for text in texts]

    monkeypatch.setattr(finetune_doctor, "name_finder", lambda engine: NameFinder("ner/<i>", find, recall=75.3))
    with gr.Blocks():
        doctor = finetune_doctor.build()
    checkup = finetune_doctor.shown(doctor, found, loader)[doctor.checkup]
    updates = finetune_doctor.named(doctor, checkup, found, loader)
    assert "21 of all 23 rows (91 %) hold what looks like the name of a person" in updates[doctor.view]
    assert "ner/&lt;i&gt;&#x27;, which misses about 25 in 100" in updates[doctor.view]
    assert "mask-names" in [value for _, value in updates[doctor.fixes].choices]
    assert "value" not in updates[doctor.fixes]._constructor_args[0]


def test_why_names_were_not_looked_for_is_said(found, loader, no_shipped_adapters):
    checkup = finetune_doctor.check(found, loader)
    loader.backbone.checksum = "0"
    assert "no adapter for entities" in finetune_doctor.check_names(checkup, found, loader).names
    loader.current = LoadStatus("loading", 0.5, "Converting")
    said = finetune_doctor.check_names(checkup, found, loader).names
    assert said == "Names of persons were not looked for. The backbone is still being prepared (50%)."


def test_switches_and_split_reach_the_run(begin):
    state = begin(["class-weights", "mask-email", "drop-exact-duplicates"], "time", "when", None)
    assert state.config.fixes == ["mask-email", "drop-exact-duplicates"]
    assert state.config.class_weights is True
    assert (state.config.split, state.config.split_column) == ("time", "when")


def test_a_form_without_choices_gives_the_usual_run(begin):
    config = begin().config
    assert (config.fixes, config.class_weights, config.split, config.split_column) == ([], False, "stratified", "")


def test_a_column_left_over_from_another_split_does_not_count(begin):
    assert begin([], "stratified", "when", None).config.split_column == ""


@pytest.mark.parametrize(
    ("checks", "says"),
    [
        ((["polish"], "stratified", None, None), "no fix 'polish'"),
        (([], "random", None, None), "no split 'random'"),
        (([], None, None, None), "no split 'None'"),
        (([], "group", None, None), "The split 'group' needs a column"),
        (([], "group", "nothing", None), "no column 'nothing'"),
        (([], "time", "customer", None), "Only 0 of 23 rows have a date or number"),
        (([], "file", None, None), "no file of your own"),
        (([], "file", None, "/etc/passwd"), "passwd is no table"),
    ],
)
def test_values_are_checked_again_on_the_server(begin, checks, says):
    with pytest.raises(InputError, match=says):
        begin(*checks)


def test_own_rows_are_copied_with_the_run_and_again_when_it_is_restarted(begin, tmp_path):
    own = tmp_path / "my held out.csv"
    own.write_text("comment,team\nSomething else,delivery\nAnd more,quality\n", encoding="utf-8")
    state = begin([], "file", None, str(own))
    copy = Path(state.config.validation)
    assert copy.parent.parent == folder_of(state.run_id)
    assert copy.read_bytes() == own.read_bytes()
    save_state(replace(state, state="failed"))
    again = runs.read_run(runs.restart_run(state.run_id))
    assert Path(again.config.validation).parent.parent == folder_of(again.run_id) != folder_of(state.run_id)
    assert Path(again.config.validation).read_bytes() == own.read_bytes()


def test_own_rows_are_compared_with_those_to_learn_from(file, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("comment,team\nparcel NUMBER 3 never came!,delivery\n,x\n", encoding="utf-8")
    columns = dict(zip(("text", "label"), COLUMNS, strict=True))
    view = finetune_doctor.compare(file, "classify", columns, own)
    assert "own.csv: 1 usable row, 1 set aside. 1 of the rows to learn from" in view
    assert "(lines 5)" in view
    own.write_text("comment,team\nNew words,delivery\n", encoding="utf-8")
    assert "None of them is among the rows to learn from" in finetune_doctor.compare(file, "classify", columns, own)
    with pytest.raises(DataError, match="no table"):
        finetune_doctor.compare(file, "classify", columns, tmp_path / "own.exe")


def test_suspicious_labels_are_shown_escaped_with_the_score():
    one = {"text": EVIL, "label": "a", "predicted": "b", "score": 0.973}
    view = finetune_doctor.suspects({"suspicious": [one] * 12})
    assert "<img" not in view
    assert "b (97 %)" in view
    assert "and 2 more" in view
    assert finetune_doctor.suspects({"n": 3}) == ""
