import pytest

from playground.data.dialogue import as_instruction, common_instructions, conversation, num_turns, replies
from playground.errors import DataError

TURNS = [("system", "Be kind."), ("user", "Hi"), ("assistant", "Yes?"), ("user", "So?"), ("assistant", "So what?")]
MESSAGES = [{"role": role, "content": content} for role, content in TURNS]


def test_the_last_reply_is_the_completion_and_all_before_it_the_prompt():
    row = as_instruction({"messages": MESSAGES, "id": 3})
    assert row["prompt"] == "Be kind.\n\nHi\n\nYes?\n\nSo?"
    assert row["completion"] == "So what?"
    assert (row["id"], row["messages"]) == (3, MESSAGES)


def test_a_conversation_that_waits_for_a_reply_is_all_prompt():
    row = as_instruction({"messages": MESSAGES[:4]})
    assert row["prompt"].endswith("Yes?\n\nSo?")
    assert row["completion"] == ""


@pytest.mark.parametrize(
    "row", [{"prompt": "a", "messages": MESSAGES}, {"prompt": "a"}, {"text": "b"}, {"messages": None}]
)
def test_other_rows_stay_as_they_are(row):
    assert as_instruction(row) is row


def test_messages_may_be_json_text_with_other_names():
    assert conversation('[{"from": "human", "value": "a\\u0000b"}]') == [{"role": "user", "content": "a b"}]


@pytest.mark.parametrize("value", [[], {}, 5, "no json", [5], [{"role": "robot", "content": "a"}], [{"role": "user"}]])
def test_other_values_are_refused(value):
    with pytest.raises((DataError, ValueError), match="message"):
        conversation(value)


@pytest.mark.parametrize(
    "value",
    [
        [{"human": "Hi", "assistant": "Ho"}],
        [{"input": "Hi", "output": "Ho"}],
        [["Hi", "Ho"]],
        ["Hi", "Ho"],
        (
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\nHo<|eot_id|>"
        ),
        "<s>[INST] Hi [/INST] Ho </s>",
        "### Human: Hi### Assistant: Ho",
        "### Instruction: Hi ### Response: Ho",
    ],
)
def test_pairs_and_templates_are_conversations(value):
    assert conversation(value) == [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]


def test_a_message_of_nobody_is_told():
    with pytest.raises(DataError, match="message 1 does not say whose it is"):
        conversation([{"content": "Hi"}])


def test_what_alpaca_says_before_the_instruction_is_the_systems():
    before = "Below is an instruction that describes a task. Write a response."
    said = conversation(f"{before}\n\n### Instruction:\nAdd.\n\n### Input:\n1, 2\n\n### Response:\n3</s>")
    assert [message["role"] for message in said] == ["system", "user", "assistant"]
    assert [message["content"] for message in said] == [before, "Add.\n\n### Input:\n1, 2", "3"]


def test_turns_are_what_was_said_before_the_reply():
    said = conversation(["Hello", "Hi!", "My lamp broke", "Sorry!"])
    assert num_turns({"messages": said}) == 3
    assert num_turns({"messages": [{"role": "system", "content": "Be kind"}, *said]}) == 3
    assert num_turns({"prompt": "a", "completion": "b"}) == 1


def test_each_reply_is_a_row_with_what_was_said_before_it():
    found = replies({"messages": MESSAGES, "id": 3})
    assert [(row["prompt"], row["completion"]) for row in found] == [
        ("Be kind.\n\nHi", "Yes?"),
        ("Be kind.\n\nHi\n\nYes?\n\nSo?", "So what?"),
    ]
    assert {row["id"] for row in found} == {3}


def test_a_greeting_that_nobody_asked_for_is_no_reply():
    said = [{"role": "assistant", "content": "Welcome!"}, *MESSAGES[1:3]]
    assert [row["prompt"] for row in replies({"messages": said, "prompt": "as read", "completion": "x"})] == [
        "Welcome!\n\nHi"
    ]


def test_a_row_without_messages_is_its_own_reply():
    row = {"prompt": "a", "completion": "b"}
    assert replies(row) == [row]


def test_instructions_count_where_all_conversations_begin_with_them():
    assert common_instructions([{"messages": MESSAGES}, {"messages": MESSAGES[:3]}]) == "Be kind."
    assert common_instructions([{"messages": MESSAGES}, {"messages": MESSAGES[1:]}]) == ""
    assert common_instructions([{"prompt": "a"}]) == common_instructions([]) == ""
