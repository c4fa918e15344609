"""Conversations as lists of messages, in the notations that people have them in."""

from typing import Any

from playground.data.literals import as_literal
from playground.data.text import clean_text, excerpt
from playground.errors import DataError
from playground.types import Row

_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}


def conversation(value: Any) -> list[dict[str, str]]:
    """`value`, a list or its JSON text, as messages with ``role`` (system, user or assistant) and ``content``.

    Raises:
        DataError: it is none; the message names the one that is wrong.
    """
    messages = as_literal(value) if isinstance(value, str) else value
    if not isinstance(messages, list) or not messages:
        raise DataError("messages must be a list of objects with role and content")
    return [_message(message, i) for i, message in enumerate(messages, 1)]


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
    reply = said.pop()["content"] if said[-1]["role"] == "assistant" else ""
    return {**row, "prompt": "\n\n".join(message["content"] for message in said), "completion": reply}


def _message(message: Any, number: int) -> dict[str, str]:
    if not isinstance(message, dict):
        raise DataError(f"message {number} must be an object with role and content")
    role = str(message.get("role") or message.get("from") or "").strip().lower()
    role = _ROLES.get(role, role)
    if role not in ("system", "user", "assistant"):
        raise DataError(f"message {number} has the role '{excerpt(role, 40)}'; it must be system, user or assistant")
    content = message.get("content") if message.get("content") is not None else message.get("value")
    return {"role": role, "content": clean_text(content, f"content of message {number}")}
