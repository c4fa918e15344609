"""What the adapter, as it is now, answers on a few rows that it does not learn from, again and again in a training.

Nothing is learnt from the answers and nothing random is drawn, so that the weights are the same without them.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from statistics import fmean
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from playground.adapters.report_rows import answer_text, input_text
from playground.backbones.loading import Backbone
from playground.backbones.release import release
from playground.data.text import scrub
from playground.engine.decode import DecodeRow
from playground.engine.grouped import DecodeGroup
from playground.engine.lora import Routes
from playground.engine.requests import Decoding
from playground.errors import InputError
from playground.evaluation.answers import gold_of, input_of
from playground.tasks import Task, shape_classify, shape_span, shape_tag
from playground.tasks.windows import Tokens, Window
from playground.training import memory
from playground.training.config import RunConfig
from playground.training.early_stopping import COST_OF_TRAINING
from playground.training.features import IGNORED, build_features
from playground.training.loop import Step
from playground.training.trainee import Trainee
from playground.types import Row

NUM_ROWS = 3
MOST_WINDOWS = 4
"""Rows with longer texts are passed over."""
MOST_LOOKED_AT = 12
"""Rows of which the `NUM_ROWS` shortest are chosen."""
LOOKS = 4
"""In a part of the training without early stopping, evenly spread; with it, each of its checks gives one."""
SHARE_OF_TIME = 0.03
"""Of the training, which the answers take at most."""
FREE_S = 1.0
"""They may take so long in any case: reading rows and loading the backbone takes many times that."""
MOST_TOKENS = 48
FEWEST_LOOKS = 2
"""Where long texts leave no time for so many at three rows, there are fewer rows."""
FEWEST_TOKENS = 12
"""A shorter beginning of a text says little: where there is no time for so much, a look is left out."""
MOST_CHARS = 300
"""Of a text in an event."""

Emit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Reader:
    """How rows become tokens, and outputs of the head become answers."""

    task: Task
    tokenizer: Any
    labels: Sequence[str]
    """Names of the outputs of the head; none for generate."""
    max_length: int

    def windows(self, row: Row) -> list[Window]:
        """What goes through the backbone for a row of a task with a head.

        Raises:
            InputError: a question leaves no room for the text.
        """
        if self.task.shape == "classify":
            return shape_classify.windows(self.tokenizer, row, self.max_length)
        return self._with_tokens(row)[1]

    def answer(self, row: Row, parts: Sequence[Window], logits: Sequence[NDArray[np.float32]]) -> Row:
        """The row's output from what the head says about its windows."""
        if self.task.shape == "classify":
            return shape_classify.decode(parts, logits, self.labels)
        tokens, _ = self._with_tokens(row)
        if self.task.shape == "tag":
            return shape_tag.decode(row, tokens, parts, logits, self.labels)
        return shape_span.decode(row, tokens, parts, logits)

    def _with_tokens(self, row: Row) -> tuple[Tokens, list[Window]]:
        if self.task.shape == "tag":
            return shape_tag.windows(self.tokenizer, row, self.max_length)
        return shape_span.windows(self.tokenizer, row, self.max_length)

    def prompt(self, row: Row) -> list[int]:
        """Token ids before the answer of generate, shortened as for the training."""
        *_, feature = build_features(self.task, [row], self.tokenizer, self.labels, self.max_length, 0).features
        return feature.input_ids[: feature.labels.count(IGNORED)]

    def work(self, row: Row) -> int:
        """Tokens that go through the backbone before there is an answer; 0 where there can't be one."""
        if self.task.shape == "generate":
            return len(self.prompt(row))
        try:
            return sum(len(part.input_ids) for part in self.windows(row))
        except InputError:
            return 0


def chosen(rows: Sequence[Row], reader: Reader, config: RunConfig) -> list[Row]:
    """At most `NUM_ROWS` of `rows`, always the same ones; none where the blocks are compiled, for training alone."""
    some = random.Random(config.seed).sample(rows, min(MOST_LOOKED_AT, len(rows))) if not config.compile else []
    works = [(reader.work(row), place) for place, row in enumerate(some)]
    most = MOST_WINDOWS * reader.max_length
    return [some[place] for work, place in sorted(works) if 0 < work <= most][:NUM_ROWS]


class Samples:
    """Looks at the answers to `rows` now and then in one part of a training, and emits the event ``samples``.

    It holds ``step`` and ``rows``, each with ``input``, ``expected`` and ``answer`` as text of `MOST_CHARS` at most.
    """

    def __init__(self, reader: Reader, rows: Sequence[Row], emit: Emit) -> None:
        self._reader = reader
        self._rows = list(rows)
        self._emit = emit
        self._looks: int | None = None
        """How many of the `LOOKS` are over; None before the first step."""
        self._follows_checks = False
        self._began_s = 0.0
        self._spent_s = 0.0
        self._needed_s = 0.0

    def after(self, trainee: Trainee, step: Step) -> None:
        """Looks if it is time for it and there is time for it."""
        if not self._rows or not self._is_due(step):
            return
        if not self._needed_s:
            self._leave_out(step)
        allowed = self._budget_s(step.elapsed_s) - self._spent_s
        reading = self._reading_s(step)
        # The last look is worth it even where there is time for few words.
        if allowed < (max(self._needed_s, 2 * reading) if step.eta_s > 0 else reading):
            return
        answers, took_s = self._look(trainee, allowed)
        if not answers:
            return
        self._spent_s += took_s
        told = [self._told(row, answer) for row, answer in zip(self._rows, answers, strict=True)]
        self._emit({"event": "samples", "step": step.step, "rows": told})

    def reckoned_s(self, trainee: Trainee, training_s: float, *, num_checks: int = 0) -> float:
        """Seconds that the answers will take in a training of `training_s` without them, from one look at them.

        Args:
            num_checks: of the early stopping.
        """
        if not self._rows:
            return 0.0
        budget = max(SHARE_OF_TIME * training_s, FREE_S)
        _, took_s = self._look(trainee, budget)
        return min((num_checks or LOOKS) * took_s, budget)

    def _look(self, trainee: Trainee, allowed_s: float) -> tuple[list[str], float]:
        """Answers, and the seconds that they took; none, now and later, where the memory does not suffice."""
        began = time.monotonic()
        try:
            answers = self._answers(trainee, began + allowed_s)
        except (RuntimeError, MemoryError) as err:
            if not memory.ran_out(err):
                raise
            self._rows = []
        if not self._rows:  # outside of the handler, whose traceback would keep the tensors alive
            release()
            return [], 0.0
        return answers, time.monotonic() - began

    def _is_due(self, step: Step) -> bool:
        share = step.elapsed_s / (step.elapsed_s + step.eta_s)
        if self._looks is None:
            # A training that goes on after a break has had its first looks.
            self._looks = floor(share * (step.step - 1) / step.step * LOOKS)
            self._began_s = step.elapsed_s if step.step > 1 else 0.0
        before, self._looks = self._looks, floor(share * LOOKS + 1e-9)
        if step.validation_loss is not None:
            self._follows_checks = True
            return True
        return self._looks > before and not self._follows_checks

    def _budget_s(self, elapsed_s: float) -> float:
        """Seconds for all looks of a training that has taken `elapsed_s`."""
        return max(SHARE_OF_TIME * (elapsed_s - self._began_s), FREE_S)

    def _reading_s(self, step: Step) -> float:
        """About the seconds that the rows take before there is an answer, judged by the speed of the training."""
        return sum(map(self._reader.work, self._rows)) / (COST_OF_TRAINING * step.tokens_per_s)

    def _leave_out(self, step: Step) -> None:
        """Leaves out rows for which a training of this length has no time."""
        budget = self._budget_s(step.elapsed_s + step.eta_s)
        while len(self._rows) > 1 and FEWEST_LOOKS * 2 * self._reading_s(step) > budget:
            self._rows.pop()

    def _answers(self, trainee: Trainee, deadline: float) -> list[str]:
        model, began = trainee.model, time.monotonic()
        was_training = model.training
        model.eval()
        try:
            if self._reader.task.shape == "generate":
                return self._written(trainee, deadline)
            answers = [self._decided(trainee, row) for row in self._rows]
            self._needed_s = time.monotonic() - began
            return answers
        finally:
            model.train(was_training)

    def _decided(self, trainee: Trainee, row: Row) -> str:
        """The answer to a row of a task with a head."""
        parts = self._reader.windows(row)
        logits = [trainee.outputs(part.input_ids).numpy() for part in parts]
        found = self._reader.answer(row, parts, logits)
        return answer_text(found[self._reader.task.output], str(row.get("text", "")))

    def _written(self, trainee: Trainee, deadline: float) -> list[str]:
        """Texts up to the deadline or `MOST_TOKENS`."""
        decoding = Decoding(max_new_tokens=MOST_TOKENS, repetition_penalty=1.05)
        rows = [DecodeRow(self._reader.prompt(row), None, decoding, Event()) for row in self._rows]
        group = DecodeGroup(_as_backbone(trainee, self._reader.tokenizer), Routes(), rows)
        seconds = [_seconds(group.step)]
        while not group.finished and time.monotonic() < deadline:
            seconds.append(_seconds(group.step))
        # The first token takes the longest, because the prompts are read for it.
        self._needed_s = seconds[0] + (FEWEST_TOKENS - 1) * fmean(seconds[1:] or [0.0])
        return [row.text.strip() + ("" if _has_ended(row) else "…") for row in rows]

    def _told(self, row: Row, answer: str) -> Mapping[str, str]:
        task = self._reader.task
        (expected,) = gold_of(task, [row])
        return {
            "input": _shortened(input_text(input_of(task, row))),
            "expected": _shortened(answer_text(expected, str(row.get("text", "")))),
            "answer": _shortened(answer),
        }


def _as_backbone(trainee: Trainee, tokenizer: Any) -> Backbone:
    """The model that learns, as what the engine writes texts with: its layers hold the adapter already."""
    return Backbone(
        id="trainee",
        title="Trainee",
        checksum="",
        family=trainee.family,
        quantization="none",
        source="",
        model=trainee.model.get_base_model(),
        tokenizer=tokenizer,
    )


def _seconds(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _has_ended(row: DecodeRow) -> bool:
    """Whether the text ended by itself."""
    return row.done and len(row.output_ids) < row.decoding.max_new_tokens


def _shortened(text: str) -> str:
    text = scrub(text)
    return text if len(text) <= MOST_CHARS else f"{text[: MOST_CHARS - 1]}…"
