"""The named endpoints, asked with gradio_client and, where that one is too polite, with plain requests."""

import json
import time

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from gradio_client.utils import Status

from playground.adapters import store
from playground.tasks import get_task

ENDPOINTS = {"/classify", "/ner", "/qa", "/summarize", "/translate", "/complete", "/chat"}
PROVENANCE = {"backbone", "adapter", "quantization", "latency_ms"}
ANSWER_S = 120.0
EVIL = "https://evil.example"
SHORT = "The soup was cold."


def default_name(task):
    record = store.default_adapter(task)
    return record.name if record else None


def labels(task):
    record = store.default_adapter(task)
    return set(record.labels if record else get_task(task).labels)


def assert_is_plain(row):
    assert json.loads(json.dumps(row)) == row


def test_exactly_the_endpoints_of_the_contract_are_offered(client, server):
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == ENDPOINTS
    paths = httpx.get(f"{server.address}/gradio_api/openapi.json").json()["paths"]
    called = {path.rpartition("/")[2] for path in paths if "/call/" in path}
    assert called - {"{event_id}"} == {name.strip("/") for name in ENDPOINTS}


@pytest.mark.parametrize("text", ["Das Hotel war laut, aber sauber.", "الخدمة ممتازة", "これは本当にひどい。"])
def test_classify_gives_one_of_the_labels_with_scores_that_sum_to_one(client, text):
    row = client.predict(text, api_name="/classify")
    assert_is_plain(row)
    assert row["text"] == text
    assert row.keys() >= PROVENANCE
    assert row["adapter"] == default_name("sentiment")
    assert set(row["scores"]) == labels("sentiment")
    assert row["label"] == max(row["scores"], key=row["scores"].get)
    assert sum(row["scores"].values()) == pytest.approx(1, abs=1e-3)


def test_ner_points_into_the_text(client):
    text = "Ngozi Okonjo-Iweala flew from Geneva to Nairobi 😀 with مريم."
    row = client.predict(text, api_name="/ner")
    assert_is_plain(row)
    assert row.keys() >= {"text", "entities", *PROVENANCE}
    for entity in row["entities"]:
        assert 0 <= entity["start"] < entity["end"] <= len(text)
        assert entity["label"] in {"PER", "ORG", "LOC"}
    found = {text[entity["start"] : entity["end"]] for entity in row["entities"]}
    assert found & {"Geneva", "Nairobi"}


def test_qa_answers_with_a_piece_of_the_context_or_null(client):
    context = "大桥于1932年通车，全长三公里。"
    row = client.predict(context, "大桥什么时候通车？", api_name="/qa")
    assert_is_plain(row)
    assert row.keys() >= {"context", "question", "answer", *PROVENANCE}
    answer = row["answer"]
    assert answer is None or context[answer["start"] : answer["end"]] == answer["text"] != ""


@pytest.mark.parametrize(
    ("endpoint", "given", "output"),
    [
        ("/summarize", ("Le conseil a voté hier soir. Le marché ferme en mai, la bibliothèque reste.",), "summary"),
        ("/translate", ("Good morning, everyone.", "en", "de"), "translation"),
        ("/translate", ("Bom dia a todos.", "pt-BR", "en", "none"), "translation"),
        ("/complete", ("Question: What is the capital of Italy? Answer:",), "completion"),
    ],
)
def test_generated_text_comes_with_who_wrote_it(client, endpoint, given, output):
    row = client.predict(*given, api_name=endpoint)
    assert_is_plain(row)
    assert row.keys() >= {output, *PROVENANCE}
    assert row[output].strip()


def test_chat_does_what_a_message_asks_and_remembers_its_text(client):
    first = client.predict("/sentiment Ich liebe dieses Café.", api_name="/chat")
    assert_is_plain(first)
    assert first["task"] == "sentiment"
    assert first["result"]["label"] in labels("sentiment")
    history = [
        {"role": "user", "content": "/sentiment Ich liebe dieses Café."},
        {"role": "assistant", "content": first["reply"]},
    ]
    second = client.predict("/entities", history, api_name="/chat")
    assert second["task"] == "ner"
    assert second["result"]["text"] == "Ich liebe dieses Café."


def test_the_base_alone_answers_when_asked_to(client):
    row = client.predict(SHORT, "none", api_name="/classify")
    assert row["adapter"] is None
    assert row["is_guess"]
    assert row["label"] in get_task("sentiment").labels


@pytest.mark.parametrize(
    ("endpoint", "given", "sentence"),
    [
        ("/classify", ("",), "is empty"),
        ("/classify", (" \n\t\u200b ",), "is empty"),
        ("/classify", ("\x00\x07",), "is empty"),
        ("/classify", (SHORT, "no-such-adapter"), "There is no adapter 'no-such-adapter'"),
        ("/classify", (SHORT, "../../../etc"), "There is no adapter"),
        ("/qa", (SHORT, "  "), "question is empty"),
        ("/translate", (SHORT, "en", "klingon"), "'klingon' is not a supported language"),
        ("/chat", ("  ",), "is empty"),
        ("/classify", ("a" * 1_000_001,), "1,000,001 characters; the limit is 1,000,000"),
    ],
)
def test_a_mistake_gives_one_clear_sentence(client, endpoint, given, sentence):
    with pytest.raises(AppError) as caught:
        client.predict(*given, api_name=endpoint)
    message = str(caught.value)
    assert sentence in message
    assert "Traceback" not in message
    assert "\n" not in message
    assert len(message) < 300


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("good\x00 \x1b[31mday\x07", "good   [31mday "),
        ("👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿 ❤️‍🔥", None),
        ("שלום hello привет 你好 नमस्ते \u202ex\u202c Z̴̡̛͔a̶l̵g̶o̸", None),
        ("<script>alert(1)</script>' OR 1=1 -- {{7*7}} %s%n", None),
        ("\ufeffa\r\nb\rc", "\ufeffa \nb\nc"),
    ],
)
def test_strange_characters_get_an_answer(client, text, cleaned):
    row = client.predict(text, api_name="/classify")
    assert row["text"] == (cleaned or text)
    assert row["label"] in labels("sentiment")


def asked(server, endpoint, data):
    """What the endpoint answers to raw JSON, as (event, data); `data` may hold what no client would send."""
    address = f"{server.address}/gradio_api/call/{endpoint}"
    sent = httpx.post(address, content=data, headers={"Content-Type": "application/json"})
    sent.raise_for_status()
    with httpx.stream("GET", f"{address}/{sent.json()['event_id']}", timeout=ANSWER_S) as answer:
        events = [line.partition(": ")[2] for line in answer.iter_lines() if line.startswith(("event:", "data:"))]
    return events[-2], json.loads(events[-1])


def test_a_lone_surrogate_becomes_the_replacement_character(server):
    event, data = asked(server, "classify", b'{"data": ["good \\ud800 day", null]}')
    assert event == "complete"
    assert data[0]["text"] == "good \ufffd day"


@pytest.mark.parametrize("data", [b'{"data": [7, null]}', b'{"data": [null, null]}', b'{"data": [{"a": []}, null]}'])
def test_what_is_no_text_is_refused(server, data):
    event, error = asked(server, "classify", data)
    assert event == "error"
    assert "must be text" in json.dumps(error)


@pytest.mark.parametrize("body", [b"", b"{", b'{"data": []}', b'{"data": "x"}', b"[[[[", b"\xff\xfe"])
def test_a_broken_request_does_not_hurt_the_server(server, client, body):
    headers = {"Content-Type": "application/json"}
    httpx.post(f"{server.address}/gradio_api/call/classify", content=body, headers=headers)
    assert client.predict(SHORT, api_name="/classify")["label"] in labels("sentiment")


def test_a_long_text_is_read_to_its_end(client):
    filler = "The bus stops here at nine. " * 250
    text = f"{filler}Then Zainab Haddad arrived from Casablanca."
    found = client.predict(text, api_name="/ner")["entities"]
    assert any(text[entity["start"] : entity["end"]].endswith("Casablanca") for entity in found)


def test_a_megabyte_keeps_nobody_waiting_and_can_be_cancelled(server, client):
    own = Client(server.address, verbose=False)
    long = own.submit("All is well here. " * 55_000, api_name="/classify")
    while not long.done() and long.status().code not in (Status.PROCESSING, Status.ITERATING):
        time.sleep(0.02)
    assert not long.done()
    began = time.monotonic()
    client.predict(SHORT, api_name="/classify")
    assert time.monotonic() - began < ANSWER_S
    long.cancel()
    with httpx.stream("GET", server.address) as page:
        assert page.status_code == 200


def test_events_of_the_page_are_not_offered(client, server):
    with pytest.raises(ValueError, match="Cannot find a function"):
        client.predict(api_name="/look")
    for name in ("classify", "handle", "sent"):
        answer = httpx.post(f"{server.address}/gradio_api/run/{name}", json={"data": [SHORT, None]})
        assert answer.status_code in (404, 422, 500), name


@pytest.mark.parametrize("path", ["file=/etc/passwd", "file=app.py", "file=../README.md", "monitoring/summary", "runs"])
def test_nothing_private_is_served(server, path):
    assert httpx.get(f"{server.address}/gradio_api/{path}").status_code in (403, 404)


def test_a_path_on_the_server_is_no_upload(server):
    """Of an event that takes a file, wherever it is in the page."""
    config = httpx.get(f"{server.address}/config").json()
    files = {part["id"] for part in config["components"] if part["type"] in ("file", "uploadbutton")}
    events = [event for event in config["dependencies"] if event["inputs"] and event["inputs"][0] in files]
    assert events
    given = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}, "orig_name": "passwd"}
    body = {"session_hash": "thief", "fn_index": events[0]["id"], "trigger_id": None}
    data = [given, *([None] * (len(events[0]["inputs"]) - 1))]
    joined = httpx.post(f"{server.address}/gradio_api/queue/join", json={**body, "data": data})
    said = joined.text
    if joined.status_code == 200:
        with httpx.stream("GET", f"{server.address}/gradio_api/queue/data?session_hash=thief", timeout=30) as stream:
            said = next(line for line in stream.iter_lines() if "process_completed" in line)
    assert "root:" not in said


def test_a_foreign_host_name_is_refused(server):
    assert httpx.get(server.address, headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("origin", [EVIL, "null", "http://127.0.0.1.evil.example"])
def test_a_foreign_page_can_neither_read_nor_write(server, origin):
    headers = {"Origin": origin}
    read = httpx.get(f"{server.address}/config", headers=headers)
    assert "access-control-allow-origin" not in read.headers
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    preflight = httpx.options(f"{server.address}/gradio_api/call/classify", headers=headers | asking)
    assert "access-control-allow-origin" not in preflight.headers
    upload = httpx.post(f"{server.address}/gradio_api/upload", headers=headers, files={"files": ("a.txt", b"x")})
    assert upload.status_code == 403
    call = httpx.post(f"{server.address}/gradio_api/call/classify", headers=headers, json={"data": [SHORT, None]})
    assert call.status_code == 403


def test_our_own_page_may_upload(server):
    headers = {"Origin": server.address}
    upload = httpx.post(f"{server.address}/gradio_api/upload", headers=headers, files={"files": ("a.txt", b"x")})
    assert upload.status_code == 200


def test_a_request_leaves_no_text_and_no_traceback_in_the_log(server, client):
    before = len(server.log.read_text(encoding="utf-8"))
    client.predict("A very private sentence 4711.", api_name="/classify")
    with pytest.raises(AppError):
        client.predict("A very private sentence 4711.", "no-such-adapter", api_name="/classify")
    log = server.log.read_text(encoding="utf-8")[before:]
    assert "4711" not in log
    assert "Traceback" not in log
