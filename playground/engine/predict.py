"""Predictions: rows of a task in, rows with the task's output out, streamed or in batches.

What a row needs is a *plan*: a generator that yields requests to the engine, is sent their results, and returns
the row's output. One person's row runs its plan alone; a batch runs many plans in step, so that their requests
share passes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from playground.adapters.record import AdapterRecord
from playground.data.text import clean_text
from playground.engine.requests import Decoding, EncodeRow
from playground.engine.zerogpu import on_gpu
from playground.errors import BackboneError, InputError
from playground.tasks import Task, guess, shape_classify, shape_generate, shape_span, shape_tag
from playground.tasks.languages import base_code
from playground.types import Row

if TYPE_CHECKING:
    # The page imports this module; torch may come later, together with the engine.
    from playground.engine.engine import Engine, Ticket
    from playground.engine.lora import LoadedAdapter

HEARTBEAT_S = 0.2
GREEDY = Decoding()
BATCH_ROWS = {"classify": 64, "tag": 64, "span": 16, "generate": 8}
BASE_NOTE = "The base has no head for this task; this is a guess from a prompt with a few examples."
FEW_SHOT_NOTE = "The base answers from a prompt with a few examples."


@dataclass(frozen=True)
class Request:
    """What a plan asks of the engine: passes through heads, or texts, or the chances of some next tokens."""

    windows: Sequence[EncodeRow] = ()
    prompts: Sequence[Sequence[int]] = ()
    adapter: LoadedAdapter | None = None
    decoding: Decoding = GREEDY
    choices: tuple[int, ...] = ()
    join: Callable[[list[str]], str] | None = None
    """How the texts so far become the output a person watches grow; None: nothing to watch."""

    def submit(self, engine: Engine) -> Ticket:
        if self.windows:
            return engine.encode(self.windows)
        if self.choices:
            return engine.choose(self.prompts[0], self.choices, self.adapter)
        return engine.generate([(ids, self.adapter) for ids in self.prompts], self.decoding)


@dataclass(frozen=True)
class Outcome:
    fields: Row
    is_guess: bool = False
    note: str = ""


Plan = Generator[Request, list[Any], Outcome]


@dataclass(frozen=True)
class Prediction:
    """A row with what the task added to it, and who answered how fast."""

    row: Row
    done: bool
    backbone: str
    adapter: str | None
    quantization: str
    latency_ms: float
    is_guess: bool = False
    note: str = ""
    error: str | None = None
    """One sentence when this row could not be used; nothing was added to it then."""


@dataclass(frozen=True)
class _Job:
    engine: Engine
    task: Task
    adapter: AdapterRecord | None
    began: float = field(default_factory=time.monotonic)

    def prediction(
        self, row: Row, *, done: bool = True, outcome: Outcome | None = None, error: str | None = None
    ) -> Prediction:
        backbone = self.engine.backbone
        return Prediction(
            row=_with_output(self.task, row, outcome.fields) if outcome else row,
            done=done,
            backbone=backbone.title,
            adapter=self.adapter.name if self.adapter else None,
            quantization=backbone.quantization,
            latency_ms=(time.monotonic() - self.began) * 1000,
            is_guess=outcome.is_guess if outcome else False,
            note=outcome.note if outcome else "",
            error=error,
        )


@on_gpu
def predict_stream(engine: Engine, task: Task, row: Row, adapter: AdapterRecord | None) -> Iterator[Prediction]:
    """Growing predictions for one row, the last one ``done``; closing the iterator frees the row in the engine.

    Args:
        adapter: None asks the base without an adapter.

    Raises:
        PlaygroundError: the row, the adapter or the backbone does not allow it, or too many requests wait.
    """
    job = _Job(engine, task, adapter)
    plan = make_plan(engine, task, clean_row(task, row), adapter)
    ticket: Ticket | None = None
    try:
        request = next(plan)
        while True:
            ticket = request.submit(engine)
            while not ticket.wait(HEARTBEAT_S):
                yield job.prediction(row, done=False, outcome=_so_far(task, request, ticket))
            request = plan.send(_results(request, ticket))
    except StopIteration as end:
        yield job.prediction(row, outcome=end.value)
    finally:
        if ticket is not None:
            ticket.cancel()


@on_gpu
def predict_many(
    engine: Engine, task: Task, rows: Sequence[Row], adapter: AdapterRecord | None, batch_rows: int | None = None
) -> Iterator[tuple[int, Prediction]]:
    """(index, prediction) of every row in order. A row that can't be used has ``error`` set; the others go on.

    Raises:
        PlaygroundError: the adapter or the backbone does not allow any row of it, or too many requests wait.
    """
    if adapter is not None:
        engine.adapter(adapter)
    size = batch_rows or BATCH_ROWS[task.shape]
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        job = _Job(engine, task, adapter)
        for offset, prediction in enumerate(_run_in_step(job, part)):
            yield start + offset, prediction


def _run_in_step(job: _Job, rows: Sequence[Row]) -> list[Prediction]:
    finished: dict[int, Prediction] = {}
    plans: dict[int, Plan] = {}
    asked: dict[int, Request] = {}
    for index, row in enumerate(rows):
        try:
            plans[index] = make_plan(job.engine, job.task, clean_row(job.task, row), job.adapter)
            asked[index] = next(plans[index])
        except InputError as err:
            finished[index] = job.prediction(row, error=str(err))
    while asked:
        results = _run_requests(job.engine, asked)
        asked = {}
        for index, result in results.items():
            try:
                asked[index] = plans[index].send(result)
            except StopIteration as end:
                finished[index] = job.prediction(rows[index], outcome=end.value)
    return [finished[index] for index in range(len(rows))]


def _run_requests(engine: Engine, asked: dict[int, Request]) -> dict[int, list[Any]]:
    """Results of several plans' requests; requests for text of the same kind are decoded together."""
    merged: dict[tuple[Any, ...], list[int]] = {}
    for index, request in asked.items():
        alone = (index,) if request.windows or request.choices else ()
        merged.setdefault((id(request.adapter), request.decoding, *alone), []).append(index)
    tickets: list[tuple[list[int], Ticket]] = []
    try:
        for indices in merged.values():
            first = asked[indices[0]]
            prompts = [ids for index in indices for ids in asked[index].prompts]
            whole = first if len(indices) == 1 else replace(first, prompts=prompts)
            tickets.append((indices, whole.submit(engine)))
        results: dict[int, list[Any]] = {}
        for indices, ticket in tickets:
            ticket.wait()
            if len(indices) == 1:
                results[indices[0]] = _results(asked[indices[0]], ticket)
                continue
            texts = iter(ticket.decode_rows)
            for index in indices:
                results[index] = [next(texts).text for _ in asked[index].prompts]
        return results
    finally:
        for _, ticket in tickets:
            ticket.cancel()


def _results(request: Request, ticket: Ticket) -> list[Any]:
    if request.windows:
        return [ticket.logits[index] for index in range(len(request.windows))]
    if request.choices:
        return ticket.decode_rows[0].chances
    return [row.text for row in ticket.decode_rows]


def _so_far(task: Task, request: Request, ticket: Ticket) -> Outcome | None:
    if request.join is None:
        return None
    return Outcome({task.output: request.join([row.text.strip() for row in ticket.decode_rows])})


def clean_row(task: Task, row: Row) -> Row:
    """`row` with the task's inputs made safe for the tokenizer.

    Raises:
        InputError: an input is missing, empty, too long, or no language code.
    """
    cleaned = dict(row)
    for wanted in task.inputs:
        if wanted.name not in row:
            needed = ", ".join(f.name for f in task.inputs)
            raise InputError(f"The row has no '{wanted.name}'; {task.name} needs {needed}.")
        if wanted.kind == "language":
            base_code(row[wanted.name])
        else:
            cleaned[wanted.name] = clean_text(row[wanted.name], wanted.label.lower())
    return cleaned


def make_plan(engine: Engine, task: Task, row: Row, adapter: AdapterRecord | None) -> Plan:
    """The plan of a cleaned row.

    Raises:
        AdapterError: the adapter does not fit the task or the backbone, or is broken.
        BackboneError: the backbone can't do it.
    """
    if task.shape == "generate":
        return _generate_plan(engine, task, row, adapter)
    if adapter is None:
        if not engine.backbone.can_generate:
            raise BackboneError(
                f"The backbone '{engine.backbone.id}' has no head for {task.name} and can't write a guess; "
                "choose an adapter or train one."
            )
        return _guess_plan(engine, task, row)
    return {"classify": _classify_plan, "tag": _tag_plan, "span": _span_plan}[task.shape](engine, row, adapter)


def _encode_rows(engine: Engine, adapter: AdapterRecord, windows: Sequence[Any], *, pooled: bool) -> Request:
    loaded = engine.adapter(adapter)
    return Request(windows=[EncodeRow(w.input_ids, loaded, adapter.attention, pooled) for w in windows])


def _classify_plan(engine: Engine, row: Row, adapter: AdapterRecord) -> Plan:
    parts = shape_classify.windows(engine.backbone.tokenizer, row, adapter.max_length)
    logits = yield _encode_rows(engine, adapter, parts, pooled=True)
    temperature = float(adapter.decision.get("temperature", 1.0))
    return Outcome(shape_classify.decode(parts, logits, adapter.labels, temperature))


def _tag_plan(engine: Engine, row: Row, adapter: AdapterRecord) -> Plan:
    tokens, parts = shape_tag.windows(engine.backbone.tokenizer, row, adapter.max_length)
    logits = yield _encode_rows(engine, adapter, parts, pooled=False)
    return Outcome(shape_tag.decode(row, tokens, parts, logits, adapter.labels))


def _span_plan(engine: Engine, row: Row, adapter: AdapterRecord) -> Plan:
    tokens, parts = shape_span.windows(engine.backbone.tokenizer, row, adapter.max_length)
    logits = yield _encode_rows(engine, adapter, parts, pooled=False)
    threshold = float(adapter.decision.get("no_answer_threshold", 0.0))
    found = shape_span.decode(row, tokens, parts, logits, threshold)
    return Outcome({"answer": found["answer"]}, note="" if found["answer"] else "The text does not answer it.")


def _generate_plan(engine: Engine, task: Task, row: Row, adapter: AdapterRecord | None) -> Plan:
    tokenizer = engine.backbone.tokenizer
    loaded = engine.adapter(adapter) if adapter else None
    max_length = adapter.max_length if adapter else task.max_length
    decoding = adapter_decoding(task, adapter)
    steps = shape_generate.steps(task, row, tokenizer, max_length)
    rows = next(steps)
    while True:
        prompts = [
            shape_generate.fill_prompt(adapter.prompt, part) if adapter else guess.generate_prompt(task, part)
            for part in rows
        ]
        ids = [shape_generate.prompt_ids(tokenizer, prompt) for prompt in prompts]
        texts = yield Request(prompts=ids, adapter=loaded, decoding=decoding, join=shape_generate.joiner(task, rows))
        try:
            rows = steps.send([text.strip() for text in texts])
        except StopIteration as end:
            return Outcome({task.output: end.value}, note="" if adapter else FEW_SHOT_NOTE)


def adapter_decoding(task: Task, adapter: AdapterRecord | None) -> Decoding:
    """Decoding settings of an adapter, or of the base's few-shot prompt."""
    if adapter is None:
        stop = ("\n",) if task.name != "instruct" else ("\n\n",)
        return Decoding(max_new_tokens=task.max_new_tokens, stop=stop, repetition_penalty=1.05)
    chosen = {"max_new_tokens": task.max_new_tokens, **adapter.generation}
    known = Decoding.__dataclass_fields__
    return Decoding(**{key: tuple(v) if key == "stop" else v for key, v in chosen.items() if key in known})


def _guess_plan(engine: Engine, task: Task, row: Row) -> Plan:
    """A guess of the bare backbone for a task that needs a head."""
    tokenizer = engine.backbone.tokenizer
    text_field = task.inputs[0].name
    # A prompt holds one window; the guess looks at its beginning and says so.
    tokens = shape_tag.tokenize(tokenizer, row[text_field])
    cut = len(tokens.ids) > task.max_length
    short = {**row, text_field: row[text_field][: tokens.offsets[task.max_length][0]]} if cut else row
    note = BASE_NOTE + (f" It read only the first {task.max_length} tokens." if cut else "")
    if task.shape == "classify":
        labels = task.labels or guess.DEFAULT_LABELS
        choices = tuple(shape_tag.tokenize(tokenizer, f" {label}").ids[0] for label in labels)
        prompt = shape_generate.prompt_ids(tokenizer, guess.classify_prompt(short))
        chances = yield Request(prompts=[prompt], choices=choices)
        scores = dict(sorted(zip(labels, chances, strict=True), key=lambda pair: -pair[1]))
        return Outcome({"label": next(iter(scores)), "scores": scores}, is_guess=True, note=note)
    prompt_text = guess.tag_prompt(short) if task.shape == "tag" else guess.span_prompt(short)
    prompt = shape_generate.prompt_ids(tokenizer, prompt_text)
    decoding = Decoding(max_new_tokens=96, stop=("\n\n",) if task.shape == "tag" else ("\n",))
    (text,) = yield Request(prompts=[prompt], decoding=decoding)
    if task.shape == "tag":
        return Outcome({"entities": guess.read_entities(short["text"], text)}, is_guess=True, note=note)
    return Outcome({"answer": guess.read_answer(short["context"], text)}, is_guess=True, note=note)


def _with_output(task: Task, row: Row, fields: Row) -> Row:
    """`row` plus the output; a gold label moves to ``gold``, where evaluation looks for it."""
    kept = dict(row)
    if task.output in kept and task.output == task.target and task.output in fields:
        kept["gold"] = kept.pop(task.output)
    return {**kept, **fields}
