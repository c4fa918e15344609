"""Rows in, rows with the task's output out: one at a time, streamed, in batches, of any length."""

import json
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from playground import settings
from playground.engine import predict
from playground.engine.engine import Engine
from playground.engine.predict import predict_many, predict_stream
from playground.errors import AdapterError, BackboneError, BusyError, InputError
from playground.tasks import get_task, guess
from playground.tasks.shape_generate import prompt_ids
from playground.tasks.windows import tokenize

SENTENCES = [f"Sentence number {number} is about the {word}." for number, word in enumerate("sea sky sun moon".split())]
NER, QA, SENTIMENT = get_task("ner"), get_task("qa"), get_task("sentiment")
SUMMARIZE, TRANSLATE, INSTRUCT = get_task("summarize"), get_task("translate"), get_task("instruct")


def last(stream):
    *_, final = stream
    return final


def finished(stream):
    return [(index, prediction) for index, prediction in stream if prediction.done]


@pytest.fixture
def restless(monkeypatch):
    """Something is yielded all the time, not five times a second, but with pauses in which the engine has its turn."""
    monkeypatch.setattr(predict, "HEARTBEAT_S", 0.002)


@pytest.fixture
def private_engine(tiny_backbone):
    engine = Engine(tiny_backbone())
    yield engine
    engine.close()


def freed(engine):
    deadline = time.monotonic() + 60
    while engine._open and time.monotonic() < deadline:
        time.sleep(0.005)
    return not engine._open


def test_classify_adds_label_and_scores_of_the_adapters_labels(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter()
    found = last(predict_stream(tiny_engine, SENTIMENT, {"text": "Fine.", "id": 7, "label": "positive"}, record))
    assert found.done
    assert (found.adapter, found.backbone, found.quantization, found.is_guess) == ("tiny", "Tiny", "none", False)
    assert found.row["id"] == 7
    assert found.row["gold"] == "positive"
    assert sum(found.row["scores"].values()) == pytest.approx(1)
    assert found.row["label"] == max(found.row["scores"], key=found.row["scores"].get)


def test_temperature_flattens_the_scores_and_keeps_the_label(tiny_engine, save_tiny_adapter):
    sharp, flat = (save_tiny_adapter(name=n, decision={"temperature": t}) for n, t in (("sharp", 0.5), ("flat", 50.0)))
    a, b = (last(predict_stream(tiny_engine, SENTIMENT, {"text": "Fine."}, r)).row for r in (sharp, flat))
    assert a["label"] == b["label"]
    assert max(a["scores"].values()) > max(b["scores"].values())


def test_long_texts_are_classified_to_their_end(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter(max_length=32)
    beginning = "The same beginning of many words, again and again. " * 4
    one, two = (
        last(predict_stream(tiny_engine, SENTIMENT, {"text": beginning + end}, record)).row for end in ("ok", "zz")
    )
    assert one["scores"] != two["scores"]


def test_entities_of_long_texts_are_slices_of_the_text_up_to_its_end(tiny_engine, save_tiny_adapter):
    text = " ".join(f"Name{number} Łódź 東京" for number in range(40))
    found = last(predict_stream(tiny_engine, NER, {"text": text}, save_tiny_adapter("ner", max_length=32))).row
    assert all(text[one["start"] : one["end"]] == one["text"].strip() != "" for one in found["entities"])
    assert all(left["end"] <= right["start"] for left, right in pairwise(found["entities"]))
    assert found["entities"][-1]["end"] > len(text) - 60
    assert {one["label"] for one in found["entities"]} == {"PER"}


def test_answers_of_long_texts_are_slices_of_the_text(tiny_engine, save_tiny_adapter):
    context = " ".join(f"Fact {number} is true." for number in range(60))
    record = save_tiny_adapter("qa", max_length=64, decision={"no_answer_threshold": -1e9})
    answer = last(predict_stream(tiny_engine, QA, {"context": context, "question": "Which?"}, record)).row["answer"]
    assert context[answer["start"] : answer["end"]] == answer["text"]
    assert answer["text"]


def test_no_answer_is_said_when_its_threshold_is_not_reached(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter("qa", decision={"no_answer_threshold": 1e9})
    found = last(predict_stream(tiny_engine, QA, {"context": "Ann is here.", "question": "Who?"}, record))
    assert found.row["answer"] is None
    assert "does not answer" in found.note


def test_a_document_is_read_at_once_where_the_texts_of_the_training_were_shorter(scripted, save_tiny_adapter):
    document = " ".join(SENTENCES * 8)
    engine = scripted(lambda prompt: "short")
    last(predict_stream(engine, SUMMARIZE, {"document": document}, save_tiny_adapter("summarize", max_length=60)))
    assert engine.prompts == [[f"{document}\n\nSummary:"]]


def test_longer_documents_are_condensed_and_nothing_is_left_out(scripted, save_tiny_adapter):
    document = " ".join(SENTENCES * 60)
    engine = scripted(lambda prompt: "short")
    record = save_tiny_adapter("summarize", max_length=200, generation={"max_new_tokens": 8})
    found = last(predict_stream(engine, SUMMARIZE, {"document": document}, record))
    assert found.row["summary"] == "short"
    parts = [prompt.removesuffix("\n\nSummary:") for prompt in engine.prompts[0]]
    assert len(parts) > 2
    assert " ".join(" ".join(parts).split()) == document
    assert engine.prompts[-1] == ["\n".join(["short"] * len(parts)) + "\n\nSummary:"]


def test_condensing_ends_when_summaries_are_as_long_as_their_texts(scripted, save_tiny_adapter):
    document = " ".join(SENTENCES * 60)
    engine = scripted(lambda prompt: prompt.removesuffix("\n\nSummary:"))
    record = save_tiny_adapter("summarize", max_length=60, generation={"max_new_tokens": 8})
    summary = last(predict_stream(engine, SUMMARIZE, {"document": document}, record)).row["summary"]
    assert summary.split() == document.split()


def test_empty_summaries_of_all_parts_are_an_empty_summary(scripted, save_tiny_adapter):
    record = save_tiny_adapter("summarize", max_length=60, generation={"max_new_tokens": 8})
    document = " ".join(SENTENCES * 60)
    found = last(predict_stream(scripted(lambda prompt: ""), SUMMARIZE, {"document": document}, record))
    assert found.row["summary"] == ""


def test_translations_keep_order_and_paragraphs(scripted, save_tiny_adapter):
    source = 'One is here. Two is there!\n\nThree (a "quoted" one.) Four?\n  \nFive\nSix。Seven。'
    engine = scripted(lambda prompt: prompt.split("\n")[0].removeprefix("English: ").swapcase())
    row = {"source_text": source, "source_lang": "en", "target_lang": "de-AT"}
    record = save_tiny_adapter("translate", prompt=TRANSLATE.prompt)
    found = last(predict_stream(engine, TRANSLATE, row, record)).row["translation"]
    assert found == source.swapcase().replace("。s", "。 s")  # German has a blank between sentences
    assert len(engine.prompts[0]) == 7
    assert all(prompt.endswith("\nGerman:") for prompt in engine.prompts[0])


def test_the_base_translates_and_summarizes_by_examples(scripted):
    engine = scripted(lambda prompt: "ok")
    row = {"source_text": "Hello.", "source_lang": "en", "target_lang": "fr"}
    found = last(predict_stream(engine, TRANSLATE, row, None))
    assert (found.row["translation"], found.adapter, found.note) == ("ok", None, predict_note())
    assert engine.prompts[0][0].endswith("English: Hello.\nFrench:")
    assert last(predict_stream(engine, SUMMARIZE, {"document": "Long."}, None)).row["summary"] == "ok"


def predict_note():
    from playground.engine.plans import FEW_SHOT_NOTE

    return FEW_SHOT_NOTE


@pytest.mark.parametrize(
    ("task", "row", "output"),
    [
        (SENTIMENT, {"text": "Great!"}, "label"),
        (NER, {"text": "Ann lives in Rome. " * 30}, "entities"),
        (QA, {"context": "Ann lives in Rome.", "question": "Where?"}, "answer"),
    ],
)
def test_a_guess_of_the_base_is_marked_as_one(task, row, output, tiny_engine):
    found = last(predict_stream(tiny_engine, task, row, None))
    assert found.is_guess
    assert "guess" in found.note
    assert ("only the first" in found.note) == (len(row.get("text", "")) > 300)
    assert output in found.row
    if task is SENTIMENT:
        assert set(found.row["scores"]) == set(task.labels)


def test_labels_that_begin_alike_are_told_apart_by_what_follows(tiny_engine):
    labels = ("class 1", "class 10", "class 2", "other")
    shots = tuple((f"text {number}", label) for number, label in enumerate(labels))
    task = replace(get_task("classify"), labels=labels, shots=shots)
    scores = last(predict_stream(tiny_engine, task, {"text": "Great!"}, None)).row["scores"]
    tokenizer = tiny_engine.backbone.tokenizer
    prompt = prompt_ids(tokenizer, guess.classify_prompt({"text": "Great!"}, shots, labels))
    endings = {label: tokenize(tokenizer, guess.label_ending(label)).ids for label in labels}

    def chance(label):
        """The product over its tokens, each among those that labels with the same beginning go on with."""
        product = 1.0
        for place, token in enumerate(endings[label]):
            before = endings[label][:place]
            choices = sorted({ids[place] for ids in endings.values() if ids[:place] == before})
            if len(choices) > 1:
                ticket = tiny_engine.choose([[*prompt, *before]], choices)
                ticket.wait()
                product *= ticket.decode_rows[0].chances[choices.index(token)]
        return product

    expected = {label: chance(label) for label in labels}
    best = max(expected, key=expected.get)
    assert next(iter(scores)) == best
    assert scores[best] == pytest.approx(expected[best], abs=1e-4)
    assert sum(scores.values()) == pytest.approx(1.0, abs=1e-4)


def test_a_prompt_beyond_the_positions_of_the_backbone_is_refused(tiny_engine):
    with pytest.raises(InputError, match=r"9,00. tokens; the backbone has room for 8,000"):
        last(predict_stream(tiny_engine, INSTRUCT, {"prompt": "x" * 9000}, None))


def test_windows_shrink_to_the_positions_of_the_backbone(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter(max_length=100_000)
    assert last(predict_stream(tiny_engine, SENTIMENT, {"text": "x" * 9000}, record)).row["label"] in record.labels


@pytest.mark.parametrize(
    ("task", "row", "words"),
    [
        (SENTIMENT, {}, "has no 'text'"),
        (SENTIMENT, {"text": " \n\t"}, "The text is empty"),
        (SENTIMENT, {"text": None}, "must be text"),
        (SENTIMENT, {"text": "x" * 1_000_001}, "1,000,001 characters"),
        (QA, {"context": "a"}, "has no 'question'"),
        (QA, {"context": "a", "question": "word " * 200}, "The question has"),
        (TRANSLATE, {"source_text": "a", "source_lang": "xx", "target_lang": "en"}, "'xx' is not a supported"),
        (INSTRUCT, {"messages": [{"role": "robot", "content": "x"}]}, "has the role 'robot'"),
    ],
)
def test_rows_that_cannot_be_used_are_refused_in_a_sentence(task, row, words, tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter(task.name, prompt=task.prompt)
    with pytest.raises(InputError, match=words):
        last(predict_stream(tiny_engine, task, row, record))
    ((_, prediction),) = finished(predict_many(tiny_engine, task, [row], record))
    assert words in prediction.error
    assert prediction.row == row


def test_an_adapter_of_another_task_is_refused(tiny_engine, save_tiny_adapter):
    with pytest.raises(AdapterError, match="'mine' was made for ner; choose one for sentiment"):
        last(predict_stream(tiny_engine, SENTIMENT, {"text": "a"}, save_tiny_adapter("ner", "mine")))
    with pytest.raises(AdapterError, match="'mine' was made for translate"):
        last(predict_stream(tiny_engine, SUMMARIZE, {"document": "a"}, save_tiny_adapter("translate", "mine")))
    classify = save_tiny_adapter("classify")
    assert last(predict_stream(tiny_engine, SENTIMENT, {"text": "a"}, classify)).row["label"] in classify.labels


def test_a_prompt_that_names_a_field_the_row_lacks_is_refused(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter("summarize", prompt="{document} {genre}")
    with pytest.raises(InputError, match="field 'genre'"):
        last(predict_stream(tiny_engine, SUMMARIZE, {"document": "a"}, record))


def test_conversations_are_continued_as_prompts(scripted):
    engine = scripted(lambda prompt: "Fine.")
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "So?"},
    ]
    row = {"messages": messages}
    assert last(predict_stream(engine, INSTRUCT, row, None)).row == {**row, "completion": "Fine."}
    assert engine.prompts == [["Hi\n\nYes?\n\nSo?"]]


def test_offsets_refer_to_the_row_that_is_returned(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter("ner")
    text = "\0Ann\r\nlives\x07 in\r Rome and Paris"
    found = last(predict_stream(tiny_engine, NER, {"text": text}, record)).row
    assert found["text"] == text
    for one in found["entities"]:
        assert " ".join(text[one["start"] : one["end"]].replace("\0", " ").replace("\x07", " ").split()) == " ".join(
            one["text"].split()
        )


def test_surrogates_are_joined_in_the_row_that_is_returned(tiny_engine, save_tiny_adapter):
    row = {"text": "\ud83d" + "\ude00 Ann \ud800 Bob", "note": "as it was"}
    found = last(predict_stream(tiny_engine, NER, row, save_tiny_adapter("ner"))).row
    assert found["text"] == "😀 Ann \ufffd Bob"
    assert found["note"] == "as it was"
    assert all(found["text"][one["start"] : one["end"]].strip() == one["text"] for one in found["entities"])
    assert json.dumps(found, ensure_ascii=False).encode("utf-8")


def test_a_streamed_text_only_grows(tiny_engine, save_tiny_adapter, restless):
    record = save_tiny_adapter("summarize", prompt=SUMMARIZE.prompt, generation={"max_new_tokens": 60})
    shown = [p.row.get("summary", "") for p in predict_stream(tiny_engine, SUMMARIZE, {"document": "Sea."}, record)]
    lengths = {len(text) for text in shown}
    assert len(lengths) > 3
    assert all(after.startswith(before) for before, after in pairwise(shown))


def test_only_the_last_prediction_is_done(tiny_engine, save_tiny_adapter, restless):
    record = save_tiny_adapter("summarize", generation={"max_new_tokens": 8})
    found = list(predict_stream(tiny_engine, SUMMARIZE, {"document": "Sea."}, record))
    assert [prediction.done for prediction in found] == [False] * (len(found) - 1) + [True]


def test_closing_the_stream_frees_the_row(private_engine, save_tiny_adapter, restless):
    record = save_tiny_adapter("summarize", generation={"max_new_tokens": 5000})
    stream = predict_stream(private_engine, SUMMARIZE, {"document": "Sea."}, record)
    next(stream)
    stream.close()
    assert freed(private_engine)


def test_closing_a_batch_in_the_middle_frees_its_rows(private_engine, save_tiny_adapter, restless):
    record = save_tiny_adapter("summarize", generation={"max_new_tokens": 5000})
    stream = predict_many(private_engine, SUMMARIZE, [{"document": "Sea."}] * 20, record)
    index, prediction = next(stream)
    assert (index, prediction.done) == (0, False)
    stream.close()
    assert freed(private_engine)


def test_an_adapters_beams_and_length_penalty_are_used(tiny_engine, save_tiny_adapter):
    short = {"max_new_tokens": 12}
    wishes = [{}, {"num_beams": 4}, {"num_beams": 4, "length_penalty": -9.0}]
    records = [save_tiny_adapter("summarize", f"a{n}", generation=short | wish) for n, wish in enumerate(wishes)]
    rows = [{"document": f"Text number {number}."} for number in range(12)]
    found = [[p.row for _, p in finished(predict_many(tiny_engine, SUMMARIZE, rows, record))] for record in records]
    assert found[0] != found[1] != found[2] != found[0]
    asked = finished(predict_many(tiny_engine, SUMMARIZE, rows, records[0], num_beams=4))
    assert [prediction.row for _, prediction in asked] == found[1]
    assert [last(predict_stream(tiny_engine, SUMMARIZE, row, records[1])).row for row in rows] == found[1]


def test_an_adapter_that_wants_beams_and_a_temperature_is_refused(tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter("summarize", generation={"num_beams": 2, "temperature": 0.5})
    with pytest.raises(InputError, match=r"2 beams and the temperature 0.5 can't go together"):
        last(predict_stream(tiny_engine, SUMMARIZE, {"document": "Sea."}, record))


@pytest.mark.parametrize("with_adapter", [True, False])
@pytest.mark.parametrize("task", [SENTIMENT, NER, QA, SUMMARIZE], ids=lambda task: task.name)
def test_a_batch_equals_its_rows_alone(task, with_adapter, tiny_engine, save_tiny_adapter):
    record = save_tiny_adapter(task.name, generation={"max_new_tokens": 6}, max_length=48) if with_adapter else None
    texts = ["Ann.", "A longer text about Rome and the sea. " * 4, "海", "x y z"]
    row = {"text": "", "context": "", "document": "", "question": "Who is it?"}
    fields = [field.name for field in task.inputs]
    rows = [{name: text if name == fields[0] else row[name] for name in fields} for text in texts]
    if not with_adapter:
        task = replace(task, max_new_tokens=6)
    together = finished(predict_many(tiny_engine, task, rows, record, batch_rows=3))
    assert [index for index, _ in together] == [0, 1, 2, 3]
    for (_, found), given in zip(together, rows, strict=True):
        alone = last(predict_stream(tiny_engine, task, given, record))
        assert rounded(found.row) == rounded(alone.row)
        assert (found.note, found.is_guess) == (alone.note, alone.is_guess)


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 3) if isinstance(value, float) else value


def test_bad_rows_keep_their_place_and_do_not_stop_the_others(tiny_engine, save_tiny_adapter):
    rows = [{"text": "good"}, {"text": ""}, {"nothing": 1}, {"text": "good"}, {"text": 5}, {"text": "\ud800"}]
    found = finished(predict_many(tiny_engine, SENTIMENT, rows, save_tiny_adapter(), batch_rows=4))
    assert [index for index, _ in found] == list(range(6))
    assert [prediction.error is None for _, prediction in found] == [True, False, False, True, False, True]
    assert all(("label" in prediction.row) == (prediction.error is None) for _, prediction in found)


def test_a_line_that_could_not_be_read_keeps_its_reason(tiny_engine, save_tiny_adapter):
    rows = [{"text": "", "error": "line 4 has 3 cells"}, {"text": "good", "error": "a column of the person"}]
    (_, bad), (_, good) = finished(predict_many(tiny_engine, SENTIMENT, rows, save_tiny_adapter()))
    assert bad.error == "line 4 has 3 cells"
    assert good.error is None
    assert good.row["error"] == "a column of the person"


@pytest.mark.parametrize("task", [SENTIMENT, SUMMARIZE], ids=lambda task: task.name)
def test_a_batch_takes_one_place_in_the_line(task, tiny_engine, save_tiny_adapter, monkeypatch):
    monkeypatch.setattr(settings, "MAX_WAITING_REQUESTS", 1)
    rows = [{task.inputs[0].name: "Sea."}] * 10
    for record in (save_tiny_adapter(task.name, generation={"max_new_tokens": 3}), None):
        assert len(finished(predict_many(tiny_engine, replace(task, max_new_tokens=3), rows, record))) == 10


def test_a_full_line_is_said_and_nothing_is_left_in_it(private_engine, save_tiny_adapter, monkeypatch):
    monkeypatch.setattr(settings, "MAX_WAITING_REQUESTS", 0)
    with pytest.raises(BusyError):
        finished(predict_many(private_engine, SENTIMENT, [{"text": "a"}], save_tiny_adapter()))
    with pytest.raises(BusyError):
        last(predict_stream(private_engine, SENTIMENT, {"text": "a"}, save_tiny_adapter(name="b")))
    assert not private_engine._open


def test_no_rows_give_no_predictions(tiny_engine, save_tiny_adapter):
    assert list(predict_many(tiny_engine, SENTIMENT, [], save_tiny_adapter())) == []


def test_an_encoder_without_an_adapter_says_that_it_cannot_guess(tiny_backbone):
    engine = Engine(tiny_backbone(family="encoder"))
    with pytest.raises(BackboneError, match="has no head for sentiment and can't write a guess"):
        last(predict_stream(engine, SENTIMENT, {"text": "a"}, None))
    engine.close()
