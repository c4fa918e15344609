import pytest

from playground.errors import AdapterError
from playground.tasks import get_task
from playground.ui import picker


def test_sentiment_offers_its_own_and_the_classify_adapters(adapters):
    shown = picker.choices(picker.offered(get_task("sentiment")))
    assert shown == [
        ("multilingual (shipped)", "sentiment/multilingual"),
        ("reviews (yours)", "classify/reviews"),
        ("No adapter", "none"),
    ]


def test_two_adapters_of_one_name_are_told_apart_by_their_tasks(save_tiny_adapter, no_shipped_adapters):
    save_tiny_adapter("sentiment", "mine")
    save_tiny_adapter("classify", "mine")
    shown = dict(map(reversed, picker.choices(picker.offered(get_task("sentiment")))))
    assert shown["sentiment/mine"] == "sentiment/mine (yours)"
    assert shown["classify/mine"] == "classify/mine (yours)"


def test_a_new_adapter_is_offered_without_a_restart(adapters):
    newest = adapters.pop()
    assert "classify/reviews" not in dict(map(reversed, picker.opened(get_task("sentiment"), None).choices))
    adapters.append(newest)
    assert "classify/reviews" in dict(map(reversed, picker.opened(get_task("sentiment"), None).choices))


def test_refreshing_keeps_the_choice_while_it_exists(adapters):
    task = get_task("sentiment")
    assert picker.opened(task, "classify/reviews").value == "classify/reviews"
    assert picker.opened(task, "none").value == "none"
    adapters.pop()
    assert picker.opened(task, "classify/reviews").value == "sentiment/multilingual"


def test_a_task_without_adapters_offers_the_base_alone(adapters):
    task = get_task("qa")
    assert picker.choices(picker.offered(task)) == [("No adapter", "none")]
    assert picker.opened(task, None).value == "none"


def test_choices_lead_back_to_records(adapters):
    task = get_task("sentiment")
    assert picker.chosen(task, "classify/reviews") is adapters[1]
    assert picker.chosen(task, "none") is None
    with pytest.raises(AdapterError, match="sentiment/gone"):
        picker.chosen(task, "sentiment/gone")


def test_an_adapter_of_another_task_is_not_chosen(adapters):
    with pytest.raises(AdapterError):
        picker.chosen(get_task("qa"), "sentiment/multilingual")


def test_names_from_programs(adapters):
    task = get_task("sentiment")
    assert picker.named(task, None) is adapters[0]
    assert picker.named(task, "none") is None
    assert picker.named(task, "reviews") is adapters[1]
    with pytest.raises(AdapterError, match="revews"):
        picker.named(task, "revews")


def test_a_refresh_leaves_alone_what_somebody_quick_chose_meanwhile(save_tiny_adapter):
    """Without a value in the update the page keeps its own."""
    task = get_task("sentiment")
    assert "value" not in picker.refreshed(task, "none").constructor_args
    assert picker.refreshed(task, "classify/gone").constructor_args["value"] == "sentiment/multilingual"
