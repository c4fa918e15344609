import json
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from playground import access, settings
from playground.adapters.record import AdapterRecord
from playground.errors import AdapterError, DataError, InputError
from playground.tasks import get_task
from playground.training import runs
from playground.training.config import PRESETS, RunConfig
from playground.training.run_files import READING_TEXTS, RunState, after, folder_of, load_state, save_state
from playground.ui import (
    finetune_choices,
    finetune_data,
    finetune_form,
    finetune_run,
    finetune_tab,
    finetune_try,
    picker,
    task_tab,
)

SCORES = {"metrics": {"macro_f1": 81.0, "accuracy": 80.0}, "main": "macro_f1", "n": 20, "interval": [70.0, 90.0]}
REPORT = {"metric": "macro_f1", "n": 20, "base": None, "adapter": SCORES, "changed": None, "per_language": {}}


@pytest.fixture
def upload(tmp_path):
    def write(text, name="My Reviews.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_text(text, encoding=encoding)
        return path

    return write


@pytest.fixture
def reviews(upload):
    return upload("Kommentar;Kategorie\n" + "spät;delivery\nteuer;price\n" * 10 + ";price\nzu;viele;Zellen\n")


@pytest.fixture
def state():
    config = RunConfig(task="classify", data="x.csv", name="lamps", backbone="tiny")
    return RunState("a" * 32, config, "running", "Training", created=0.0)


@pytest.fixture
def tab(loader):
    """The tab on a page of its own, with the handlers by the name of their function."""
    loader.backbone_id = "tiny"
    with gr.Blocks() as page:
        with gr.Tabs():
            built = finetune_tab.build(loader)
        finetune_tab.follow(page, built)
    handlers = {}
    for event in page.fns.values():
        handlers.setdefault(event.name, event.fn)
    return SimpleNamespace(page=page, parts=built, handlers=handlers)


def begin(path, name="lamps"):
    columns = ("Kommentar", "Kategorie")
    config = finetune_choices.configured("tiny", path and str(path), name, "quick", "none", "classify", *columns)
    return runs.start_run(config, path)


@pytest.fixture
def started(tab, reviews, monkeypatch, no_shipped_adapters):
    monkeypatch.setattr(runs, "spawn", lambda folder: None)
    return begin(reviews)


def change(run_id, **values):
    save_state(replace(load_state(folder_of(run_id)), **values))


def test_corrections_are_rows_of_their_task_whatever_their_labels(tab, upload):
    rows = "".join(f'{{"text": "text {number}", "label": "positive"}}\n' for number in range(4))
    path, form = upload(rows, "corrections-classify.jsonl"), tab.parts.form
    *_, told, _ = tab.handlers["read"](str(path), "classify")
    assert told[form.task] == "classify"
    *_, told, _ = tab.handlers["read"](str(path))
    assert told[form.task] == "sentiment"


def test_task_and_columns_are_recognised_and_bad_rows_counted(reviews):
    found = finetune_data.inspect(reviews)
    assert (found.mapping.task, found.mapping.columns) == ("classify", {"text": "Kommentar", "label": "Kategorie"})
    assert (len(found.rows), [one.line for one in found.rejected], found.problem) == (20, [22, 23], "")
    view = finetune_data.preview(found)
    assert "20 usable rows, 2 set aside" in view
    assert "<bdi>delivery</bdi> 10 · <bdi>price</bdi> 10" in view
    assert '<td dir="auto">22</td>' in view


@pytest.mark.parametrize(
    ("task", "columns", "says"),
    [
        ("summarize", {"document": "Kommentar"}, "Choose the column for “Summary”. My Reviews.csv has"),
        (
            "translate",
            {"source_text": "Kommentar", "source_lang": "=de"},
            "Choose the column for “Translation” and for “Language of the translation” (or the language). My Reviews",
        ),
    ],
)
def test_fields_without_a_column_are_called_as_in_the_form(reviews, task, columns, says):
    found = finetune_data.inspect(reviews, task, columns)
    assert found.problem.startswith(says)
    assert "Kommentar, Kategorie" in found.problem
    assert not found.rows


def test_a_row_set_aside_lacks_what_the_form_asks_for(upload):
    rows = '{"document": "Long", "summary": "Short"}\n' * 5 + '{"summary": "Short"}\n'
    view = finetune_data.preview(finetune_data.inspect(upload(rows, "a.jsonl")))
    assert '<td dir="auto">6</td><td dir="auto">“Text” is missing</td>' in view
    assert finetune_data.in_words("The target_text is empty; it needs more.", "translate").startswith(
        "“Translation” is"
    )
    assert finetune_data.in_words("textual", "sentiment") == "textual"


def test_offsets_read_as_bytes_are_told_where_everybody_sees_it(upload):
    row = {"text": "他住在东京。", "entities": [{"start": 9, "end": 15, "label": "LOC"}]}
    view = finetune_data.preview(finetune_data.inspect(upload("\n".join([json.dumps(row)] * 5), "a.jsonl")))
    assert "count bytes" in view.split("5 usable rows")[0]
    assert "东京 (LOC)" in view


def test_columns_of_conll_are_not_called_by_names_that_the_file_does_not_have(upload):
    said = finetune_data.reasons(finetune_data.inspect(upload("Ada B-PER\nran O\n\n" * 9, "a.conll")))
    assert "Entities" in said
    assert "column" not in said


def test_a_correction_is_followed(reviews):
    found = finetune_data.inspect(reviews, "classify", {"text": "Kategorie", "label": "Kommentar"})
    assert found.rows[0]["label"] == "spät"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("text,label\na,x\nb,y\nc,x\n", "at least 4 are needed"),
        ("text,label\na,x\nb,x\nc,x\nd,x\n", "the label 'x'; at least two labels"),
        ("text,label\na,x\n,x\n,y\n", "line 3"),
    ],
)
def test_rows_that_teach_nothing_are_a_problem(upload, text, says):
    assert says in finetune_data.inspect(upload(text), "classify").problem


@pytest.mark.parametrize("name", ["program.exe", "notes.docx", "archive.rar", "nothing", "data.gz"])
def test_other_kinds_of_files_are_refused_on_the_server(upload, name):
    with pytest.raises(DataError, match="CSV"):
        finetune_data.inspect(upload("text,label\na,b\n", name))


def test_uploaded_text_is_never_html(upload):
    evil = "<img src=x onerror=alert(1)>"
    found = finetune_data.inspect(upload(f"text,label\n{evil},{evil}\n" + "a,b\nc,d\n" * 4 + f",{evil}\n"), "classify")
    assert "<img" not in finetune_data.preview(found) + finetune_data.reasons(found)


@pytest.mark.parametrize("task", [name for _, name in picker.task_choices()])
def test_every_task_can_be_chosen_and_has_a_title_for_each_field(task):
    assert get_task(task)
    fields = finetune_data.fields_of(task)
    assert set(fields) <= finetune_data.FIELD_TITLES.keys()
    assert len(fields) <= finetune_data.NUM_COLUMNS


def test_languages_can_be_the_same_for_all_rows(upload):
    found = finetune_data.inspect(upload("en,xx_text\nhello,hola\n"), "translate")
    choices = dict(finetune_data.column_choices(found, "target_lang"))
    assert {"=es", "en", ""} <= set(choices.values())
    assert "=es" not in dict(finetune_data.column_choices(found, "target_text")).values()


SAID = [
    {"role": "system", "content": "Be kind"},
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "hello"},
]


@pytest.mark.parametrize(
    ("row", "field", "shown"),
    [
        ({"text": "In Rome", "entities": [{"start": 3, "end": 7, "label": "LOC"}]}, "entities", "Rome (LOC)"),
        ({"text": "In Rome", "entities": []}, "entities", "none"),
        ({"answers": []}, "answers", "no answer"),
        ({"messages": SAID}, "completion", "hello"),
        ({"messages": SAID}, "prompt", "hi"),
    ],
)
def test_nested_values_are_shown_in_words(row, field, shown):
    assert finetune_data.cell(row, field) == shown


def test_the_rows_set_aside_can_be_downloaded(reviews, tmp_path):
    path = finetune_data.write_rejected(finetune_data.inspect(reviews), tmp_path)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(line["line"], bool(line["reason"])) for line in lines] == [(22, True), (23, True)]


@pytest.mark.parametrize(
    ("text", "name"), [('{"text": "a", "label": "b"}', "pasted-rows.jsonl"), ("text\tlabel\na\tb", "pasted-rows.csv")]
)
def test_pasted_rows_are_read_like_a_file(text, name, tmp_path):
    path = finetune_data.write_pasted(text, tmp_path)
    assert path.name == name
    assert finetune_data.inspect(path, "classify").rows[0]["label"] == "b"


def test_pasting_nothing_is_refused(tmp_path):
    with pytest.raises(InputError, match="pasted"):
        finetune_data.write_pasted(" \n", tmp_path)


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("My Reviews.csv", "my-reviews"),
        ("Größe & Co.csv", "groe-co"),
        ("отзывы.csv", "my-classify"),
        ("none.csv", "my-classify"),
    ],
)
def test_the_proposed_name_is_valid(file_name, name):
    assert finetune_data.valid_name(file_name, "classify") == name


def test_starting_copies_the_rows_and_the_choices(started):
    config = runs.read_run(started).config
    assert (config.task, config.name, config.preset, config.quantization) == ("classify", "lamps", "quick", "none")
    assert config.columns == {"text": "Kommentar", "label": "Kategorie"}
    assert config.data.startswith(str(settings.runs()))


def test_two_starts_of_the_same_form_give_one_run(started, reviews):
    with pytest.raises(InputError, match="lamps-2"):
        begin(reviews)
    assert len(runs.active_runs()) == 1


@pytest.mark.parametrize(
    ("values", "error", "says"),
    [
        ((None, "lamps"), DataError, "no file"),
        (("rows", "My Lamps"), AdapterError, "My Lamps"),
        (("rows", ""), AdapterError, "name"),
    ],
)
def test_a_start_that_can_not_work_is_refused_in_words(tab, reviews, values, error, says):
    path, name = values
    with pytest.raises(error, match=says):
        begin(path and reviews, name)


def test_automatic_precision_follows_the_machine(monkeypatch):
    from playground.backbones import loading

    monkeypatch.setattr(loading, "automatic_quantization", lambda: "4-bit")
    assert finetune_choices.precision("auto") == "4-bit"
    monkeypatch.setattr(loading, "automatic_quantization", lambda: "8-bit")
    assert finetune_choices.precision("auto") == "none"
    assert finetune_choices.precision("4-bit") == "4-bit"


def test_what_went_otherwise_and_the_loss_on_rows_held_back_are_shown(state):
    step = {
        "event": "step",
        "step": 4,
        "steps": 8,
        "loss": 0.5,
        "tokens_per_s": 100.0,
        "eta_s": 9.0,
        "learning_rate": 4.2e-4,
        "gradient_norm": 1.306,
        "memory_mb": 3331.4,
        "validation_loss": 0.52,
    }
    for event in ({"event": "note", "message": "Memory <ran> out."}, step, step | {"step": 6, "validation_loss": 0.4}):
        state = after(state, event)
    # A resumed run takes some steps again.
    state = replace(after(state, step | {"validation_loss": 0.45}), losses=[(4, 0.5)])
    assert state.checks == [(4, 0.45)]
    assert "Memory &lt;ran&gt; out." in finetune_run.headline(state)
    view = finetune_run.progress(state)
    assert "learning rate 4.2e-04 · gradient norm 1.31 · 3,331 MB of memory · loss 0.450 on rows held back" in view
    assert finetune_run.curve(state)["data"] == [[4, 0.5, "rows learnt from"], [4, 0.45, "rows held back"]]


def test_the_legend_names_rows_held_back_before_the_first_check_where_there_are_some(state):
    state = replace(state, losses=[(1, 0.5)])
    for stops_early, names in ((True, ["rows learnt from", "rows held back"]), (False, ["rows learnt from"])):
        told = replace(state, material={"stops_early": stops_early})
        assert [name for _, _, name in finetune_run.curve(told)["data"]] == names


def sampled(step, *answers, text="<b>نص</b>"):
    rows = [{"input": f"{text} {n}", "expected": "<i>x</i>", "answer": answer} for n, answer in enumerate(answers)]
    return {"event": "samples", "step": step, "rows": rows}


def test_answers_on_the_way_are_shown_row_by_row_the_newest_first(state):
    assert finetune_run.samples(state) == ""
    for event in (sampled(2, "early", "<u>a</u>"), sampled(4, "dropped", "b"), sampled(4, "late", "ב")):
        state = after(state, event)
    view = finetune_run.samples(state)
    assert view.index("نص&lt;/b&gt; 0") < view.index("late") < view.index("early") < view.index("نص&lt;/b&gt; 1")
    assert "dropped" not in view  # a run that goes on after a break takes some steps again
    assert '<td dir="auto">ב</td>' in view
    assert '<div class="pg-text" dir="auto">&lt;b&gt;' in view
    assert not any(tag in view for tag in ("<b>", "<i>", "<u>"))


def test_answers_on_the_way_outlive_the_page_and_are_for_those_who_see_the_run(started, tab, monkeypatch):
    change(started, samples=[{key: value for key, value in sampled(3, "late").items() if key != "event"}])
    shown = finetune_tab.shown(tab.parts, runs.read_run(started))
    assert "late" in shown[tab.parts.panel.samples]
    assert "late" in finetune_run.samples(load_state(folder_of(started)))
    monkeypatch.setenv("PLAYGROUND_SHARED", "1")
    with access.acting_as(access.Person("b" * 64)):
        assert tab.handlers["look"](started, "", "") == {tab.parts.stage: finetune_tab.GONE}
        updates = tab.handlers["show_stage"](started)
    assert tab.parts.panel.samples not in updates
    assert updates[tab.parts.panel.area].visible is False


def test_a_look_sends_what_moves_and_the_whole_page_only_at_another_stage(started, tab):
    parts, look = tab.parts, tab.handlers["look"]
    seen = tab.handlers["show_stage"](started)[parts.seen]
    assert set(look(started, seen, "")) == {parts.seen}
    change(started, state="running")
    assert look(started, seen, "") == {parts.stage: finetune_run.stage(runs.read_run(started))}
    seen = tab.handlers["show_stage"](started)[parts.seen]
    change(started, fraction=0.5)
    moving = look(started, seen, "")
    assert set(moving) == set(parts.moving)
    assert moving[parts.seen] != seen


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_stage_whose_parts_got_lost_on_the_way_is_told_again_at_each_look(started, tab, is_gone):
    seen, told = tab.handlers["show_stage"](started)[tab.parts.seen], ""
    change(started, state="running")
    run_id = "0" * 32 if is_gone else started
    for _ in range(3):
        before, told = told, tab.handlers["look"](run_id, seen, told)[tab.parts.stage]
        assert told != before


def test_progress_says_step_speed_and_time_left(state):
    step = {"step": 40.0, "steps": 300.0, "loss": 0.6213, "tokens_per_s": 812.4, "eta_s": 200.0}
    view = finetune_run.progress(replace(state, step=step, fraction=40 / 300))
    assert "step 40 of 300 · loss 0.621 · 812 tokens/s · about 3 min left" in view
    assert 'value="13"' in view


def test_progress_tells_continued_pretraining_from_the_training(state):
    step = {"step": 4.0, "steps": 8.0, "loss": 6.2, "tokens_per_s": 812.4, "eta_s": 20.0}
    view = finetune_run.progress(replace(state, message=READING_TEXTS, step=step, fraction=0.5))
    assert "Reading the bare texts: step 4 of 8" in view
    assert "then it learns the task" in view


@pytest.mark.parametrize(("now", "css"), [("failed", "pg-problem"), ("interrupted", "pg-problem"), ("done", "pg-info")])
def test_an_end_is_one_sentence(state, now, css):
    view = finetune_run.progress(replace(state, state=now, message="It <ended>."))
    assert css in view
    assert "It &lt;ended&gt;." in view


def test_saving_after_the_last_step_is_not_shown_as_training(state):
    view = finetune_run.progress(replace(state, message="Saving the adapter", step={"step": 4.0}, fraction=None))
    assert "Saving the adapter" in view


def test_the_result_compares_and_links_to_the_right_tab(state, save_tiny_adapter, no_shipped_adapters):
    save_tiny_adapter("classify", "lamps")
    view = finetune_run.result(replace(state, state="done", adapter="lamps", report=REPORT))
    assert "81.0 (70.0 to 90.0)" in view
    assert "20 held-out rows" in view
    assert finetune_run.NO_BASE in view
    assert "Difference" not in view
    assert "?tab=sentiment&amp;adapter=classify%2Flamps" in view


@pytest.mark.parametrize(
    ("now", "is_there"), [("running", False), ("evaluating", True), ("stopped", True), ("done", True)]
)
def test_an_adapter_can_be_tried_while_it_is_measured(
    tab, state, save_tiny_adapter, no_shipped_adapters, now, is_there
):
    save_tiny_adapter("classify", "lamps")
    state = replace(state, state=now, adapter="lamps")
    assert ("Try it now" in finetune_run.result(state)) is is_there
    assert finetune_try.shown(tab.parts.box, state, is_new=False)[tab.parts.box.area].visible is is_there


def test_a_run_whose_adapter_was_deleted_says_so(state, no_shipped_adapters):
    assert "no adapter" in finetune_run.result(replace(state, state="done", adapter="lamps", report=REPORT))


def test_the_signature_changes_with_every_news(state):
    news = [
        state,
        replace(state, step={"step": 2.0}),
        replace(state, message="Saving"),
        replace(state, state="evaluating"),
        replace(state, report=REPORT),
        replace(state, samples=[{"step": 2, "rows": []}]),
        replace(state, material={"labels": []}),
    ]
    assert len({finetune_run.signature(one) for one in news}) == len(news)


def test_the_timer_is_outside_the_tabs_and_sleeps_without_a_run(tab):
    timer = tab.parts.timer
    assert timer.parent is tab.page
    assert tab.parts.run_key.parent is tab.page
    assert timer.active is False


def test_watching_never_waits_in_the_queue(tab):
    events = [event for event in tab.page.fns.values() if event.name in ("look", "arrive")]
    polling = [event for event in events if any(target[1] in ("tick", "load") for target in event.targets)]
    assert len(polling) == 2
    assert all(not event.queue and event.show_progress == "hidden" for event in polling)


def test_a_double_click_starts_once(tab):
    (event,) = [event for event in tab.page.fns.values() if event.targets == [(tab.parts.form.start._id, "click")]]
    assert event.trigger_mode == "once"


def test_a_file_chosen_while_another_is_read_is_read_next_and_a_file_taken_away_leaves_nothing(tab, reviews):
    form = tab.parts.form
    (event,) = [event for event in tab.page.fns.values() if event.targets == [(form.file._id, "upload")]]
    assert event.trigger_mode == "always_last"
    assert set(finetune_form.settled(form, str(reviews))) == {form.notice}
    gone = finetune_form.settled(form, None)
    assert gone[form.start].interactive is False
    assert gone[form.mapping].visible is False


def test_no_event_is_a_public_endpoint(tab):
    assert tab.page.get_api_info()["named_endpoints"] == {}


def test_a_reload_finds_the_run_of_this_browser_again(tab, started):
    shown = tab.handlers["arrive"](started, SimpleNamespace(query_params={}))
    assert shown[tab.parts.run_key] == started
    assert shown[tab.parts.panel.area].visible
    assert shown[tab.parts.timer].active


def test_a_link_shows_its_run_in_any_browser(tab, started):
    shown = tab.handlers["arrive"](None, SimpleNamespace(query_params={"run": started}))
    assert shown[tab.parts.run_key] == started


def test_a_wrong_link_says_so_and_a_forgotten_run_does_not(tab):
    wrong = tab.handlers["arrive"](None, SimpleNamespace(query_params={"run": "../../etc"}))
    forgotten = tab.handlers["arrive"]("b" * 32, SimpleNamespace(query_params={}))
    assert "pg-problem" in wrong[tab.parts.form.notice]
    assert forgotten[tab.parts.form.notice] == ""
    assert forgotten[tab.parts.run_key] is None


@pytest.mark.parametrize("values", [{"state": "running", "pid": 2**22 + 1}, {"state": "paused"}])
def test_a_run_without_a_worker_offers_to_go_on_or_start_again(tab, started, values):
    change(started, **values)
    shown = finetune_tab.shown(tab.parts, runs.read_run(started))
    assert shown[tab.parts.panel.resume].visible
    assert shown[tab.parts.panel.restart].visible
    assert not shown[tab.parts.panel.pause].visible
    assert not shown[tab.parts.panel.keep].visible
    assert not shown[tab.parts.timer].active


def test_a_translation_is_tried_in_the_languages_of_its_rows_until_others_are_chosen(tab, state):
    translating = replace(state.config, task="translate")
    ended = replace(
        state, state="done", adapter="jozi", config=translating, material={"direction": ["sw", "en"]}, report=REPORT
    )
    box = tab.parts.box
    first = finetune_try.shown(box, ended, is_new=True)
    assert [first[part].value for part in (box.inputs.source, box.inputs.target)] == ["sw", "en"]
    saved = finetune_try.shown(box, replace(ended, state="evaluating", report=None), is_new=False)
    assert saved[box.inputs.source].value == "sw"


def test_the_head_says_what_was_left_out_and_repaired_in_the_words_of_the_form(state):
    material = {"training_rows": 110, "held_out_rows": 21, "num_rejected": 0, "labels": ["a", "b"]}
    head = finetune_run.headline(
        replace(state, material=material | {"duplicates": 1, "fixes": {"drop-exact-duplicates": 2}})
    )
    assert "1 left out for being like one held out" in head
    assert "Drop exact duplicates, keep the first (2 rows)" in head


def test_an_ended_run_can_be_tried_with_the_inputs_of_its_task(tab, state):
    ended = replace(state, state="done", adapter="lamps", config=replace(state.config, task="qa"))
    shown = finetune_try.shown(tab.parts.box, ended, is_new=True)
    assert shown[tab.parts.box.area].visible
    assert shown[tab.parts.box.inputs.line].label == "Question"
    assert not shown[tab.parts.box.inputs.source].visible


@pytest.mark.parametrize(
    ("task", "values", "row"),
    [
        (
            "instruct",
            ("Say hi", "", "en", "es"),
            {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Say hi"}]},
        ),
        ("qa", ("Text.", "Why?", "en", "es"), {"context": "Text.", "question": "Why?"}),
        ("translate", ("Hi", "", "en", "de"), {"source_text": "Hi", "source_lang": "en", "target_lang": "de"}),
    ],
)
def test_the_box_asks_the_adapter_of_the_run(tab, started, loader, monkeypatch, task, values, row):
    asked = []
    folder = folder_of(started)
    replace(load_state(folder).config, task=task).save(folder / "config.json")
    change(started, state="done", adapter="lamps")
    training = {"instructions": "Be kind."}
    record = AdapterRecord(name="lamps", task=task, shape="generate", backbone={}, training=training)
    monkeypatch.setattr(finetune_try.store, "find", lambda task, name: record)

    def views(task, loader, row, adapter, *, compares):
        asked.append((row, adapter.name, compares))
        yield "answer"

    monkeypatch.setattr(task_tab, "views", views)
    assert list(finetune_try.views(tab.parts.box, loader, started, values)) == ["answer"]
    assert asked == [(row, "lamps", False)]


def test_a_run_without_an_adapter_can_not_be_tried(tab, started, loader):
    with pytest.raises(InputError, match="no adapter"):
        list(finetune_try.views(tab.parts.box, loader, started, ("a", "", "en", "es")))


def test_every_preset_is_offered_in_plain_words(tab):
    shown = {value: title for title, value in tab.parts.form.preset.choices}
    assert shown.keys() == PRESETS.keys()
    assert all(PRESETS[name] in shown[name] for name in shown)


def test_a_file_that_can_not_be_read_closes_the_form(tab, upload):
    views = list(tab.handlers["read"](str(upload("", "empty.csv"))))
    assert views[1][tab.parts.form.start].interactive is False
    assert "empty" in views[1][tab.parts.form.notice]


def test_what_is_visible_changes_only_once_while_a_file_is_read(tab, reviews, no_shipped_adapters):
    views = list(tab.handlers["read"](str(reviews)))
    assert sum(tab.parts.form.mapping in view for view in views) == 1
    assert sum(tab.parts.form.start in view for view in views) == 1


def test_the_form_names_the_formats_and_the_limit():
    assert f"{settings.MAX_UPLOAD_BYTES // 2**20} MB" in finetune_form.FORMATS
