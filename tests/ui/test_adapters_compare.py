"""Comparing adapters in the page, on the tiny backbone."""

from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from playground.errors import AdapterError, InputError
from playground.tasks import get_task
from playground.training import runs
from playground.training.config import make_config
from playground.training.run_files import folder_of, load_state, save_state
from playground.ui import adapters_compare, compared_runs
from playground.ui.adapters_compare import answered, view, wanted

pytestmark = pytest.mark.usefixtures("no_shipped_adapters")
SENTIMENT = get_task("sentiment")


@pytest.fixture
def three(save_tiny_adapter):
    save_tiny_adapter(name="first", seed=1, lora={"r": 2})
    save_tiny_adapter(name="second", seed=2)
    save_tiny_adapter("classify", "foreign", backbone={"id": "another", "checksum": "1" * 64})


def test_adapters_of_the_task_are_chosen_by_key_and_two_at_least(three):
    found = wanted(SENTIMENT, ["sentiment/first", "classify/foreign", "none"])
    assert [one and one.name for one in found] == ["first", "foreign", None]
    with pytest.raises(InputError, match="choose at least two"):
        wanted(SENTIMENT, ["sentiment/first"])
    with pytest.raises(AdapterError, match="'ner/x' is no longer there"):
        wanted(SENTIMENT, ["sentiment/first", "ner/x"])


def test_figures_and_differences_are_shown_and_escaped(save_tiny_adapter):
    evil = '<img src=x onerror="alert(1)">'
    first = save_tiny_adapter(name="first", metrics={"data": evil})
    second = save_tiny_adapter(name="second", lora={"r": 2}, training={"data": evil})
    shown = view([first, second])
    assert "<img" not in shown
    assert "come from different rows" in shown
    assert '<td dir="auto">Rank</td><td dir="auto">4</td><td dir="auto">2</td>' in shown
    assert adapters_compare.NO_DIFFERENCE in view([first, first])
    assert "different rows" not in view([first, first])


def test_all_answer_the_same_text_and_one_that_can_not_says_why_in_its_place(three, tiny_engine):
    loader = SimpleNamespace(engine=lambda: tiny_engine)
    adapters = wanted(SENTIMENT, ["sentiment/first", "classify/foreign", "sentiment/second"])
    *_, last = answered(loader, SENTIMENT, {"text": "good"}, adapters)
    parts = last.split('<section class="pg-result">')[1:]
    assert [part.split("</h3>")[0] for part in parts] == ["<h3>first", "<h3>foreign", "<h3>second"]
    assert "Answered by" in parts[0]
    assert "made for the backbone 'another'" in parts[1].replace("&#x27;", "'")
    assert "Answered by" in parts[2]
    assert parts[0].split("</h3>")[1] != parts[2].split("</h3>")[1]


def test_the_pickers_offer_what_is_there_when_they_are_opened(three, loader):
    with gr.Blocks() as page:
        adapters_compare.build(loader)
    refreshed = next(event.fn for event in page.fns.values() if event.name == "refreshed")
    updates = {part.label: value for part, value in refreshed("sentiment", ["sentiment/first", "gone/x"]).items()}
    assert {key for _, key in updates["Adapters and runs to compare"].choices} == {
        "sentiment/first", "sentiment/second", "classify/foreign", "none",
    }  # fmt: skip
    assert updates["Adapters and runs to compare"].value == ["sentiment/first"]
    assert not updates["Question"].visible


def test_the_languages_begin_with_those_of_the_first_adapter_chosen(save_tiny_adapter, loader):
    for name, (source, target) in {"jozi": ("sw", "en"), "roma": ("it", "de")}.items():
        training = {"direction": [source, target], "languages": sorted([source, target])}
        save_tiny_adapter("translate", name, training=training)
    with gr.Blocks() as page:
        adapters_compare.build(loader)
    speak = next(event.fn for event in page.fns.values() if event.name == "speak")
    chosen = ["none", "run:1", "translate/jozi", "translate/roma"]
    assert [update.value for update in speak("translate", chosen, "en", "es")] == ["sw", "en"]
    untouched = [gr.skip(), gr.skip()]
    assert speak("translate", ["none"], "en", "es") == untouched
    assert speak("sentiment", [], "en", "es") == untouched


@pytest.fixture
def failed(tmp_path, monkeypatch):
    """Id of a run that failed before it had an adapter."""
    monkeypatch.setattr(runs, "spawn", lambda folder: None)
    data = tmp_path / "<b>lamps.csv"
    data.write_text("text,label\n" + "good,positive\nbad,negative\n" * 10)
    config = make_config("sentiment", str(data), "lamps", "quick", "tiny", learning_rate=0.5)
    run_id = runs.start_run(config, data)
    state = load_state(folder_of(run_id))
    step = {"step": 40.0, "steps": 300.0, "loss": 0.625}
    save_state(replace(state, state="failed", message="The <i>loss</i> diverged.", step=step))
    return run_id


def test_runs_that_left_no_adapter_are_compared_by_how_far_they_came(three, failed):
    ((shown, key),) = compared_runs.choices(SENTIMENT)
    assert (shown.startswith("lamps (run of "), shown.endswith("failed)")) == (True, True)
    assert compared_runs.choices(get_task("ner")) == []
    keys = ["sentiment/first", key]
    records, states = wanted(SENTIMENT, keys), compared_runs.chosen(keys)
    assert [one.name for one in records] == ["first"]
    table = view(records, states)
    assert "The &lt;i&gt;loss&lt;/i&gt; diverged." in table
    assert "40 of 300" in table
    assert '<td dir="auto">Rank</td><td dir="auto">2</td><td dir="auto">8</td>' in table
    assert '<td dir="auto">Learning rate</td><td dir="auto">-</td><td dir="auto">0.5</td>' in table
    assert '<td dir="auto">--' not in table
    assert '<td dir="auto">Labels</td>' not in table  # no run has them before it has read its rows
    assert "<i>" not in table
    assert "<b>" not in table
    assert view([], [*states, *states]).count(adapters_compare.NO_DIFFERENCE) == 1
    runs.delete_run(failed)
    with pytest.raises(InputError, match="no longer there"):
        compared_runs.chosen(keys)
