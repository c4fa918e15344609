import pytest

from playground.chat.intent import Context
from playground.chat.router import route

GIVEN = Context(text="Some text that was given before, long enough to work on.")


@pytest.mark.parametrize(
    ("message", "task", "text", "target"),
    [
        ("/sentiment", "sentiment", None, None),
        ("/sentiment I love it", "sentiment", "I love it", None),
        ("/Entities\nAngela Merkel\nin Paris", "ner", "Angela Merkel\nin Paris", None),
        ("/ner Ada in London", "ner", "Ada in London", None),
        ("/summarize", "summarize", None, None),
        ("/summary: A long text", "summarize", "A long text", None),
        ("/help", "help", None, None),
        ("/translate fr", "translate", None, "fr"),
        ("/translate French", "translate", None, "fr"),
        ("/translate to German Hello, my friend", "translate", "Hello, my friend", "de"),
        ("/translate tiếng Anh Xin chào", "translate", "Xin chào", "en"),
        ("/translate 日本語 Hello", "translate", "Hello", "ja"),
        ("/translate pt-BR\nline one\nline two", "translate", "line one\nline two", "pt-BR"),
        ("/translate it to German", "translate", None, "de"),
        ("/translate it", "translate", None, "it"),
        ("/translate", "translate", None, None),
        ("/traduire en anglais", "translate", None, "en"),
        ("/резюме", "summarize", None, None),
    ],
)
def test_command_is_understood(message, task, text, target):
    intent = route(message, GIVEN)
    assert (intent.task, intent.text, intent.target_lang, intent.problem) == (task, text, target, "")


@pytest.mark.parametrize(
    ("message", "question", "text"),
    [
        ("/ask Who founded it?", "Who founded it?", None),
        ("/ask Who?\n\nAda wrote the program.", "Who?", "Ada wrote the program."),
        ("/ask Ada wrote the program.\nWho wrote it?", "Who wrote it?", "Ada wrote the program."),
    ],
)
def test_ask_takes_a_question_and_maybe_a_text(message, question, text):
    intent = route(message, GIVEN)
    assert (intent.task, intent.question, intent.text) == ("qa", question, text)


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("/translate xx", "'xx' is no language"),
        ("/translate xx hello there", "'xx' is no language"),
        ("/translate blarg", "'blarg' is no language"),
        ("/translate hu", "Hungarian"),
        ("/translate Hungarian some text", "Hungarian"),
        ("/ask", "question behind /ask"),
        ("/foo", "no command /foo"),
        ("/sentimant", "Did you mean /sentiment?"),
    ],
)
def test_mistakes_are_named_in_one_sentence(message, named):
    assert named in route(message, GIVEN).problem


@pytest.mark.parametrize(
    "message", ["/usr/bin/python is an interpreter that runs programs", "1/2 of all people agree on it"]
)
def test_a_path_is_no_command(message):
    assert route(message, Context()).task == "keep"
