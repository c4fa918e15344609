from dataclasses import replace

import gradio as gr
import pytest

from playground.engine.startup import LoadStatus
from playground.errors import NotReadyError
from playground.tasks import get_task, list_tasks
from playground.tasks.languages import LANGUAGES
from playground.ui import task_tab

REQUIRED_LANGUAGES = {"ar", "zh", "hi", "ja", "ru", "es"}
TASKS_WITH_TABS = [task for task in list_tasks() if task.has_tab]


@pytest.fixture
def stream(monkeypatch, predicted):
    """Replaces the engine's stream by three predictions; lists which streams were closed."""
    closed = []

    def predict(engine, task, row, adapter):
        name = adapter.name if adapter else None
        try:
            for text in ("a", "a b", "a b c"):
                yield predicted(row | {task.output: text}, adapter=name, done=text == "a b c")
        finally:
            closed.append(name)

    monkeypatch.setattr(task_tab, "predict_stream", predict)
    return closed


def test_the_view_grows(loader, stream):
    shown = list(task_tab.views(get_task("summarize"), loader, {"document": "x"}, None))
    assert len(shown) == 3
    assert "Answered by" not in shown[1]
    assert "Answered by" in shown[2]


def test_closing_the_view_closes_the_stream(loader, stream, adapters):
    running = task_tab.views(get_task("summarize"), loader, {"document": "x"}, adapters[0], compares=True)
    next(running)
    assert stream == []
    running.close()
    assert stream == ["multilingual"]


def test_comparison_asks_the_adapter_and_then_the_base(loader, stream, adapters):
    shown = list(task_tab.views(get_task("summarize"), loader, {"document": "x"}, adapters[0], compares=True))
    assert stream == ["multilingual", None]
    assert shown[-1].count("Answered by") == 2
    assert all("No adapter" in view for view in shown)


def test_there_is_nothing_to_compare_without_an_adapter(loader, stream):
    shown = list(task_tab.views(get_task("summarize"), loader, {"document": "x"}, None, compares=True))
    assert stream == [None]
    assert "pg-sides" not in shown[-1]


def test_a_backbone_that_is_not_ready_says_how_far_it_is(loader, stream):
    loader.current = LoadStatus("loading", 0.43, "Converting")
    with pytest.raises(NotReadyError, match="43"):
        next(task_tab.views(get_task("summarize"), loader, {"document": "x"}, None))


@pytest.mark.parametrize("task", TASKS_WITH_TABS, ids=lambda task: task.name)
def test_every_task_gets_its_tab_and_button(task, loader, adapters):
    with gr.Blocks() as page, gr.Tabs():
        built = task_tab.build(task, loader)
    labels = {getattr(part, "value", None) for part in page.blocks.values() if isinstance(part, gr.Button)}
    assert built.tab.label == task.title
    assert {task.action, "Cancel", "Clear"} <= labels


@pytest.mark.parametrize("task", TASKS_WITH_TABS, ids=lambda task: task.name)
def test_no_event_of_a_tab_is_a_public_endpoint(task, loader, adapters):
    with gr.Blocks() as page, gr.Tabs():
        task_tab.build(task, loader)
    assert page.get_api_info()["named_endpoints"] == {}


@pytest.mark.parametrize("task", TASKS_WITH_TABS, ids=lambda task: task.name)
def test_examples_cover_the_languages_and_fill_the_inputs(task):
    langs = {example.lang for example in task.examples}
    assert len(langs) >= 8
    assert langs >= REQUIRED_LANGUAGES
    assert langs <= LANGUAGES.keys()
    for example in task.examples:
        assert example.values.keys() == {field.name for field in task.inputs}
        assert all(value.strip() for value in example.values.values())


@pytest.mark.parametrize("task", TASKS_WITH_TABS, ids=lambda task: task.name)
def test_example_labels_tell_the_examples_apart(task):
    labels = task_tab.example_labels(task)
    assert len(set(labels)) == len(task.examples)


@pytest.mark.parametrize(
    ("facts", "present", "begins_with"),
    [
        ({"direction": ["sw", "en"], "languages": ["en", "sw"]}, ("en", "es"), ["sw", "en"]),
        ({"direction": ["sw", "en"], "languages": ["en", "sw"]}, ("en", "sw"), None),
        ({"direction": ["lg", "en"], "languages": ["en", "lg"]}, ("en", "es"), None),
        ({}, ("en", "es"), None),
    ],
)
def test_an_adapter_begins_with_the_languages_of_its_rows_unless_it_knows_the_present_ones(
    adapters, facts, present, begins_with
):
    adapters.append(replace(adapters[1], task="translate", shape="generate", training=facts))
    found = task_tab.languages_for(get_task("translate"), "translate/reviews", *present)
    assert [getattr(one, "value", None) for one in found] == (begins_with or [None, None])


def test_no_adapter_leaves_the_languages_as_they_are(adapters):
    assert len(task_tab.languages_for(get_task("translate"), "none", "en", "es")) == 2
