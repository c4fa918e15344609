import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from playground.engine.startup import LoadStatus
from playground.ui import endpoints, rows


@pytest.fixture
def client(monkeypatch, loader, adapters, predicted):
    """A client of a server that has only the endpoints; answers repeat what arrived."""

    def stream(engine, task, row, adapter, every_s):
        name = adapter.name if adapter else None
        yield predicted(row | {task.output: task.name}, adapter=name)

    monkeypatch.setattr(rows, "predict_stream", stream)
    with gr.Blocks(analytics_enabled=False) as page:
        endpoints.register(loader)
    page.queue(api_open=False)
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, _frontend=False)
    yield Client(address, verbose=False)
    page.close()


def test_all_endpoints_of_the_contract_exist(client):
    named = client.view_api(return_format="dict")["named_endpoints"]
    assert named.keys() >= {"/classify", "/ner", "/qa", "/summarize", "/translate", "/complete"}
    parameters = [(item["parameter_name"], item["parameter_has_default"]) for item in named["/qa"]["parameters"]]
    assert parameters == [("context", False), ("question", False), ("adapter", True)]


def test_classify_answers_with_the_row_and_the_default_adapter(client):
    answer = client.predict(text="Schön!", api_name="/classify")
    assert answer["text"] == "Schön!"
    assert (answer["label"], answer["adapter"]) == ("sentiment", "multilingual")
    assert answer["quantization"] == "8-bit"


def test_adapters_are_chosen_by_name(client):
    assert client.predict("nice", "reviews", api_name="/classify")["adapter"] == "reviews"
    assert client.predict("nice", "none", api_name="/classify")["adapter"] is None
    assert client.predict("Hi.", "en", "ar", api_name="/translate")["target_lang"] == "ar"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(("  ",), "The text is empty"), (("nice", "nope"), "There is no adapter 'nope'")],
)
def test_mistakes_come_back_as_one_sentence(client, arguments, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(*arguments, api_name="/classify")


def test_a_backbone_that_is_not_ready_says_so(client, loader):
    loader.current = LoadStatus("loading", 0.43, "Converting")
    with pytest.raises(AppError, match="43"):
        client.predict("nice", api_name="/classify")
