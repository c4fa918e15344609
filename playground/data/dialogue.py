"""Conversations as lists of messages, in the notations that people have them in."""

import re
from collections.abc import Sequence
from typing import Any

from playground.data.literals import as_literal
from playground.data.text import as_written, clean_text, excerpt
from playground.errors import DataError
from playground.types import Row

_ROLES = {
    **dict.fromkeys(("human", "prompter", "question", "instruction", "customer"), "user"),
    **dict.fromkeys(("gpt", "bot", "model", "chatgpt", "ai", "answer", "response", "agent"), "assistant"),
    "[inst]": "user",
    "[/inst]": "assistant",
    "developer": "system",
}
_SPEAKERS = ("system", "user", "assistant")
_UNSPOKEN = frozenset({"tool", "function", "ipython", "observation", "function_call"})
"""What programs said to each other between the messages."""
_PAIRS = (("human", "assistant"), ("user", "assistant"), ("input", "output"), ("question", "answer"))
"""Fields of an object that is a question and its reply at once."""
_TURN = re.compile(
    r"<\|start_header_id\|>(?P<llama>\w+)<\|end_header_id\|>\s*|(?P<inst>\[/?INST\])"
    r"|<\|im_start\|>\s*(?P<chatml>\w+)\n|<start_of_turn>(?P<gemma>\w+)\n|<\|(?P<zephyr>user|assistant|system)\|>\n?"
    r"|(?:^|\n)\s*(?:#{2,3}\s*)?(?P<said>Human|User|Assistant|System|Instruction|Response)\s*:"
    r"|\s*#{2,3}\s*(?P<inline>Human|User|Assistant|System|Instruction|Response)\s*:",
    re.IGNORECASE,
)
_END = r"<\|im_end\|>|<end_of_turn>|<\|endoftext\|>|</?s>|<\|eot_id\|>|<\|end_of_text\|>|<eos>"
_TURN_ENDS = re.compile(_END)
_LAST_ENDS = re.compile(rf"(?:\s*(?:{_END}))+\s*\Z")
_ALPACA = "Below is an instruction that describes a task"
_BEGINNING = re.compile(r"<s>|<bos>|<\|begin_of_text\|>|\s")


def conversation(value: Any) -> list[dict[str, str]]:
    """`value`, a list, its JSON text or a transcript, as messages with ``role`` and ``content``.

    The role is system, user or assistant; calls of tools and what they returned are left out.

    Raises:
        DataError: it is none; the message names the one that is wrong.
    """
    messages = value
    if isinstance(value, str):
        messages = as_literal(value) if value.strip()[:1] in ("[", "{") else transcript(value)
    if not isinstance(messages, list) or not messages:
        raise DataError("messages must be a list of objects with role and content")
    messages = _single_messages(messages)
    return [_message(message, i) for i, message in enumerate(messages, 1) if not _is_unspoken(message)]


def _single_messages(messages: list[Any]) -> list[Any]:
    """`messages` one by one where each is a question and its reply, as [question, reply] or under two names.

    Bare texts are the user's and the assistant's by turns.
    """
    if len(messages) > 1 and all(isinstance(message, str) for message in messages):
        return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(messages)]
    pairs = [_pair(message) for message in messages]
    if not all(pairs):
        return messages
    return [one for pair in pairs if pair for one in pair]


def _pair(message: Any) -> list[Row] | None:
    said: Any = None
    if isinstance(message, list) and len(message) == 2:
        said = message
    elif isinstance(message, dict) and not _role(message):
        said = next(([message[one], message[two]] for one, two in _PAIRS if {one, two} <= set(message)), None)
    if said is None or not all(isinstance(text, str) for text in said):
        return None
    system = message.get("system") if isinstance(message, dict) else None
    first: list[Row] = [{"role": "system", "content": system}] if isinstance(system, str) and system.strip() else []
    return [*first, {"role": "user", "content": said[0]}, {"role": "assistant", "content": said[1]}]


def transcript(text: str) -> list[Row] | None:
    """The messages in a text such as ``### Human: hi ### Assistant: hello``, ChatML, or one that Alpaca's prompt made;
    None when it is no such text.
    """
    turns = list(_TURN.finditer(text))
    before = _BEGINNING.sub(" ", text[: turns[0].start()]).strip() if turns else ""
    if not turns or (before and not before.startswith(_ALPACA)):
        return None
    ends = [*(turn.start() for turn in turns[1:]), len(text)]
    system = [{"role": "system", "content": before}] if before else []
    return system + [
        {"role": str(turn[turn.lastgroup or 0]), "content": _TURN_ENDS.sub("", text[turn.end() : end]).strip()}
        for turn, end in zip(turns, ends, strict=True)
    ]


def unended(text: str) -> str:
    """`text` without the marks that another model's texts end with; the end of a reply is learnt without them."""
    return _LAST_ENDS.sub("", text)


def answered(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """`messages` up to the assistant's last, so that something is there to be learnt."""
    last = max((i for i, message in enumerate(messages) if message["role"] == "assistant"), default=-1)
    return messages[: last + 1]


def as_instruction(row: Row) -> Row:
    """A row of ``messages`` with ``prompt`` and ``completion`` beside them; another one as it is.

    The completion is the assistant's last reply, if the conversation ends with one; the prompt is all that was said
    before it, as paragraphs.

    Raises:
        DataError: the messages can't be read.
    """
    if not row.get("messages") or "prompt" in row:
        return row
    said = conversation(row["messages"])
    return _with_reply(row, said, len(said) - (said[-1]["role"] == "assistant"))


def replies(row: Row) -> list[Row]:
    """A row as `as_instruction` gives it for each reply of the assistant in ``messages``; another one by itself.

    Raises:
        DataError: the messages can't be read.
    """
    if not row.get("messages"):
        return [row]
    said = conversation(row["messages"])
    roles = [message["role"] for message in said]
    ends = [i for i, role in enumerate(roles) if role == "assistant" and "user" in roles[:i]]
    return [_with_reply({**row, "messages": said[: end + 1]}, said, end) for end in ends]


def _with_reply(row: Row, said: list[dict[str, str]], place: int) -> Row:
    """`row` with the message at `place`, if there is one, as its completion and those before as its prompt."""
    reply = said[place]["content"] if place < len(said) else ""
    return {**row, "prompt": "\n\n".join(message["content"] for message in said[:place]), "completion": reply}


def common_instructions(rows: Sequence[Row]) -> str:
    """What the system says in front of every one of `rows`; empty where it says nothing, or not the same."""
    found = {_instructions(row) for row in rows}
    return found.pop() if len(found) == 1 else ""


def _instructions(row: Row) -> str:
    messages = row.get("messages") or []
    first = messages[0] if messages else {}
    return str(first["content"]) if first.get("role") == "system" else ""


def num_turns(row: Row) -> int:
    """Messages of users and assistants that come before the reply; 1 for a row that is no conversation."""
    spoken = [message for message in row.get("messages") or [] if message["role"] != "system"]
    return max(len(spoken) - 1, 1)


def is_said(value: Any) -> bool:
    """Whether `value` is a list of messages that say whose they are."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return False
    roles = [_role(one) for one in value]
    return bool(roles) and all(_ROLES.get(role, role) in (*_SPEAKERS, *_UNSPOKEN) for role in roles)


def _is_unspoken(message: Any) -> bool:
    if not isinstance(message, dict):
        return False
    is_call = bool(message.get("tool_calls") or message.get("function_call") or "tool_calls" in message)
    return _role(message) in _UNSPOKEN or (is_call and not message.get("content"))


def _role(message: Row) -> str:
    return str(message.get("role") or message.get("from") or message.get("speaker") or "").strip().lower()


def _message(message: Any, number: int) -> dict[str, str]:
    if not isinstance(message, dict):
        raise DataError(f"message {number} must be an object with role and content")
    role = _ROLES.get(_role(message), _role(message))
    if not role:
        raise DataError(f"message {number} does not say whose it is; its role must be system, user or assistant")
    if role not in _SPEAKERS:
        raise DataError(f"message {number} has the role '{excerpt(role, 40)}'; it must be system, user or assistant")
    content = next((message[key] for key in ("content", "value", "text") if message.get(key) is not None), None)
    said = as_written(content) if isinstance(content, dict) else _joined_parts(content)
    content = clean_text(unended(said) if isinstance(said, str) else said, f"content of message {number}")
    return {"role": role, "content": content}


def _joined_parts(content: Any) -> Any:
    """The text of content that comes as a list of parts."""
    if not isinstance(content, list) or not all(isinstance(part, dict) and "text" in part for part in content):
        return content
    return "\n".join(str(part["text"]) for part in content)
