"""Answers on a few held-out rows while the adapter is trained."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from playground.adapters.report_rows import answer_text, input_text
from playground.backbones.loading import load, load_tokenizer
from playground.data.text import scrub
from playground.engine.engine import Engine
from playground.engine.predict import predict_many
from playground.errors import Paused
from playground.evaluation.answers import input_of
from playground.tasks import get_task
from playground.training import samples as samples_module
from playground.training import trainee as trainee_module
from playground.training.curves import values_of
from playground.training.features import head_labels
from playground.training.finetune import finetune
from playground.training.loop import Step
from playground.training.material import read_material
from playground.training.samples import MOST_CHARS, MOST_TOKENS, Reader, Samples, chosen
from playground.training.trainee import build_trainee


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch):
    """There is time for every look, however busy the machine is; the tests of the time set their own."""
    monkeypatch.setattr(samples_module, "FREE_S", 1e6)


def never():
    return ""


def looks(events):
    return [event for event in events if event["event"] == "samples"]


ROWS = {
    "sentiment": [{"text": f"نص {n}", "label": ("positive", "negative")[n % 2]} for n in range(24)],
    "ner": [{"text": f"Ada met {n} people.", "entities": [{"start": 0, "end": 3, "label": "PER"}]} for n in range(24)],
    "qa": [
        {"context": f"It has {n} rooms.", "question": "How many?", "answers": [{"text": str(n), "start": 7}]}
        for n in range(10, 34)
    ],
    "instruct": [{"prompt": f"Say {n}", "completion": f"It is {n}."} for n in range(24)],
}


@pytest.fixture
def run_on(make_run_config, tmp_path):
    """``run_on(task, rows, **changes)``: the settings of a run on these rows."""

    def make(task, rows, **changes):
        path = tmp_path / f"{task}.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return make_run_config("watched", task, data=path, base_rows=0, **changes)

    return make


def test_rows_held_out_are_answered_at_even_points_of_the_run(make_run_config):
    events = []
    config = make_run_config(learning_rate=1e-2, epochs=4.0)
    finetune(config, events.append, never)
    told = looks(events)
    (steps,) = {event["steps"] for event in events if event["event"] == "step"}
    assert [event["step"] for event in told] == [-(-steps * share // 4) for share in (1, 2, 3, 4)]
    held_out = {row["text"]: row["label"] for row in read_material(config, get_task("classify")).held_out}
    asked = {tuple((row["input"], row["expected"]) for row in event["rows"]) for event in told}
    assert len(asked) == 1  # always the same rows
    (pairs,) = asked
    assert len(pairs) == 3
    assert set(pairs) <= set(held_out.items())
    assert {row["answer"] for event in told for row in event["rows"]} <= {"buy again", "send back"}
    assert json.loads(json.dumps(told)) == told
    assert values_of(told[0]) == {}  # no text of a row leaves for a service that draws curves


@pytest.mark.parametrize("task", ROWS)
def test_the_last_answers_are_those_of_the_saved_adapter(task, run_on, tiny_backbone_folder, monkeypatch):
    monkeypatch.setattr(trainee_module, "fast_bfloat16", lambda: False)  # weights as the engine has them
    events = []
    config = run_on(task, ROWS[task], learning_rate=1e-2, max_length=64)
    record = finetune(config, events.append, never)
    told = {row["input"]: row["answer"] for row in looks(events)[-1]["rows"]}
    found = get_task(task)
    rows = [row for row in ROWS[task] if input_text(input_of(found, row)) in told]
    engine = Engine(load(str(tiny_backbone_folder), "none", lambda fraction, message: None))
    try:
        predictions = [p.row for _, p in predict_many(engine, found, rows, record) if p.done]
    finally:
        engine.close()
    assert len(rows) == len(told) > 0
    for row, prediction in zip(rows, predictions, strict=True):
        answer = told[input_text(input_of(found, row))]
        output = prediction[found.output]
        if found.shape == "generate":
            assert len(answer) > 5
            assert scrub(output).startswith(answer.removesuffix("…").rstrip("\ufffd"))
        else:
            assert answer == answer_text(output, row.get("text", ""))


def test_the_weights_are_the_same_without_looking(run_on, monkeypatch):
    """Dropout and texts that are written: what draws random numbers, and what makes tensors for no gradient."""
    events, weights = [], []
    config = run_on("instruct", ROWS["instruct"], dropout=0.1, max_length=64)
    for name, number in (("seen", 3), ("unseen", 0)):
        monkeypatch.setattr(samples_module, "NUM_ROWS", number)
        record = finetune(replace(config, name=name), events.append, never)
        weights.append(load_file(record.path / "adapter_model.safetensors"))
    assert {event["step"] for event in looks(events)}
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


def test_each_check_of_early_stopping_gives_a_look(make_run_config, reviews):
    rows = (f"lamp number {n},{('buy again', 'send back')[n % 2]}\n" for n in range(300))
    reviews.write_text("text,label\n" + "".join(rows), encoding="utf-8")
    events = []
    finetune(make_run_config(early_stopping=10), events.append, never)
    checks = [event["step"] for event in events if "validation_loss" in event]
    assert len(checks) == 10
    assert [event["step"] for event in looks(events)] == checks


def test_a_run_that_goes_on_after_a_break_looks_at_the_same_rows_and_not_twice(make_run_config, tmp_path):
    config, events = make_run_config(epochs=8.0), []

    def taken():
        return [event["step"] for event in events if event["event"] == "step"]

    with pytest.raises(Paused):
        finetune(config, events.append, lambda: "pause" if len(taken()) >= 7 else "", tmp_path / "state")
    finetune(config, events.append, never, tmp_path / "state")
    steps = next(event["steps"] for event in events if event["event"] == "step")
    assert taken() == list(range(1, steps + 1))
    assert [event["step"] for event in looks(events)] == [-(-steps * share // 4) for share in (1, 2, 3, 4)]
    assert len({tuple(row["input"] for row in event["rows"]) for event in looks(events)}) == 1


def step(number, elapsed_s, steps=8, tokens_per_s=1e6):
    share = number / steps
    left_s = elapsed_s / share - elapsed_s
    return Step(number, steps, 1.0, 1e-3, 1.0, tokens_per_s, 9.0, eta_s=left_s, elapsed_s=elapsed_s)


@pytest.fixture
def begun(run_on, tiny_backbone_folder):
    """``begun(task)``: a trainee, and what looks at its answers to three rows, with the events that it emits."""

    def make(task):
        config, found = run_on(task, ROWS[task]), get_task(task)
        labels = head_labels(found, ROWS[task])
        trainee = build_trainee(config, found.shape, str(tiny_backbone_folder), len(labels))
        events = []
        reader = Reader(found, load_tokenizer(str(tiny_backbone_folder)), labels, 64)
        return trainee, Samples(reader, ROWS[task][:3], events.append), events

    return make


def test_there_is_a_look_only_where_there_is_time_for_it(begun, monkeypatch):
    monkeypatch.setattr(samples_module, "FREE_S", 0.0)
    trainee, samples, events = begun("sentiment")
    for one in (step(1, 0.001), step(2, 0.002), step(3, 0.003), step(4, 0.004), step(5, 1e6), step(6, 1.1e6)):
        samples.after(trainee, one)
    # The first shows what a look takes, which the second has no time for.
    assert [event["step"] for event in events] == [2, 6]


def test_long_texts_leave_time_for_fewer_rows_in_a_short_training(begun, monkeypatch):
    monkeypatch.setattr(samples_module, "FREE_S", 1.0)
    trainee, samples, events = begun("sentiment")
    samples.after(trainee, step(2, 10.0, tokens_per_s=4.0))
    assert events == []  # reading one of them would take more than half of a second
    samples.after(trainee, step(8, 40.0, tokens_per_s=4.0))
    assert [len(event["rows"]) for event in events] == [1]


def test_what_the_answers_of_a_training_take_is_reckoned_from_one_look(begun, monkeypatch):
    trainee, samples, events = begun("sentiment")
    assert 0 < samples.reckoned_s(trainee, 1.0) < 600
    monkeypatch.setattr(samples_module, "FREE_S", 0.0)
    assert samples.reckoned_s(trainee, 1e-4) == pytest.approx(3e-6)  # there is no time for more
    assert Samples(samples._reader, [], events.append).reckoned_s(trainee, 1e6) == 0
    assert events == []


def test_a_text_ends_where_its_time_is_over(begun, monkeypatch):
    monkeypatch.setattr(samples_module, "FREE_S", 0.0)
    trainee, samples, events = begun("instruct")
    samples.after(trainee, step(1, 0.005))
    samples.after(trainee, step(2, 0.01))
    samples.after(trainee, step(4, 1e6))
    short, whole = (event["rows"] for event in events)
    assert all(len(row["answer"]) <= 2 for row in short)
    assert max(len(row["answer"]) for row in whole) > 2
    assert all(len(row["answer"]) <= MOST_TOKENS + 1 for row in whole)  # a token is a byte
    assert all(row["answer"].endswith("…") for row in short)
    assert trainee.model.training  # as before, with dropout


def test_where_memory_runs_out_the_training_goes_on_without_looking(begun, monkeypatch):
    trainee, samples, events = begun("sentiment")

    def too_much(ids):
        raise MemoryError

    monkeypatch.setattr(trainee, "outputs", too_much)
    samples.after(trainee, step(2, 100.0))
    monkeypatch.undo()
    samples.after(trainee, step(4, 200.0))
    assert events == []


def test_texts_in_an_event_are_short_and_hold_no_controls(begun):
    trainee, samples, events = begun("sentiment")
    samples._rows = [{"text": "\x1b[31m" + "x" * 5_000, "label": "positive"}]
    samples.after(trainee, step(2, 100.0))
    (row,) = events[0]["rows"]
    assert len(row["input"]) == MOST_CHARS
    assert "\x1b" not in row["input"]


def test_rows_that_are_much_work_or_can_not_be_answered_are_passed_over(run_on, tiny_backbone_folder):
    short, config = ROWS["qa"][0], run_on("qa", ROWS["qa"])
    long, asking = short | {"context": "x " * 4000}, short | {"question": "why " * 200}
    reader = Reader(get_task("qa"), load_tokenizer(str(tiny_backbone_folder)), ("start", "end"), 64)
    assert chosen([long, short, asking], reader, config) == [short]
    assert chosen([short], reader, replace(config, compile=True)) == []
