"""A chat about texts: each message is routed to a task, whose adapter answers; no page and no HTML here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from playground.adapters import store
from playground.adapters.record import AdapterRecord
from playground.chat.commands import read_command
from playground.chat.instruction import num_words
from playground.chat.intent import Context, Intent
from playground.chat.languages import SUPPORTED, detect_language, language_name
from playground.chat.phrases import phrase, with_commands
from playground.chat.router import MAX_INSTRUCTION_WORDS, route
from playground.chat.talk import can_talk, talk
from playground.data.text import clean_text, scrub
from playground.engine.predict import Prediction, predict_stream
from playground.errors import InputError
from playground.tasks import get_task
from playground.types import Row, Stream

if TYPE_CHECKING:
    # The page imports this module; torch may come later, together with the engine.
    from playground.engine.engine import Engine

FOOTER = "\n\n— "
"""Between the body of a reply and the line that says who answered, where both are one text."""
MAX_MESSAGES = 200  # of a history; older ones are forgotten
SHORT_TEXT_CHARS = 40  # the language of shorter texts is a guess

TEXT_FIELDS: Mapping[str, str] = {
    "sentiment": "text", "ner": "text", "qa": "context", "summarize": "document", "translate": "source_text",
}  # fmt: skip


@dataclass(frozen=True)
class Message:
    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True)
class Reply:
    """One state of a growing answer."""

    text: str
    done: bool = True
    task: str | None = None
    adapter: str | None = None
    prediction: Prediction | None = None
    """For a rich view of the result; None for what the chat says itself and for free talk."""
    answered_by: str = ""
    """Sentence that names adapter, backbone and time; empty for what the chat says itself."""


@dataclass(frozen=True)
class Memory:
    """What the messages so far left behind."""

    context: Context = field(default_factory=Context)
    summary: str = ""


def respond(
    engine: Engine, history: Sequence[Message], message: str, *, talker: AdapterRecord | None = None
) -> Stream[Reply]:
    """Growing replies to `message`, the last one ``done``; closing the iterator stops the work.

    Args:
        talker: an adapter of the task instruct that takes what is no task, instead of the backbone's own chat, and
            questions that the text does not answer, unless they were asked by a command.

    Raises:
        PlaygroundError: the message is empty or too long, or the engine can't do what it asks for.
    """
    message = clean_text(message, "message")
    history = history[-MAX_MESSAGES:]
    memory = recall(history)
    intent = route(message, memory.context)
    if intent.problem:
        yield Reply(with_commands(intent.problem) if intent.task == "help" else intent.problem)
    elif _is_free_talk(intent, message, memory, talker) and can_talk(engine, talker):
        yield from _talked(engine, history, message, talker)
    elif intent.task in TEXT_FIELDS:
        gives_way = talker is not None and not read_command(message) and can_talk(engine, talker)
        with closing(_do_task(engine, intent, memory)) as replies:
            for reply in replies:
                if gives_way and _finds_no_answer(reply):
                    yield from _talked(engine, history, message, talker)
                else:
                    yield reply
    else:
        yield Reply(_own_words(intent))


def chat_once(engine: Engine, message: str, history: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """The finished reply as plain JSON: ``reply`` names who answered, ``result`` is the task's row or None.

    Args:
        history: earlier messages, each with ``role`` ("user" or "assistant") and ``content``.

    Raises:
        PlaygroundError: as `respond`; InputError also for a history of another form.
    """
    final = Reply("")
    with closing(respond(engine, read_history(history or ()), message)) as replies:
        for reply in replies:
            final = reply
    return {
        "reply": final.text + (FOOTER + final.answered_by if final.answered_by else ""),
        "task": final.task,
        "adapter": final.adapter,
        "result": final.prediction.row if final.prediction else None,
    }


def read_history(history: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Messages as they come over HTTP.

    Raises:
        InputError: not a list of {"role", "content"}; the message names the entry.
    """
    if not isinstance(history, (list, tuple)):
        raise InputError(f"The history must be a list of messages, not {type(history).__name__}.")
    messages = []
    for number, turn in enumerate(history, start=1):
        role, content = (turn.get("role"), turn.get("content")) if isinstance(turn, Mapping) else (None, None)
        if role not in ("user", "assistant") or not isinstance(content, str):
            raise InputError(
                f'Message {number} of the history must be {{"role": "user" or "assistant", "content": text}}.'
            )
        messages.append(Message(role, scrub(content)))
    return messages


def recall(history: Sequence[Message]) -> Memory:
    """Reads the messages again from the first, so that an edited or removed one leaves no trace."""
    memory = Memory()
    last: Intent | None = None
    for turn in history:
        if turn.role == "assistant":
            if last is not None and last.task == "summarize" and not last.problem:
                memory = replace(memory, summary=body_of(turn.content))
            continue
        if not turn.content.strip():
            continue
        last = route(turn.content, memory.context)
        memory = replace(memory, context=_after(last, memory.context))
    return memory


def body_of(content: str) -> str:
    """A reply without the line that says who answered."""
    return content.rsplit(FOOTER, 1)[0]


def _after(intent: Intent, context: Context) -> Context:
    if intent.problem or intent.task in ("help", "talk"):
        return context
    if intent.text is not None:
        context = Context(text=intent.text)
    if intent.task in TEXT_FIELDS and context.text:
        context = replace(context, last_task=intent.task, last_question=intent.question or context.last_question)
    return context


def _is_free_talk(intent: Intent, message: str, memory: Memory, talker: AdapterRecord | None) -> bool:
    """Whether nothing in `message` asks for a task: a chat-capable backbone takes it, and an adapter that was chosen to
    talk also takes what may be a text for later.
    """
    if intent.task == "keep" and not talker:
        return "\n" not in message and num_words(message) <= MAX_INSTRUCTION_WORDS
    no_text = intent.text is None and not memory.context.text
    return intent.task in ("keep", "talk") or (no_text and intent.task in ("qa", "summarize", "sentiment", "ner"))


def _finds_no_answer(reply: Reply) -> bool:
    """Whether it says that the text does not hold the answer: what was said may be no question about a text."""
    found = reply.prediction
    return reply.done and reply.task == "qa" and found is not None and not found.error and not found.row.get("answer")


def _talked(engine: Engine, history: Sequence[Message], message: str, talker: AdapterRecord | None) -> Stream[Reply]:
    turns = [{"role": turn.role, "content": body_of(turn.content)} for turn in history]
    for text, done, answered_by in talk(engine, turns, message, talker):
        yield Reply(text, done, "instruct", talker.name if talker else None, answered_by=answered_by)


def _own_words(intent: Intent) -> str:
    if intent.task == "keep":
        return with_commands(phrase("kept", intent.lang))
    helping = with_commands(phrase("help", intent.lang))
    return helping if intent.task == "help" else f"{phrase('no_free_talk', intent.lang)} {helping}"


def _do_task(engine: Engine, intent: Intent, memory: Memory) -> Stream[Reply]:
    text = intent.text or (intent.of_summary and memory.summary) or memory.context.text
    if not text:
        yield Reply(with_commands(phrase("need_text", intent.lang)))
        return
    row: Row = {TEXT_FIELDS[intent.task]: text}
    if intent.task == "qa":
        row["question"] = intent.question
    elif intent.task == "translate":
        languages = _languages(intent, text)
        if isinstance(languages, str):
            yield Reply(languages)
            return
        row["source_lang"], row["target_lang"] = languages
    chains = intent.task == "summarize" and intent.target_lang is not None
    final = Reply("")
    for final in _predicted(engine, intent.task, row):
        yield replace(final, done=final.done and not chains)
    if chains:
        yield from _translated_summary(engine, intent, final)


def _translated_summary(engine: Engine, intent: Intent, summarized: Reply) -> Stream[Reply]:
    """The summary in the language that was asked for."""
    languages = _languages(intent, summarized.text)
    if isinstance(languages, str) or not summarized.text.strip():
        yield replace(summarized, done=True)
        return
    row = {"source_text": summarized.text, "source_lang": languages[0], "target_lang": languages[1]}
    for reply in _predicted(engine, "translate", row):
        yield replace(reply, answered_by=f"{summarized.answered_by} {reply.answered_by}".strip())


def _languages(intent: Intent, text: str) -> tuple[str, str] | str:
    """Source and target language of a translation, or a sentence that asks for what is missing."""
    target = intent.target_lang
    others = [code for code in SUPPORTED if target is None or code != target.split("-")[0]]
    among = others if len(text) < SHORT_TEXT_CHARS else SUPPORTED
    source = intent.source_lang or detect_language(text, among)
    target = target or (intent.lang if intent.lang != source else None)
    if target is None:
        return phrase("which_language", intent.lang)
    if source.split("-")[0] == target.split("-")[0]:
        return f"The text is already in {language_name(source)}; name another language."
    return source, target


def _predicted(engine: Engine, task_name: str, row: Row) -> Stream[Reply]:
    task = get_task(task_name)
    adapter = store.default_adapter(task_name, engine.backbone.id)
    with closing(predict_stream(engine, task, row, adapter)) as predictions:
        for prediction in predictions:
            text = prediction.error or _in_words(task.shape, prediction.row.get(task.output), prediction.row)
            answered_by = _answered_by(prediction) if prediction.done else ""
            name = prediction.adapter
            yield Reply(text, prediction.done, task_name, name, prediction, answered_by)


def _in_words(shape: str, output: Any, row: Row) -> str:
    """The output as one plain text; empty while there is none."""
    if shape == "classify":
        share = row.get("scores", {}).get(output)
        return "" if output is None else f"{output} ({share:.0%})" if share is not None else str(output)
    if shape == "tag":
        if output is None:
            return ""
        names = [f"{row['text'][found['start'] : found['end']]} ({found['label']})" for found in output]
        return ", ".join(names) or "There is no name of a person, organisation or place in this text."
    if shape == "span":
        return str(output["text"]) if output else "The text does not answer this question."
    return str(output or "")


def _answered_by(prediction: Prediction) -> str:
    """The sentence that says who answered; a guess of the bare backbone is called one."""
    precision = "" if prediction.quantization == "none" else f" ({prediction.quantization})"
    backbone = f"{prediction.backbone}{precision}"
    who = f"the adapter {prediction.adapter} on {backbone}" if prediction.adapter else f"{backbone} without an adapter"
    guess = f" {prediction.note}" if prediction.note else ""
    return f"Answered by {who} in {prediction.latency_ms:,.0f} ms.{guess}"
