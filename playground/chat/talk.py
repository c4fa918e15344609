"""Free conversation, with a backbone that has a chat template or with an adapter trained on dialogue."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from playground.adapters.record import AdapterRecord
from playground.engine.predict import predict_stream
from playground.engine.requests import Decoding
from playground.engine.zerogpu import on_gpu
from playground.tasks import get_task
from playground.types import Stream

if TYPE_CHECKING:
    # The page imports this module; torch may come later, together with the engine.
    from playground.engine.engine import Engine

MAX_NEW_TOKENS = 512
DECODING = Decoding(max_new_tokens=MAX_NEW_TOKENS, repetition_penalty=1.05)

Turn = Mapping[str, str]
"""``role`` (user or assistant) and ``content``, as chat templates take them."""


def can_talk(engine: Engine, talker: AdapterRecord | None) -> bool:
    """Whether anything here answers what is no task."""
    return engine.backbone.can_generate and (talker is not None or engine.backbone.has_chat_template)


def talk(
    engine: Engine, turns: Sequence[Turn], message: str, talker: AdapterRecord | None
) -> Stream[tuple[str, bool, str]]:
    """(growing text, whether it is finished, sentence saying who answered); closing it stops the work."""
    began = time.monotonic()
    who = f"the adapter {talker.name} on {engine.backbone.title}" if talker else engine.backbone.title
    text = ""
    said = [*turns, {"role": "user", "content": message}]
    with closing(_with_adapter(engine, said, talker) if talker else _with_template(engine, said)) as texts:
        for text in texts:
            yield text, False, ""
    yield text.strip(), True, f"Answered by {who} in {(time.monotonic() - began) * 1000:,.0f} ms."


def heard(said: Sequence[Turn], talker: AdapterRecord) -> list[Turn]:
    """As much of what was said as there was before replies in the adapter's training, after the instructions that all
    its conversations began with.
    """
    kept = alternating(said[-max(talker.training.get("turns", 1), 1) :])
    instructions = talker.training.get("instructions")
    return [{"role": "system", "content": str(instructions)}, *kept] if instructions else kept


def _with_adapter(engine: Engine, said: Sequence[Turn], talker: AdapterRecord) -> Stream[str]:
    task = get_task("instruct")
    with closing(predict_stream(engine, task, {"messages": heard(said, talker)}, talker)) as predictions:
        for prediction in predictions:
            yield str(prediction.row.get(task.output) or "")


@on_gpu
def _with_template(engine: Engine, said: Sequence[Turn]) -> Stream[str]:
    room = engine.backbone.max_positions - MAX_NEW_TOKENS
    kept = alternating(said)
    ids = _prompt_ids(engine, kept)
    while len(ids) > room and len(kept) > 1:
        kept = kept[2:]  # the oldest question with its answer
        ids = _prompt_ids(engine, kept)
    with closing(engine.generate_text(ids[-room:], DECODING)) as texts:
        yield from texts


def _prompt_ids(engine: Engine, turns: Sequence[Turn]) -> list[int]:
    tokenizer = engine.backbone.tokenizer
    ids: list[int] = tokenizer.apply_chat_template(
        list(turns), tokenize=True, add_generation_prompt=True, return_dict=False
    )
    return ids


def alternating(turns: Sequence[Turn]) -> list[Turn]:
    """`turns` from a user's to a user's in strict change, as most chat templates demand; of a row of equals the last
    one is kept, and empty ones are left out.
    """
    kept: list[Turn] = []
    for turn in turns:
        if not turn["content"].strip() or (not kept and turn["role"] == "assistant"):
            continue
        if kept and kept[-1]["role"] == turn["role"]:
            kept[-1] = turn
        else:
            kept.append(turn)
    return kept
