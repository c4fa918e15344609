import json

import pytest

from playground.data.columns import propose
from playground.data.rows import map_table

TEXT = "Ada lives in London."
ENTITIES = [{"start": 0, "end": 3, "label": "PER"}, {"start": 13, "end": 19, "label": "LOC"}]


def label_studio(text, result, **task):
    return {
        "id": 1,
        "data": {"text": text},
        "annotations": [{"id": 2, "was_cancelled": False, "result": result}],
        **task,
    }


def span(start, end, label):
    value = {"start": start, "end": end, "text": TEXT[start:end], "labels": [label]}
    return {"from_name": "label", "to_name": "text", "type": "labels", "value": value}


def choice(*labels):
    return {"from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": list(labels)}}


NER = {
    "label studio": label_studio(TEXT, [span(0, 3, "PER"), span(13, 19, "LOC")]),
    "spacy jsonl": {"text": TEXT, "entities": [[0, 3, "PER"], [13, 19, "LOC"]]},
    "spacy spans": {"text": TEXT, "spans": ENTITIES},
    "spacy 2 tuple": [TEXT, {"entities": [[0, 3, "PER"], [13, 19, "LOC"]]}],
    "prodigy": {"text": TEXT, "spans": ENTITIES, "answer": "accept", "_input_hash": 1},
    "spacy doc": {
        "text": TEXT,
        "ents": ENTITIES,
        "cats": {},
        "tokens": [{"id": 0, "start": 0, "end": 3, "tag": "NNP"}],
    },
    "doccano": {"id": 1, "text": TEXT, "label": [[0, 3, "PER"], [13, 19, "LOC"]]},
    "dataturks": {
        "content": TEXT,
        "annotation": [
            {"label": ["PER"], "points": [{"start": 0, "end": 2, "text": "Ada"}]},
            {"label": ["LOC"], "points": [{"start": 13, "end": 18, "text": "London"}]},
        ],
    },
    "gliner": {"tokenized_text": ["Ada", "lives", "in", "London", "."], "ner": [[0, 0, "PER"], [3, 3, "LOC"]]},
    "hub": {"tokens": ["Ada", "lives", "in", "London", "."], "ner_tags": ["B-PER", "O", "O", "B-LOC", "O"]},
}


@pytest.mark.parametrize("tool", NER)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_entities_of_every_tool_are_the_same(read_as, tool, name):
    content = json.dumps([NER[tool]] * 2) if name == "a.json" else f"{json.dumps(NER[tool])}\n" * 2
    table = read_as(name, content)
    loaded = map_table(table, propose(table, "ner"))
    assert loaded.rejected == []
    assert [(row["text"], row["entities"]) for row in loaded.rows] == [(TEXT, ENTITIES)] * 2
    assert propose(table).task == "ner"


def test_a_file_of_spacy_2_tuples_as_python_writes_them_is_read(read_as):
    table = read_as(
        "train.json", f"TRAIN_DATA = [\n    ('{TEXT}', {{'entities': [(0, 3, 'PER'), (13, 19, 'LOC')]}}),\n]\n"
    )
    assert map_table(table, propose(table, "ner")).rows[0]["entities"] == ENTITIES


def test_documents_of_spacy_2_are_read_by_sentence(read_as):
    tokens = [{"orth": "Ada", "ner": "U-PER"}, {"orth": "sang", "ner": "O"}]
    document = {"id": 0, "paragraphs": [{"raw": "Ada sang", "sentences": [{"tokens": tokens}]}]}
    assert read_as("a.json", json.dumps([document])).rows == [{"tokens": ["Ada", "sang"], "tags": ["U-PER", "O"]}]


def test_what_spacy_does_not_know_is_no_entity(read_as):
    tokens = [{"orth": "Ada", "ner": "U-PER"}, {"orth": "said", "ner": "-"}, {"orth": "so"}]
    table = read_as("train.json", json.dumps([{"id": 0, "paragraphs": [{"sentences": [{"tokens": tokens}]}]}]))
    assert table.rows == [{"tokens": ["Ada", "said", "so"], "tags": ["U-PER", "O", "O"]}]


def test_categories_of_a_spacy_doc_are_its_label(read_as):
    docs = [{"text": f"Text {i}", "ents": [], "cats": {"A": 0.9, "B": 0.1}, "tokens": []} for i in range(3)]
    table = read_as("docs.jsonl", "\n".join(map(json.dumps, docs)))
    assert table.rows[0] == {"text": "Text 0", "label": "A"}


def test_labels_of_doccano_may_be_numbers(read_as):
    texts = [{"id": i, "text": f"Text {i}", "annotations": [{"label": i % 2, "user": 1}], "meta": {}} for i in range(6)]
    table = read_as("project.jsonl", "\n".join(map(json.dumps, texts)))
    found = map_table(table, propose(table))
    assert [row["label"] for row in found.rows] == ["0", "1"] * 3
    mark = {"label": 4, "start_offset": 0, "end_offset": 3, "user": 1}
    table = read_as("project.jsonl", "\n".join([json.dumps({"id": 1, "text": TEXT, "annotations": [mark]})] * 3))
    assert map_table(table, propose(table)).rows[0]["entities"] == [{"start": 0, "end": 3, "label": "4"}]


def test_rows_of_the_data_set_viewer_are_read(read_as):
    rows = [{"row_idx": i, "row": {"text": f"Text {i}", "label": i}, "truncated_cells": []} for i in range(3)]
    assert read_as("rows.json", json.dumps({"features": [], "rows": rows})).rows[1] == {"text": "Text 1", "label": 1}


def test_spans_in_a_web_page_of_label_studio_are_entities(read_as):
    value = {"start": "/p[1]/text()[1]", "startOffset": 0, "globalOffsets": {"start": 0, "end": 3}, "text": "Ada"}
    marked = {"type": "hypertextlabels", "value": {**value, "hypertextlabels": ["PER"]}}
    tasks = [{"data": {"html": "<p>Ada</p> lives in <b>London</b> &amp; Rome."}, "annotations": [{"result": [marked]}]}]
    table = read_as("project.json", json.dumps(tasks * 3))
    row = map_table(table, propose(table)).rows[0]
    assert (row["text"], row["entities"]) == ("Ada lives in London & Rome.", [{"start": 0, "end": 3, "label": "PER"}])


def test_a_taxonomy_of_label_studio_is_a_label(read_as):
    value = {"taxonomy": [["Food", "Fruit"]]}
    tasks = [label_studio(f"Text {i}", [{"from_name": "kind", "type": "taxonomy", "value": value}]) for i in range(3)]
    assert read_as("project.json", json.dumps(tasks)).rows[0] == {"text": "Text 0", "kind": "Food / Fruit"}


def test_several_choices_in_a_table_of_label_studio_are_no_label(read_as):
    several = '"{""choices"": [""good"", ""new""]}"'
    table = read_as("project.csv", "text,sentiment\n" + "I love it,good\nI hate it,bad\n" * 3 + f"Both,{several}\n")
    found = map_table(table, propose(table))
    assert [(one.line, one.reason) for one in found.rejected] == [(8, "has 2 labels; each row needs exactly one")]


def test_choices_of_label_studio_are_labels(read_as):
    tasks = [label_studio("I love it", [choice("good")]), label_studio("I hate it", [choice("bad")])]
    table = read_as("export.json", json.dumps(tasks))
    loaded = map_table(table, propose(table, "classify"))
    assert [(row["text"], row["label"]) for row in loaded.rows] == [("I love it", "good"), ("I hate it", "bad")]


def test_what_was_cancelled_in_label_studio_is_left_out(read_as):
    cancelled = label_studio("Skip me", [choice("bad")])
    cancelled["annotations"][0]["was_cancelled"] = True
    table = read_as("export.json", json.dumps([cancelled, label_studio("I love it", [choice("good")])]))
    assert [row["text"] for row in table.rows] == ["I love it"]
    assert [one.reason for one in table.rejected] == ["was rejected or skipped by whoever annotated it"]


def test_what_was_rejected_in_prodigy_is_left_out(read_as):
    rows = [{"text": "a b", "label": "x", "answer": answer} for answer in ("accept", "reject", "ignore")]
    table = read_as("a.jsonl", "\n".join(map(json.dumps, rows)))
    assert table.rows == [{"text": "a b", "label": "x"}]
    assert [one.line for one in table.rejected] == [2, 3]


def test_categories_of_spacy_are_labels(read_as):
    rows = [["I love it", {"cats": {"POS": 1.0, "NEG": 0.0}}], ["I hate it", {"cats": {"POS": 0.0, "NEG": 1.0}}]]
    assert read_as("a.json", json.dumps(rows)).rows[1] == {"text": "I hate it", "label": "NEG"}


SQUAD = [
    {
        "title": "Ada",
        "paragraphs": [
            {
                "context": TEXT,
                "qas": [
                    {"id": "1", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}]},
                    {"id": "2", "question": "Why?", "answers": [], "is_impossible": True},
                ],
            }
        ],
    }
]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("squad.json", json.dumps({"version": "v2.0", "data": SQUAD})),
        ("squad.json", json.dumps(SQUAD, indent=2)),
        ("squad.jsonl", json.dumps(SQUAD[0]) + "\n"),
        ("mrqa.jsonl", json.dumps({"header": {"dataset": "x"}}) + "\n" + json.dumps(SQUAD[0]["paragraphs"][0]) + "\n"),
    ],
)
def test_the_nesting_of_squad_becomes_a_row_a_question(read_as, name, content):
    table = read_as(name, content)
    rows = map_table(table, propose(table, "qa")).rows
    assert [(row["context"], row["question"], row["answers"]) for row in rows] == [
        (TEXT, "Who?", [{"text": "Ada", "start": 0}]),
        (TEXT, "Why?", []),
    ]


SAID = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


@pytest.mark.parametrize(
    "record",
    [
        {"messages": SAID},
        {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
        {"conversation": SAID},
        SAID,
        {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}, {"role": "model", "parts": [{"text": "Hello"}]}]},
        {"text": "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>"},
        {"text": "### Human: Hi ### Assistant: Hello"},
    ],
)
@pytest.mark.parametrize("name", ["chat.json", "chat.jsonl"])
def test_conversations_of_every_notation_are_the_same(read_as, record, name):
    content = json.dumps([record] * 3) if name == "chat.json" else f"{json.dumps(record)}\n" * 3
    table = read_as(name, content)
    loaded = map_table(table, propose(table, "instruct"))
    assert [row["messages"] for row in loaded.rows] == [SAID] * 3
    assert propose(table).task == "instruct"


def test_the_categories_of_spacy_beside_a_text_are_its_label(read_as):
    rows = [{"text": f"so good {i}", "cats": {"POS": float(i % 2), "NEG": 1.0 - i % 2}} for i in range(4)]
    table = read_as("a.jsonl", "\n".join(map(json.dumps, rows)))
    assert [row["label"] for row in table.rows] == ["NEG", "POS", "NEG", "POS"]


def test_what_label_studio_shows_nobody_marked_has_no_entities(read_as):
    marked = {"text": TEXT, "label": [{"start": 0, "end": 3, "labels": ["PER"]}], "annotation_id": 1, "annotator": 1}
    empty = {"text": "no name", "annotation_id": 2, "annotator": 1}
    table = read_as("a.json", json.dumps([marked, empty] * 3))
    assert [len(row["entities"]) for row in map_table(table, propose(table)).rows] == [1, 0] * 3


def test_tasks_that_nobody_annotated_are_set_aside(read_as):
    todo = {"id": 2, "data": {"text": "Ada again"}, "annotations": [], "predictions": []}
    table = read_as("a.json", json.dumps([label_studio(TEXT, [span(0, 3, "PER")]), todo] * 3))
    found = map_table(table, propose(table))
    assert (len(found.rows), len(found.rejected)) == (3, 3)


SHAREGPT = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]


def test_a_system_prompt_beside_the_conversation_is_learnt_with_it(read_as):
    row = {"conversations": SHAREGPT, "system": "Be brief.", "tools": ""}
    table = read_as("a.json", json.dumps([row] * 4))
    said = map_table(table, propose(table)).rows[0]["messages"]
    assert [(one["role"], one["content"]) for one in said] == [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "Ho"),
    ]


def test_in_alpacas_rows_what_was_said_before_stands_in_front_of_the_instruction(read_as):
    plain = {"instruction": "Hi", "input": "", "output": "Ho"}
    rows = [
        plain,
        plain | {"system": "Be brief.", "history": []},
        {"instruction": "And 2?", "input": "quick", "output": "3", "history": [["1?", "2"]]},
    ]
    table = read_as("a.json", json.dumps(rows * 4))
    found = map_table(table, propose(table)).rows
    assert [(row["prompt"], row["completion"]) for row in found[:3]] == [
        ("Hi", "Ho"),
        ("Be brief.\n\nHi", "Ho"),
        ("1?\n\n2\n\nAnd 2?\n\nquick", "3"),
    ]
