import json
from pathlib import Path
from typing import Any

import pytest

from playground.data.columns import propose
from playground.data.reading import read_table
from playground.data.rows import load_training_rows, map_table, validate_rows
from playground.errors import DataError, InputError
from playground.types import Row


def only(task: str, row: Row) -> Row:
    rows, rejected = validate_rows(task, [(1, row)])
    assert rejected == []
    return rows[0]


def reason(task: str, row: Any) -> str:
    rows, rejected = validate_rows(task, [(7, row)])
    assert rows == []
    assert rejected[0].line == 7
    return rejected[0].reason


GOOD_ROWS = [
    ("sentiment", {"text": "a", "label": "x"}),
    ("classify", {"text": "a", "label": "x", "lang": "en"}),
    ("ner", {"text": "Ada wrote", "entities": [{"start": 0, "end": 3, "label": "PER"}]}),
    ("ner", {"text": "nobody", "entities": []}),
    ("qa", {"context": "Ada wrote", "question": "Who?", "answers": [{"text": "Ada", "start": 0}]}),
    ("qa", {"context": "Ada wrote", "question": "When?", "answers": []}),
    ("summarize", {"document": "Long", "summary": "S"}),
    ("translate", {"source_text": "Hi", "target_text": "Oi", "source_lang": "en", "target_lang": "pt-BR"}),
    ("instruct", {"prompt": "Say", "completion": "Hi"}),
    ("instruct", {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}),
]


@pytest.mark.parametrize(("task", "row"), GOOD_ROWS)
def test_rows_of_the_contract_pass_unchanged_with_their_extra_fields(task: str, row: Row) -> None:
    assert only(task, {**row, "id": 3, "source": "me"}) == {**row, "id": 3, "source": "me"}


@pytest.mark.parametrize(("task", "row"), GOOD_ROWS)
def test_a_row_without_any_of_its_fields_is_rejected(task: str, row: Row) -> None:
    for field in row:
        if field != "lang":
            assert reason(task, {name: value for name, value in row.items() if name != field})


@pytest.mark.parametrize(("task", "row"), GOOD_ROWS)
@pytest.mark.parametrize("junk", [None, 5, True, "", " ", [], {}, [[]], [None], {"a": 1}, "[", float("inf")])
def test_no_junk_in_any_field_raises(task: str, row: Row, junk: Any) -> None:
    for field in row:
        rows, rejected = validate_rows(task, [(1, {**row, field: junk})])
        assert len(rows) + len(rejected) == 1


@pytest.mark.parametrize("row", [None, 3, "text", ["a"]])
def test_what_is_no_object_is_rejected(row: Any) -> None:
    assert "not an object" in reason("sentiment", row)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (1, "1"),
        (2.0, "2"),
        (True, "true"),
        (" very\n good ", "very good"),
        (["x"], "x"),
        (0, "0"),
        ("\u200bgood\u200e", "good"),
        ("__label__good", "good"),
        ({"id": 3, "name": "good"}, "good"),
    ],
)
def test_labels_become_words(label: object, expected: str) -> None:
    assert only("classify", {"text": "a", "label": label})["label"] == expected


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "a", "label": ""}, "label is missing"),
        ({"text": "a", "label": "\\N"}, "label is missing"),
        ({"text": "a", "label": ["x", "y"]}, "2 labels"),
        ({"text": "a", "label": {"x": 1}}, "must be a word"),
        ({"text": "a", "label": "long " * 60}, "right column"),
        ({"text": "  ", "label": "x"}, "text is empty"),
        ({"text": ["a"], "label": "x"}, "must be text, not a list"),
        ({"text": "a" * 1_000_001, "label": "x"}, "1,000,001 characters"),
    ],
)
def test_bad_classes_are_rejected_with_the_reason(row: Row, words: str) -> None:
    assert words in reason("sentiment", row)


def test_text_is_cleaned_for_the_tokenizer() -> None:
    assert only("sentiment", {"text": "a\0\ud800b\r\n", "label": "x"})["text"] == "a \ufffdb \n"


def entities(row: Row) -> list[tuple[str, str]]:
    checked = only("ner", row)
    return [(checked["text"][one["start"] : one["end"]], one["label"]) for one in checked["entities"]]


@pytest.mark.parametrize(
    "row",
    [
        {
            "text": "Ada in Rome",
            "entities": [{"start": 7, "end": 11, "label": "LOC"}, {"start": 0, "end": 3, "label": "PER"}],
        },
        {"text": "Ada in Rome", "entities": [[0, 3, "PER"], [7, 11, "LOC"]]},
        {"text": "Ada in Rome", "entities": '[{"start": 0, "end": 3, "label": "PER"}, [7, 11, "LOC"]]'},
        {"text": "Ada in Rome", "entities": "[(0, 3, 'PER'), (7, 11, 'LOC')]"},
        {
            "text": "Ada in Rome",
            "entities": [
                {"start_offset": "0", "end_offset": 4.0, "entity": "PER"},
                {"start": 7, "end": 11, "labels": ["x"], "type": "LOC"},
            ],
        },
        {"tokens": ["Ada", "in", "Rome"], "tags": ["B-PER", "O", "B-LOC"]},
        {"tokens": ["Ada", "in", "Rome"], "tags": ["I-PER", "O", "I-LOC"]},
        {"tokens": ["Ada", "in", "Rome"], "tags": ["S-PER", "O", "U-LOC"]},
        {"tokens": ["Ada", "in", "Rome"], "tags": ["PER-B", "O", "LOC-S"]},
        {"tokens": "['Ada', 'in', 'Rome']", "tags": '["PER", "O", "LOC"]'},
        {"text": "Ada in Rome", "tags": "B-PER O B-LOC"},
        {"text": "[Ada](PER) in [Rome](LOC)"},
        {"text": "Ada in Rome", "entities": [["Ada", "PER"], ["LOC", "Rome"]]},
        {"text": "Ada in Rome", "entities": "[('Ada', 'PER'), ('Rome', 'LOC')]"},
        {"text": "Ada in Rome", "entities": {"Ada": "PER", "LOC": "Rome"}},
        {"text": "Ada in Rome", "entities": {"PER": ["Ada"], "LOC": ["rome"]}},
        {"text": "Ada in Rome", "entities": "Ada: PER; Rome: LOC"},
        {"text": "Ada in Rome", "entities": "Ada = PER, LOC = Rome"},
    ],
)
def test_entities_are_read_in_every_notation(row: Row) -> None:
    assert entities(row) == [("Ada", "PER"), ("Rome", "LOC")]


@pytest.mark.parametrize(
    ("text", "listed", "starts"),
    [
        ("Al left Algeria. Al met Bob.", ["Al"], [0, 17]),
        ("Al left Algeria. Al met Al.", ["Al", "Al"], [0, 17]),
        ("Algeria is where Al lives", ["Al"], [17]),
        ("York is not New York", ["York", "New York"], [0, 12]),
        ("Al met Bob", ["Al", "Al"], [0]),
        ("in New\nYork", ["New York"], [3]),
        ("Abschied von Berlins Osten", ["Berlin"], [13]),
    ],
)
def test_entities_without_offsets_are_found_where_they_are_mentioned(text, listed, starts) -> None:
    row = only("ner", {"text": text, "entities": [{"text": words, "label": "X"} for words in listed]})
    assert [one["start"] for one in row["entities"]] == starts


def test_the_same_words_with_two_labels_take_their_mentions_in_order() -> None:
    row = {"text": "Washington came to Washington", "entities": [["Washington", "PER"], ["Washington", "LOC"]]}
    assert entities(row) == [("Washington", "PER"), ("Washington", "LOC")]


def test_it_is_said_how_many_rows_leave_the_place_of_an_entity_open(tmp_path: Path) -> None:
    rows = [{"text": "Al and Al", "entities": [["Al", "PER"]]}] * 5 + [{"text": "Al", "entities": [["Al", "PER"]]}]
    loaded = load_training_rows(saved(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))), "ner")
    assert len(loaded.notes) == 1
    assert loaded.notes[0].startswith("Line 1 and 4 more: an entity without offsets is listed once")


def test_offsets_that_count_an_emoji_as_two_are_corrected() -> None:
    row = {"text": "💥💥 Bob and Ada", "entities": [{"start": 5, "end": 8, "label": "PER", "text": "Bob"}]}
    assert entities(row) == [("Bob", "PER")]


def test_rows_that_nobody_annotated_are_not_taken_for_rows_without_entities(tmp_path: Path) -> None:
    rows = [{"text": "Ada left", "entities": [[0, 3, "PER"]]}, {"text": "no mark"}, {"text": "none", "entities": []}]
    loaded = load_training_rows(saved(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))), "ner")
    assert [row["text"] for row in loaded.rows] == ["Ada left", "none"]
    assert [(one.line, one.reason[:20]) for one in loaded.rejected] == [(2, "entities are missing")]


def in_bytes(text: str, *spans: tuple[int, int]) -> Row:
    counted = [[len(text[:place].encode()) for place in span] for span in spans]
    return {"text": text, "entities": [{"start": start, "end": end, "label": "X"} for start, end in counted]}


BYTES = [
    in_bytes("稻盛和夫设立的财团法人稻盛财团负责颁发京都奖。", (0, 4), (11, 15)),
    in_bytes("नांगल दिल्ली का एक आवासीय क्षेत्र है।", (0, 5), (6, 12)),
]
MEANT = [["稻盛和夫", "稻盛财团"], ["नांगल", "दिल्ली"]]


@pytest.mark.parametrize("notation", [lambda row: row, lambda row: row | {"entities": json.dumps(row["entities"])}])
def test_offsets_that_count_bytes_are_read_as_that_and_told(tmp_path: Path, notation: Any) -> None:
    lines = "\n".join(json.dumps(notation(row)) for row in [*BYTES, {"text": "Näheres folgt.", "entities": []}])
    loaded = load_training_rows(saved(tmp_path, "a.jsonl", lines), "ner")
    assert loaded.rejected == []
    found = [[row["text"][one["start"] : one["end"]] for one in row["entities"]] for row in loaded.rows]
    assert found == [*MEANT, []]
    assert "count bytes" in loaded.notes[0]


def test_bytes_inside_a_character_are_a_reason() -> None:
    bad = {"text": "东京很大。", "entities": [{"start": 1, "end": 4, "label": "LOC"}]}
    rows, rejected = validate_rows("ner", list(enumerate([*BYTES, bad], 1)))
    assert len(rows) == 2
    assert [(one.line, "bytes 1 to 4" in one.reason) for one in rejected] == [(3, True)]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("Käte wohnt in Köln am Rhein.", 14, 18),
        ("İstanbul'da yağmur yağdı.", 0, 8),
        ("대한민국 서울에서 만나자.", 5, 7),
        ("他住在东京。", 3, 5),
    ],
)
def test_offsets_in_characters_stay_whatever_the_script(text: str, start: int, end: int) -> None:
    row = {"text": text, "entities": [{"start": start, "end": end, "label": "LOC"}]}
    assert entities(row) == [(text[start:end], "LOC")]


def test_a_single_entity_with_its_words_may_count_bytes() -> None:
    rows = [{"text": "他住在东京。", "entities": [{"start": 3, "end": 5, "label": "LOC"}]}] * 9
    own = {"text": "我爱北京。", "entities": [{"start": 6, "end": 12, "label": "LOC", "text": "北京"}]}
    checked, rejected = validate_rows("ner", list(enumerate([*rows, own], 1)))
    assert rejected == []
    assert checked[-1]["entities"] == [{"start": 2, "end": 4, "label": "LOC"}]


def test_an_answer_whose_start_counts_bytes_is_found_among_several() -> None:
    context = "दिल्ली बड़ी है। दिल्ली राजधानी है।"
    start = context.rindex("दिल्ली")
    answer = {"text": "दिल्ली", "start": len(context[:start].encode())}
    row = {"context": context, "question": "क्या?", "answers": [answer]}
    assert only("qa", row)["answers"] == [{"text": "दिल्ली", "start": start}]


def test_entities_of_several_tokens_and_neighbours_are_kept_apart() -> None:
    tokens = ["New", "York", "Paris", "Ada", "L.", "Bob", "x"]
    bio = ["B-LOC", "I-LOC", "B-LOC", "B-PER", "I-PER", "B-PER", "O"]
    bioes = ["B-LOC", "E-LOC", "S-LOC", "B-PER", "L-PER", "U-PER", "O"]
    turned = ["LOC-B", "LOC-I", "LOC-B", "PER-B", "PER-I", "PER-B", "O"]
    expected = [("New York", "LOC"), ("Paris", "LOC"), ("Ada L.", "PER"), ("Bob", "PER")]
    assert entities({"tokens": tokens, "tags": bio}) == expected
    assert entities({"tokens": tokens, "tags": bioes}) == expected
    assert entities({"tokens": tokens, "tags": turned}) == expected


def test_the_middle_of_a_chinese_entity_belongs_to_it() -> None:
    row = {"tokens": list("王，中国籍"), "tags": ["S-NAME", "O", "B-CONT", "M-CONT", "E-CONT"]}
    assert entities(row) == [("王", "NAME"), ("中国籍", "CONT")]


def test_numbers_and_latin_words_of_a_text_by_characters_stay_whole() -> None:
    row = {"tokens": list("1987年，大卫·韦拿看Playgirl"), "tags": ["O"] * 20}
    assert only("ner", row)["text"] == "1987年，大卫·韦拿看Playgirl"


def test_a_type_that_ends_like_a_tag_is_one() -> None:
    row = {"tokens": ["Vitamin", "Ada"], "tags": ["B-HEPATITIS-B", "I-PER"]}
    assert entities(row) == [("Vitamin", "HEPATITIS-B"), ("Ada", "PER")]


def test_tokens_are_joined_as_their_script_is_written() -> None:
    assert (
        only("ner", {"tokens": ["安", "倍", "在", "東京", "。"], "tags": ["B-PER", "I-PER", "O", "B-LOC", "O"]})["text"]
        == "安倍在東京。"
    )
    assert (
        only("ner", {"tokens": list("高勇：男，Al（中国）人"), "tags": ["O"] * 12})["text"] == "高勇：男，Al（中国）人"
    )
    assert only("ner", {"tokens": ["Yes", ",", "(", "Rome", ")", "!"], "tags": ["O"] * 6})["text"] == "Yes, (Rome)!"


def test_offsets_follow_the_cleaning_of_the_text() -> None:
    text = "\0x\r\ny Rome 😀 Ada"
    row = {
        "text": text,
        "entities": [[text.index("Rome"), text.index("Rome") + 4, "LOC"], [len(text) - 3, len(text), "PER"]],
    }
    assert entities(row) == [("Rome", "LOC"), ("Ada", "PER")]


@pytest.mark.parametrize(
    ("entity", "words"),
    [
        ({"start": 5, "end": 99, "label": "PER"}, "entity 1 (PER) spans 5 to 99, but the text has 11 characters"),
        ({"start": -1, "end": 3, "label": "PER"}, "spans -1 to 3"),
        ({"start": 3, "end": 3, "label": "PER"}, "where there is no text"),
        ({"start": 3, "end": 4, "label": "PER"}, "where there is no text"),
        ({"start": 0, "end": 3}, "entity 1 has no label"),
        ({"start": "a", "end": 3, "label": "PER"}, "no whole number as start"),
        ({"start": True, "end": 3, "label": "PER"}, "no whole number as start"),
        ({"start": 0.5, "end": 3, "label": "PER"}, "no whole number as start"),
        ({"start": 0, "label": "PER"}, "no whole number as end"),
        ({"start": 0, "end": 3, "label": "PER", "text": "Bob"}, "is 'Bob', but at 0 to 3 is 'Ada'"),
        ("PER", "must have start, end and label"),
    ],
)
def test_bad_entities_are_rejected_with_the_reason(entity: object, words: str) -> None:
    assert words in reason("ner", {"text": "Ada in Rome", "entities": [entity]})


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "has 2 tokens but 1 tags"),
        ({"tokens": ["a"], "tags": [3]}, "tags must be texts, but there is 3"),
        ({"tokens": [""], "tags": ["O"]}, "tokens is empty"),
        ({"text": "a b c", "tags": "O O"}, "has 3 tokens but 2 tags"),
        ({"text": "plain"}, "entities are missing"),
        ({"text": "a", "entities": 5}, "must be a list"),
        ({"text": "a", "entities": "[broken"}, "must be a list"),
    ],
)
def test_bad_tags_are_rejected_with_the_reason(row: Row, words: str) -> None:
    assert words in reason("ner", row)


def test_of_overlapping_entities_the_longer_stays() -> None:
    row = {"text": "Bank of Rome", "entities": [[8, 12, "LOC"], [0, 12, "ORG"], [0, 4, "ORG"], [0, 12, "ORG"]]}
    assert entities(row) == [("Bank of Rome", "ORG")]


def test_many_entities_in_a_megabyte_of_text_take_no_quadratic_time() -> None:
    text = "Rome\r\n" * 100_000
    spans = [[i * 6, i * 6 + 4, "LOC"] for i in range(100_000)]
    assert len(entities({"text": text.replace("\r\n", "  "), "entities": spans})) == 100_000


def test_structured_answers_are_learnt_as_json() -> None:
    row = {"prompt": "Extract", "completion": {"city": "Köln", "n": None, "tags": ["a"]}}
    [checked], rejected = validate_rows("instruct", [(1, row)])
    assert (checked["completion"], rejected) == ('{"city": "Köln", "n": null, "tags": ["a"]}', [])
    assert only("instruct", {"prompt": {"q": "é"}, "completion": "x"})["prompt"] == '{"q": "é"}'
    messages = [{"role": "user", "content": {"q": 1}}, {"role": "assistant", "content": "x"}]
    assert only("instruct", {"messages": messages})["messages"][0]["content"] == '{"q": 1}'


@pytest.mark.parametrize(
    ("prompt", "completion"),
    [
        ([{"role": "user", "content": "Hi"}], "Ho"),
        ("Hi", [{"role": "assistant", "content": "Ho"}]),
        ([{"role": "user", "content": "Hi"}], [{"role": "assistant", "content": "Ho"}]),
    ],
)
def test_messages_beside_a_text_make_one_conversation(prompt: object, completion: object) -> None:
    row = only("instruct", {"prompt": prompt, "completion": completion})
    assert row["messages"] == [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]


@pytest.mark.parametrize("mark", ["</s>", "<|im_end|>\n", " <|endoftext|>", "<end_of_turn></s>", "<eos>"])
def test_the_end_marks_of_other_models_are_no_part_of_a_reply(mark: str) -> None:
    row = {"prompt": "Hi </s>", "completion": f"An <s>HTML</s> tag{mark}"}
    assert only("instruct", row) == {"prompt": "Hi </s>", "completion": "An <s>HTML</s> tag"}
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": f"Ho{mark}"}]
    assert only("instruct", {"messages": said})["messages"][1]["content"] == "Ho"
    assert "completion is empty" in reason("instruct", {"prompt": "Hi", "completion": mark})


def test_it_is_said_where_json_is_learnt_and_the_input_stands_behind_the_instruction(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps([{"instruction": "Extract", "input": {"a": "b"}, "output": ["c", "d"]}] * 2))
    loaded = load_training_rows(path, "instruct")
    assert (loaded.rows[0]["prompt"], loaded.rows[0]["completion"]) == ('Extract\n\n{"a": "b"}', '["c", "d"]')
    assert "Line 1 and 1 more: the completion is no text but a list or an object" in loaded.notes[-1]


CONTEXT = "Ada met Bob. Later Bob met Eve."


@pytest.mark.parametrize(
    "answers",
    [
        [{"text": "Eve", "start": 27}],
        [{"text": "Eve", "answer_start": 27}],
        [{"text": " Eve ", "start": 26}],
        {"text": ["Eve"], "answer_start": [27]},
        [{"text": "Eve"}],
        ["Eve"],
        "Eve",
        '{"text": ["Eve"], "answer_start": [27]}',
        '[{"text": "Eve", "start": 27}]',
        [{"text": "Eve", "start": 3}],
        [{"text": "Eve", "start": -1}],
        [{"text": "Eve", "start": 9_999}],
        [{"text": "Eve", "start": 27}, {"text": "Zoe", "start": 0}, {"text": "Eve", "start": 27}],
    ],
)
def test_answers_are_read_in_every_notation_and_found_in_the_context(answers: object) -> None:
    row = only("qa", {"context": CONTEXT, "question": "Whom?", "answers": answers})
    assert row["answers"] == [{"text": "Eve", "start": 27}]


@pytest.mark.parametrize(
    ("context", "start"), [("Algeria is where Al lives", 17), ("aloe, AL", 6), ("Albania", 0), ("Al and Al", 0)]
)
def test_an_answer_without_its_place_is_a_word_rather_than_a_part_of_one(context: str, start: int) -> None:
    row = only("qa", {"context": context, "question": "Who?", "answers": "Al"})
    assert row["answers"] == [{"text": context[start : start + 2], "start": start}]


@pytest.mark.parametrize("answers", [[], None, "", {"text": [], "answer_start": []}, "[]", " "])
def test_no_answer_text_means_unanswerable(answers: object) -> None:
    assert only("qa", {"context": CONTEXT, "question": "Whom?", "answers": answers})["answers"] == []


def test_squads_impossible_questions_have_no_answer() -> None:
    row = {"context": CONTEXT, "question": "Whom?", "answers": "Eve", "is_impossible": True}
    assert only("qa", row)["answers"] == []


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([{"text": "Zoe", "start": 0}], "the answer 'Zoe' is not in the context"),
        ([{"text": "Bob", "start": 1}], "not at 1 of the context, but at several other places"),
        ([{"start": 1}], "an answer has no text"),
        (True, "must be a list, not the truth value true"),
        ([{"text": "Eve", "start": "x"}], "no whole number as start"),
    ],
)
def test_answers_that_are_not_there_are_rejected(answers: object, words: str) -> None:
    assert words in reason("qa", {"context": CONTEXT, "question": "Whom?", "answers": answers})


def test_answer_offsets_follow_the_cleaning_of_the_context() -> None:
    row = only("qa", {"context": "\0A\r\nBob, Bob", "question": "?!", "answers": [{"text": "Bob", "start": 9}]})
    assert row["context"][row["answers"][0]["start"] :] == "Bob"


@pytest.mark.parametrize(
    ("given", "code"), [("EN", "en"), ("German", "de"), ("pt_BR", "pt-BR"), ("中文", "zh"), ("gsw", "gsw")]
)
def test_languages_are_normalised(given: str, code: str) -> None:
    row = {"source_text": "a", "target_text": "b", "source_lang": given, "target_lang": "fr"}
    assert only("translate", row)["source_lang"] == code


@pytest.mark.parametrize(
    ("given", "words"), [("french", "both 'fr'"), ("Klingonisch!", "no language code"), (None, "missing")]
)
def test_bad_languages_are_rejected(given: object, words: str) -> None:
    row = {"source_text": "a", "target_text": "b", "source_lang": given, "target_lang": "fr"}
    assert words in reason("translate", row)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([{"role": "user", "content": "Hi"}], "end with the assistant's"),
        ([{"role": "robot", "content": "Hi"}], "role 'robot'"),
        ([{"role": "user", "content": " "}], "content of message 1 is empty"),
        ("Hi", "must be a list"),
    ],
)
def test_bad_conversations_are_rejected(messages: object, words: str) -> None:
    assert words in reason("instruct", {"messages": messages})


def test_conversations_of_one_file_may_stand_in_two_columns(tmp_path: Path) -> None:
    said = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]
    written = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    path = tmp_path / "joined.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ({"messages": written}, {"conversations": said}) * 3))
    loaded = load_training_rows(path, "instruct")
    assert loaded.rejected == []
    assert loaded.rows == [{"messages": written}] * 6


def test_sharegpt_conversations_are_understood() -> None:
    row = only("instruct", {"messages": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]})
    assert row["messages"] == [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]


def test_unknown_tasks_are_refused() -> None:
    with pytest.raises(InputError, match="'emotions'"):
        validate_rows("emotions", [])


def saved(tmp_path: Path, name: str, content: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode(encoding))
    return path


def test_a_spreadsheet_of_reviews_with_invented_labels_becomes_training_rows(tmp_path: Path) -> None:
    lines = ["1;Sehr schön, größer als gedacht;top", "2;;flop", "3;Kaputt;flop", "4;nur drei", "5;Ja;top"]
    content = "\r\n".join(["Nr;Kundenmeinung;Urteil", *lines])
    loaded = load_training_rows(saved(tmp_path, "a.csv", content, "utf-16"), "classify")
    assert loaded.rows[0] == {"text": "Sehr schön, größer als gedacht", "label": "top", "Nr": "1"}
    assert [row["label"] for row in loaded.rows] == ["top", "flop", "top"]
    assert [(one.line, one.reason.split(";")[0]) for one in loaded.rejected] == [
        (3, "The text is empty"),
        (5, "has 2 cells where the header has 3"),
    ]


def test_a_dataset_with_one_label_can_be_read(tmp_path: Path) -> None:
    loaded = load_training_rows(saved(tmp_path, "a.csv", "text,label\n" + "a b,same\n" * 5), "sentiment")
    assert {row["label"] for row in loaded.rows} == {"same"}


def test_given_columns_win_over_guesses_and_the_rest_is_guessed(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "text,label,other\nlong text,x,short one\nlong text,y,short two\n")
    loaded = load_training_rows(path, "classify", {"text": "other"})
    assert loaded.rows[0] == {"text": "short one", "label": "x", "original_text": "long text"}


def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "text,label\na,b\n")
    with pytest.raises(DataError, match="no column 'review' for text; it has text, label"):
        load_training_rows(path, "classify", {"text": "review", "label": "label"})


def test_a_file_for_another_task_is_refused_with_the_missing_field(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "source,target\nHello,Hallo\n")
    with pytest.raises(DataError, match=r"translate needs source_lang and target_lang.*'=en'"):
        load_training_rows(path, "translate")
    loaded = load_training_rows(path, "translate", {"source_lang": "=en", "target_lang": "=de"})
    assert loaded.rows == [{"source_text": "Hello", "target_text": "Hallo", "source_lang": "en", "target_lang": "de"}]


def test_parallel_columns_take_their_languages_from_the_header(tmp_path: Path) -> None:
    pairs = [{"translation": {"en": "Hello", "de": "Hallo"}}]
    for content, name in (("en\tde\nHello\tHallo\n", "a.tsv"), (json.dumps(pairs), "a.json")):
        loaded = load_training_rows(saved(tmp_path, name, content), "translate")
        assert loaded.rows == [
            {"source_text": "Hello", "target_text": "Hallo", "source_lang": "en", "target_lang": "de"}
        ]


def test_when_no_row_is_left_the_first_reasons_are_given(tmp_path: Path) -> None:
    rows = [{"text": "Ada", "entities": [[0, 50 + i, "PER"]]} for i in range(5)]
    path = saved(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)))
    with pytest.raises(
        DataError, match=r"no row that can be used for ner: line 1: .* to 50.*line 2: .*line 3: .* to 52"
    ) as caught:
        load_training_rows(path, "ner")
    assert "line 4" not in str(caught.value)


def test_repeated_ids_are_kept_and_noted(tmp_path: Path) -> None:
    loaded = load_training_rows(saved(tmp_path, "a.csv", "id,text,label\n1,a b,x\n1,c d,y\n2,e f,x\n"), "classify")
    assert len(loaded.rows) == 3
    assert "1 ids occur more than once, such as '1'" in " ".join(loaded.notes)


def test_repairs_are_noted_with_their_line_and_not_without_end(tmp_path: Path) -> None:
    rows = [
        {"context": "Ada wrote", "question": "Who?", "answers": [{"text": "Ada", "start": start}]}
        for start in (4, 4, *range(5, 34))
    ]
    loaded = load_training_rows(saved(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))), "qa")
    assert len(loaded.rows) == 31
    assert loaded.notes[0] == "Line 1 and 1 more: the answer 'Ada' is at 0 of the context, not at 4; corrected."
    assert loaded.notes[-1] == "There are 10 more remarks of this kind."


def test_answers_in_columns_are_used_with_their_offset(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "context,question,answer,answer_start\nBob saw Bob,Whom?,Bob,8\nBob ran,When?,,\n")
    loaded = load_training_rows(path, "qa")
    assert [row["answers"] for row in loaded.rows] == [[{"text": "Bob", "start": 8}], []]


def test_conll_becomes_ner_rows(tmp_path: Path) -> None:
    loaded = load_training_rows(saved(tmp_path, "a.conll", "Ada\tB-PER\nsaw\tO\nRome\tB-LOC\n.\tO\n\nNo\tO\n"), "ner")
    assert loaded.rows == [
        {
            "text": "Ada saw Rome.",
            "entities": [{"start": 0, "end": 3, "label": "PER"}, {"start": 8, "end": 12, "label": "LOC"}],
        },
        {"text": "No", "entities": []},
    ]


def test_inline_entities_make_rows_with_and_without_entities(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.txt", "[Ada](PER) saw it\nnothing [here](https://example.org)\n")
    loaded = load_training_rows(path, "ner")
    assert loaded.rows[0] == {"text": "Ada saw it", "entities": [{"start": 0, "end": 3, "label": "PER"}]}
    assert loaded.rows[1] == {"text": "nothing [here](https://example.org)", "entities": []}


def test_a_prompt_that_is_missing_is_not_made_of_what_belongs_to_it(tmp_path: Path) -> None:
    value = [{"instruction": "Add", "input": "1 2", "output": "3"}, {"input": "4 5", "output": "9"}]
    loaded = load_training_rows(saved(tmp_path, "a.json", json.dumps(value)), "instruct")
    assert [(one.line, one.reason) for one in loaded.rejected] == [(2, "prompt is missing")]


def test_alpaca_inputs_join_the_prompt(tmp_path: Path) -> None:
    value = [{"instruction": "Add", "input": "1 2", "output": "3"}, {"instruction": "Hi", "input": "", "output": "Ho"}]
    loaded = load_training_rows(saved(tmp_path, "a.json", json.dumps(value)), "instruct")
    assert loaded.rows == [{"prompt": "Add\n\n1 2", "completion": "3"}, {"prompt": "Hi", "completion": "Ho"}]


def test_a_mapped_table_follows_the_proposal(tmp_path: Path) -> None:
    table = read_table(saved(tmp_path, "a.csv", "review,verdict\ngood thing,yes\nbad thing,\n"))
    found = map_table(table, propose(table))
    assert (found.rows, found.lines) == ([{"text": "good thing", "label": "yes"}], [2])
    assert found.fields == {"review": "text", "verdict": "label"}
    assert [(one.line, one.reason) for one in found.rejected] == [(3, "label is missing")]
