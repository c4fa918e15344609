import json
from dataclasses import replace

import pytest

from playground import settings
from playground.chat.conversation import FOOTER, Message, chat_once, recall, respond
from playground.errors import InputError
from tests.chat.conftest import OUTPUTS

TEXT = "Apple was founded by Steve Jobs in Cupertino, and it makes phones for people all over the world."
TASKS = [
    ("/sentiment", "sentiment", {"text": TEXT}, "positive (90%)"),
    ("which people and places are mentioned?", "ner", {"text": TEXT}, "Apple (ORG)"),
    ("who founded it?", "qa", {"context": TEXT, "question": "who founded it?"}, "Steve"),
    ("sum it up", "summarize", {"document": TEXT}, "A short summary."),
    (
        "ins Deutsche bitte",
        "translate",
        {"source_text": TEXT, "source_lang": "en", "target_lang": "de"},
        "Eine Übersetzung.",
    ),
]


def said(*contents):
    """A history in which the user begins."""
    return [Message("assistant" if place % 2 else "user", content) for place, content in enumerate(contents)]


def last(replies):
    return list(replies)[-1]


@pytest.mark.usefixtures("adapters")
@pytest.mark.parametrize(("message", "task", "row", "text"), TASKS)
def test_follow_up_runs_its_task_on_the_text_given_before(engine, asked, message, task, row, text):
    reply = last(respond(engine, said(TEXT, "Text kept."), message))
    assert asked == [(task, row, "multilingual")]
    assert (reply.text, reply.task, reply.adapter, reply.done) == (text, task, "multilingual", True)
    assert "the adapter multilingual" in reply.answered_by


@pytest.mark.usefixtures("adapters")
def test_partial_replies_come_before_the_finished_one(engine, asked):
    replies = list(respond(engine, [], f"Summarize: {TEXT}"))
    assert [reply.done for reply in replies] == [False, False, False, True]


@pytest.mark.usefixtures("adapters")
def test_closing_the_replies_closes_the_prediction(engine, asked):
    replies = respond(engine, [], f"Summarize: {TEXT}")
    next(replies)
    replies.close()
    assert asked[-1] == "closed"


def test_adapters_of_another_backbone_are_left_alone(engine, asked, adapters):
    adapters[:] = [record for record in adapters if record.name == "foreign"]
    reply = last(respond(engine, [], f"/sentiment {TEXT}"))
    assert reply.adapter is None
    assert "without an adapter" in reply.answered_by
    assert "This is a guess." in reply.answered_by


def test_a_bare_text_is_kept_and_the_commands_are_offered(engine, asked):
    reply = last(respond(engine, [], TEXT))
    assert "I keep this text" in reply.text
    assert "/translate" in reply.text
    assert not asked


@pytest.mark.parametrize(
    ("message", "begins"),
    [("/summarize", "Please paste the text"), ("¿Quién fundó la empresa?", "Primero pegue"), ("要約して", "先に文章")],
)
def test_a_task_without_a_text_asks_for_it_in_the_language_of_the_person(engine, asked, message, begins):
    assert last(respond(engine, [], message)).text.startswith(begins)
    assert not asked


def test_small_talk_gets_an_honest_answer_without_a_chat_backbone(engine, asked):
    assert "can't hold a free conversation" in last(respond(engine, [], "hello")).text
    assert "свободную беседу" in last(respond(engine, [], "привет")).text


def test_help_lists_the_commands(engine):
    assert "/entities" in last(respond(engine, [], "/help")).text


def test_an_unknown_command_is_named_and_the_others_listed(engine):
    text = last(respond(engine, [], "/foo")).text
    assert "/foo" in text
    assert "/summarize" in text


@pytest.mark.parametrize("message", ["", "  \n", "\u200b"])
def test_an_empty_message_is_refused(engine, message):
    with pytest.raises(InputError, match="message is empty"):
        last(respond(engine, [], message))


def test_a_huge_message_is_refused(engine, monkeypatch):
    monkeypatch.setattr(settings, "MAX_TEXT_CHARS", 100)
    with pytest.raises(InputError, match="101 characters"):
        last(respond(engine, [], "x" * 101))


class TestTranslation:
    pytestmark = pytest.mark.usefixtures("adapters")

    def test_source_language_is_detected(self, engine, asked):
        last(respond(engine, [], "Translate into Finnish: Мы живём в большом доме у реки, рядом с лесом."))
        assert (asked[0][1]["source_lang"], asked[0][1]["target_lang"]) == ("ru", "fi")

    def test_source_language_can_be_said(self, engine, asked):
        last(respond(engine, [], "Translate from Dutch to English: Is dat zo"))
        assert asked[0][1]["source_lang"] == "nl"

    def test_without_a_target_it_goes_into_the_language_of_the_instruction(self, engine, asked):
        last(respond(engine, [], f"Traduis ce texte : {TEXT}"))
        assert asked[0][1]["target_lang"] == "fr"

    def test_without_any_target_the_chat_asks(self, engine, asked):
        assert last(respond(engine, [], f"Translate: {TEXT}")).text == "Into which language shall I translate it?"

    def test_into_its_own_language_is_refused(self, engine, asked):
        assert "already in English" in last(respond(engine, [], f"Translate to English: {TEXT}")).text
        assert not asked

    def test_a_short_text_is_not_taken_for_the_target_language(self, engine, asked):
        last(respond(engine, [], "Translate to English: Hallo"))
        assert asked[0][1]["source_lang"] != "en"

    def test_the_text_stays_the_same_for_the_next_language(self, engine, asked):
        history = said(f"Translate to German: {TEXT}", f"Eine Übersetzung.{FOOTER}Answered by someone.")
        last(respond(engine, history, "and in French?"))
        assert (asked[0][1]["source_text"], asked[0][1]["target_lang"]) == (TEXT, "fr")

    def test_a_summary_in_another_language_takes_both_adapters(self, engine, asked):
        replies = list(respond(engine, said(TEXT, "Text kept."), "summarize it in German"))
        assert [call[0] for call in asked] == ["summarize", "translate"]
        assert asked[1][1]["source_text"] == "A short summary."
        assert [reply.done for reply in replies].count(True) == 1
        assert replies[-1].text == "Eine Übersetzung."

    def test_the_summary_itself_is_translated_when_it_is_meant(self, engine, asked):
        history = said(f"Summarize: {TEXT}", f"It is about Apple.{FOOTER}Answered by someone.")
        last(respond(engine, history, "translate the summary to French"))
        assert asked[0][1]["source_text"] == "It is about Apple."


def test_memory_is_read_from_the_messages_alone():
    first = said(f"/sentiment {TEXT}", "positive", "Who founded it?", "Steve")
    memory = recall(first)
    assert (memory.context.text, memory.context.last_task, memory.context.last_question) == (
        TEXT,
        "qa",
        "Who founded it?",
    )
    assert recall(first[:2]).context.last_task == "sentiment"
    assert recall([]).context.text == ""


def test_free_talk_goes_to_a_backbone_with_a_chat_template(chat_engine, asked):
    history = said("hello", f"Hi!{FOOTER}Answered by Tiny.")
    replies = list(respond(chat_engine, history, "Write me a poem about the sea"))
    assert [(reply.text, reply.done) for reply in replies] == [
        ("Hello", False),
        ("Hello there", False),
        ("Hello there", True),
    ]
    assert chat_engine.prompts == ["u:hello|a:Hi!|u:Write me a poem about the sea|"]
    assert "Answered by Tiny" in replies[-1].answered_by


@pytest.mark.usefixtures("adapters")
def test_tasks_go_to_their_adapters_also_with_a_chat_backbone(chat_engine, asked):
    assert last(respond(chat_engine, [], f"/sentiment {TEXT}")).adapter == "multilingual"
    assert not chat_engine.prompts


def test_an_instruct_adapter_takes_free_talk(engine, asked, adapters):
    talker = next(record for record in adapters if record.task == "instruct")
    reply = last(respond(engine, [], "hello", talker=talker))
    assert asked == [("instruct", {"messages": [{"role": "user", "content": "hello"}]}, "foreign")]
    assert (reply.text, reply.adapter) == ("A completion.", "foreign")


@pytest.mark.parametrize(
    ("training", "heard"),
    [({}, ["Where?"]), ({"turns": 3}, ["My lamp broke", "Sorry!", "Where?"]), ({"turns": 0}, ["Where?"])],
)
def test_an_adapter_hears_as_much_as_its_conversations_had(engine, asked, adapters, training, heard):
    talker = replace(next(record for record in adapters if record.task == "instruct"), training=training)
    said = [("user", "Hello"), ("assistant", "Hi!"), ("user", "My lamp broke"), ("assistant", "Sorry!")]
    last(respond(engine, [Message(role, content) for role, content in said], "Where?", talker=talker))
    ((_, row, _),) = asked
    assert [message["content"] for message in row["messages"]] == heard


def test_an_adapter_hears_the_instructions_of_its_conversations(engine, asked, adapters):
    instruct = next(record for record in adapters if record.task == "instruct")
    talker = replace(instruct, training={"instructions": "Be kind."})
    last(respond(engine, [], "Where?", talker=talker))
    ((_, row, _),) = asked
    assert [message["content"] for message in row["messages"]] == ["Be kind.", "Where?"]


def test_an_adapter_that_talks_also_takes_what_may_be_a_text_for_later(engine, asked, adapters):
    talker = next(record for record in adapters if record.task == "instruct")
    message = "My lamp broke." + "\nI bought it two weeks ago in your shop and it does not shine any more." * 4
    assert last(respond(engine, [], message, talker=talker)).adapter == "foreign"
    assert last(respond(engine, [], message)).adapter is None
    (task, row, _) = asked[-1]
    assert (task, row["messages"][-1]["content"]) == ("instruct", message)
    last(respond(engine, [Message("user", message), Message("assistant", "Sorry!")], "/sentiment", talker=talker))
    assert asked[-1][0] == "sentiment"


def test_an_adapter_that_talks_takes_questions_that_the_text_does_not_answer(engine, asked, adapters, monkeypatch):
    talker = next(record for record in adapters if record.task == "instruct")
    message = "Hello,\nmy aunt comes on Saturday and she loves walnut bread very much.\nDo you have walnut bread?"
    assert last(respond(engine, [], message, talker=talker)).task == "qa"
    monkeypatch.setitem(OUTPUTS, "qa", {"answer": None})
    reply = last(respond(engine, [], message, talker=talker))
    assert (reply.task, reply.adapter, reply.done) == ("instruct", "foreign", True)
    follow_up = [Message("user", message), Message("assistant", reply.text)]
    assert last(respond(engine, follow_up, "How much is it?", talker=talker)).task == "instruct"
    assert last(respond(engine, follow_up, "/ask How much is it?", talker=talker)).task == "qa"
    assert last(respond(engine, follow_up, "How much is it?")).task == "qa"


def test_closing_free_talk_frees_the_engine(chat_engine):
    replies = respond(chat_engine, [], "hello")
    next(replies)
    replies.close()
    assert chat_engine.closed


class TestChatOnce:
    @pytest.mark.usefixtures("adapters")
    def test_answer_is_plain_json_and_names_the_adapter(self, engine, asked):
        answer = chat_once(engine, "/sentiment", [{"role": "user", "content": TEXT}])
        assert json.loads(json.dumps(answer)) == answer
        assert (answer["task"], answer["adapter"], answer["result"]["label"]) == (
            "sentiment",
            "multilingual",
            "positive",
        )
        assert "the adapter multilingual" in answer["reply"]

    def test_words_of_the_chat_itself_have_no_result(self, engine):
        answer = chat_once(engine, "/help")
        assert (answer["task"], answer["adapter"], answer["result"]) == (None, None, None)

    @pytest.mark.parametrize(
        "history",
        ["hello", [1], [{"role": "robot", "content": "x"}], [{"role": "user"}], [{"role": "user", "content": 3}]],
    )
    def test_a_history_of_another_form_is_refused(self, engine, history):
        with pytest.raises(InputError, match="history"):
            chat_once(engine, "hello", history)
