"""The tab of every task: examples, answers, comparison, empty inputs, stopping, and texts from files."""

import pytest
from playwright.sync_api import expect

from playground import settings
from playground.adapters import store
from playground.backbones.catalogue import CATALOGUE
from playground.tasks import get_task, list_tasks
from playground.ui.languages import title
from playground.ui.task_tab import example_labels

TASKS = [task for task in list_tasks() if task.has_tab]
BACKBONE = CATALOGUE[settings.backbone_id()].title
SHORT: dict[str, dict[str, str]] = {
    "sentiment": {"text": "Servis yavaştı ama yemekler güzeldi."},
    "ner": {"text": "Chinua Achebe studied in Ibadan."},
    "qa": {"context": "大桥于1932年通车。", "question": "大桥什么时候通车？"},
    "summarize": {"document": "Il ponte chiude a maggio. I lavori durano due anni. I bus cambiano percorso."},
    "translate": {"source_text": "Good morning."},
}
"""For speed; other tasks take their first example."""


def opened(visit, task, query="?__theme=light"):
    visitor = visit(query)
    visitor.tab(task.title)
    return visitor


def fill(visitor, task, values):
    for name, value in values.items():
        visitor.box(f"{task.name}-{name}").fill(value)


def short_texts(task):
    texts = [field.name for field in task.inputs if field.kind != "language"]
    return SHORT.get(task.name) or {name: task.examples[0].values[name] for name in texts}


def check_view(task, result, text):
    """What the view of any answer of this task's shape must have."""
    if task.shape == "classify":
        expect(result.locator(".pg-bars dt")).not_to_have_count(0)
        expect(result.locator(".pg-bars .pg-top")).to_have_count(1)
        best = result.locator(".pg-big bdi").inner_text()
        assert best == result.locator(".pg-bars dt").first.inner_text()
    elif task.shape == "tag":
        marks = result.locator("mark.pg-entity").count()
        assert marks == result.locator(".pg-table tbody tr").count()
        shown = result.locator(".pg-text").evaluate(
            "part => { const copy = part.cloneNode(true); copy.querySelectorAll('small').forEach(one => one.remove());"
            " return copy.textContent; }"
        )
        assert shown == text
    elif task.shape == "span":
        expect(result.locator(".pg-text")).to_have_text(text)
        said_none = result.locator(".pg-hint", has_text="does not answer").count()
        assert result.locator("mark").count() == 1 - said_none
    else:
        assert result.locator(".pg-text").inner_text().strip()
        expect(result.get_by_role("button", name="Copy")).to_be_visible()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_an_example_fills_the_boxes_and_is_answered(visit, picture, task):
    visitor = opened(visit, task)
    place = next(n for n, example in enumerate(task.examples) if example.lang == "zh")
    visitor.button(example_labels(task)[place]).click()
    values = task.examples[place].values
    for field in task.inputs:
        if field.kind == "language":
            expect(visitor.picker(field.label)).to_have_value(title(values[field.name]))
        else:
            expect(visitor.box(f"{task.name}-{field.name}")).to_have_value(values[field.name])
    result = visitor.run(task.name, task.action)
    check_view(task, result, values[task.inputs[0].name])
    stats = result.locator(".pg-stats")
    record = store.default_adapter(task.name)
    expect(stats).to_contain_text(BACKBONE)
    expect(stats).to_contain_text(f"adapter {record.name}" if record else "no adapter")
    expect(stats).to_contain_text("8-bit")
    expect(stats).to_contain_text(" ms")
    visitor.expect_no_overlay()
    picture(visitor, f"{task.name}-answered")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_what_the_base_says_without_an_adapter_is_marked(visit, task):
    visitor = opened(visit, task)
    visitor.choose("Adapter", "No adapter")
    fill(visitor, task, short_texts(task))
    result = visitor.run(task.name, task.action)
    expect(result.locator(".pg-stats")).to_contain_text("no adapter")
    expect(result.locator(".pg-hint").first).to_contain_text("few examples")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_base_answers_beside_the_adapter(visit, picture, task):
    record = store.default_adapter(task.name)
    if record is None:
        pytest.skip(f"no adapter is shipped for {task.name} yet")
    visitor = opened(visit, task)
    visitor.page.get_by_label("Compare with no adapter").locator("visible=true").check()
    fill(visitor, task, short_texts(task))
    visitor.button(task.action).click()
    sides = visitor.result(task.name).locator(".pg-sides > section")
    expect(sides).to_have_count(2)
    expect(sides.nth(0).locator(".pg-stats")).to_contain_text(f"adapter {record.name}")
    expect(sides.nth(1).locator(".pg-stats")).to_contain_text("no adapter")
    expect(sides.nth(0).get_by_role("heading")).to_have_text(f"With {record.name}")
    expect(sides.nth(1).get_by_role("heading")).to_have_text("No adapter")
    left, right = (sides.nth(side).bounding_box() for side in (0, 1))
    assert left["x"] + left["width"] <= right["x"]
    picture(visitor, f"{task.name}-compared")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_an_empty_text_gives_a_sentence(visit, picture, task):
    visitor = opened(visit, task)
    alert = visitor.page.get_by_role("alert").locator("visible=true")
    for given in ("", " \n\t\u200b "):
        visitor.box(f"{task.name}-{task.inputs[0].name}").fill(given)
        visitor.button(task.action).click()
        expect(alert).to_contain_text("is empty")
        expect(visitor.button(task.action)).to_be_enabled()
        expect(visitor.button("Cancel")).to_have_count(0)
        picture(visitor, f"{task.name}-empty")
        visitor.button("Clear").click()
        expect(alert).to_have_count(0)
    visitor.expect_no_overlay()


def test_a_missing_question_gives_a_sentence_and_keeps_the_text(visit):
    task = get_task("qa")
    visitor = opened(visit, task)
    fill(visitor, task, {"context": SHORT["qa"]["context"], "question": "  "})
    visitor.button(task.action).click()
    expect(visitor.page.get_by_role("alert").locator("visible=true")).to_contain_text("question is empty")
    expect(visitor.box("qa-context")).to_have_value(SHORT["qa"]["context"])


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_cancel_ends_the_work(visit, task):
    visitor = opened(visit, task)
    texts = [field.name for field in task.inputs if field.kind != "language"]
    long = "The market opens at nine, and Ana Silva sells bread from Porto there. " * 1500
    fill(visitor, task, dict(zip(texts, (long, "Who sells bread?"), strict=False)))
    visitor.button(task.action).click()
    visitor.button("Cancel").click()
    expect(visitor.button(task.action)).to_be_enabled()
    expect(visitor.button("Cancel")).to_have_count(0)
    expect(visitor.page.get_by_text("Stopped.").locator("visible=true")).to_be_visible()
    visitor.expect_no_overlay()
    fill(visitor, task, short_texts(task))
    visitor.run(task.name, task.action)
    visitor.expect_no_overlay()


def test_clear_empties_the_tab(visit):
    task = get_task("ner")
    visitor = opened(visit, task)
    fill(visitor, task, SHORT["ner"])
    visitor.run(task.name, task.action)
    visitor.button("Clear").click()
    expect(visitor.box("ner-text")).to_have_value("")
    expect(visitor.result("ner")).to_contain_text("The result appears here")
    expect(visitor.result("ner").locator(".pg-stats")).to_have_count(0)


def test_enter_in_the_question_asks_it(visit):
    visitor = opened(visit, get_task("qa"))
    fill(visitor, get_task("qa"), SHORT["qa"])
    visitor.box("qa-question").press("Enter")
    expect(visitor.result("qa").locator(".pg-stats")).to_be_visible()


def test_languages_are_chosen_by_name_and_the_translation_is_copied(visit):
    task = get_task("translate")
    visitor = opened(visit, task)
    visitor.picker("To").fill("Ukrai")
    visitor.page.get_by_role("option", name="Ukrainian").click()
    expect(visitor.picker("To")).to_have_value(title("uk"))
    fill(visitor, task, SHORT["translate"])
    result = visitor.run(task.name, task.action)
    result.get_by_role("button", name="Copy").click()
    expect(result.get_by_role("button", name="Copied")).to_be_visible()
    copied = visitor.page.evaluate("navigator.clipboard.readText()")
    assert copied == result.locator(".pg-text").text_content() != ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_a_dropped_text_file_fills_the_box(visit, encoding):
    visitor = opened(visit, get_task("sentiment"))
    visitor.drop(visitor.box("sentiment-text"), "Kritik.txt", "Schöne Grüße – „prima“!".encode(encoding))
    expect(visitor.box("sentiment-text")).to_have_value("Schöne Grüße – „prima“!")
    expect(
        visitor.page.locator(".pg-info[role=status], .pg-progress[role=status]").locator("visible=true")
    ).to_contain_text("Kritik.txt was opened")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("reviews.csv", b"text\nGood", "Many texts at once"),
        ("empty.txt", b"", "empty"),
        ("photo.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)), "photo.txt"),
    ],
)
def test_a_file_that_is_no_text_gives_a_sentence(visit, name, content, sentence):
    visitor = opened(visit, get_task("sentiment"))
    visitor.drop(visitor.box("sentiment-text"), name, content)
    expect(visitor.page.get_by_role("alert").locator("visible=true")).to_contain_text(sentence)
    expect(visitor.box("sentiment-text")).to_have_value("")
    visitor.expect_no_overlay()
