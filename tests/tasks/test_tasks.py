from string import Formatter

import pytest

from playground.errors import InputError
from playground.tasks import get_task, list_tasks
from playground.tasks.languages import LANGUAGES, RIGHT_TO_LEFT, base_code, english_name

TASKS = list_tasks()
every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
with_tab = pytest.mark.parametrize("task", [task for task in TASKS if task.has_tab], ids=lambda task: task.name)


def test_the_tasks_of_the_product_are_there_in_the_order_of_their_tabs():
    assert [task.name for task in TASKS if task.has_tab] == ["sentiment", "ner", "qa", "summarize", "translate"]
    assert {task.name for task in TASKS} >= {"classify", "instruct"}


@every_task
def test_names_and_endpoints_are_found_again(task):
    assert get_task(task.name) is task


def test_names_and_endpoints_are_unique():
    assert len({task.name for task in TASKS}) == len(TASKS)
    tabs = [task.endpoint for task in TASKS if task.has_tab]
    assert len(set(tabs)) == len(tabs)


@pytest.mark.parametrize(("wrong", "near"), [("sentimnt", "sentiment"), ("sumarize", "summarize"), ("nerr", "ner")])
def test_an_unknown_task_suggests_the_nearest(wrong, near):
    with pytest.raises(InputError, match=f"There is no task '{wrong}'.*Did you mean '{near}'"):
        get_task(wrong)


def test_a_name_like_no_other_lists_the_tasks():
    with pytest.raises(InputError, match="the tasks are sentiment, classify, ner"):
        get_task("42")


@with_tab
def test_examples_are_in_at_least_8_languages_and_fill_the_inputs(task):
    languages = {example.lang for example in task.examples}
    assert len(languages) >= 8
    assert languages >= {"ar", "zh", "hi", "ja", "ru", "es"}
    needed = {field.name for field in task.inputs}
    assert all(set(example.values) == needed and all(example.values.values()) for example in task.examples)


@every_task
def test_prompts_name_fields_of_the_row_only(task):
    known = {field.name for field in task.inputs} | {"source_language", "target_language"}
    assert {name for _, name, _, _ in Formatter().parse(task.prompt) if name} <= known
    assert bool(task.prompt) == (task.shape == "generate")


@pytest.mark.parametrize(("code", "base"), [("pt-BR", "pt"), ("PT_br", "pt"), (" en ", "en"), ("zh-Hant", "zh")])
def test_regional_codes_are_their_language(code, base):
    assert base_code(code) == base


@pytest.mark.parametrize("code", ["xx", "", "english", None, 5])
def test_other_codes_are_refused_by_name(code):
    with pytest.raises(InputError, match=f"'{code}' is not a supported language code"):
        base_code(code)


def test_languages_have_names_and_directions():
    assert english_name("fa") == "Persian"
    assert set(LANGUAGES) >= RIGHT_TO_LEFT
