"""Predictions: rows of a task in, rows with the task's output out, streamed or in batches.

One person's row runs its plan alone; a batch runs many plans in step, so that their requests share passes.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from playground.adapters.record import AdapterRecord
from playground.data.text import join_surrogates
from playground.engine.plans import Outcome, Plan, Request, clean_row, make_plan
from playground.engine.zerogpu import on_gpu
from playground.errors import InputError
from playground.tasks import Task
from playground.types import Row, Stream

if TYPE_CHECKING:
    # The page imports this module; torch may come later, together with the engine.
    from playground.engine.engine import Engine
    from playground.engine.tickets import Ticket

HEARTBEAT_S = 0.2
BATCH_ROWS = {"classify": 64, "tag": 64, "span": 16, "generate": 8}


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


Beat = tuple[int, Prediction]


@dataclass(frozen=True)
class _Job:
    engine: Engine
    task: Task
    adapter: AdapterRecord | None
    num_beams: int | None = None
    began: float = field(default_factory=time.monotonic)

    def prediction(
        self, row: Row, *, done: bool = True, outcome: Outcome | None = None, error: str | None = None
    ) -> Prediction:
        backbone = self.engine.backbone
        row = _with_whole_characters(self.task, row)
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
def predict_stream(
    engine: Engine, task: Task, row: Row, adapter: AdapterRecord | None, every_s: float | None = None
) -> Stream[Prediction]:
    """Growing predictions for one row, the last one ``done``; closing the iterator frees the row in the engine.

    Args:
        adapter: None asks the base without an adapter.
        every_s: seconds between two of them; None: as often as a reader likes to see a text grow.

    Raises:
        PlaygroundError: the row, the adapter or the backbone does not allow it, or too many requests wait.
    """
    job = _Job(engine, task, adapter)
    plan = make_plan(engine, task, clean_row(task, row), adapter)
    ticket: Ticket | None = None
    every_s = HEARTBEAT_S if every_s is None else every_s
    try:
        request = next(plan)
        while True:
            ticket = request.submit(engine)
            while not ticket.wait(every_s):
                yield job.prediction(row, done=False, outcome=_so_far(task, request, ticket))
            request = plan.send(request.results(ticket))
    except StopIteration as end:
        yield job.prediction(row, outcome=end.value)
    finally:
        if ticket is not None:
            ticket.cancel()


@on_gpu
def predict_many(
    engine: Engine,
    task: Task,
    rows: Sequence[Row],
    adapter: AdapterRecord | None,
    batch_rows: int | None = None,
    num_beams: int | None = None,
) -> Stream[tuple[int, Prediction]]:
    """(index, prediction) of every row in order, and about five times a second one that is not ``done``.

    Those unfinished ones only show that work goes on, so that a caller who has lost interest can close the iterator,
    which frees the rows in the engine. A row that can't be used has ``error`` set; the others go on.

    Args:
        num_beams: of a task that writes text; None leaves it to the adapter.

    Raises:
        PlaygroundError: the adapter or the backbone does not allow any row of it, or too many requests wait.
    """
    if adapter is not None:
        engine.adapter(adapter)
    size = batch_rows or BATCH_ROWS[task.shape]
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        job = _Job(engine, task, adapter, num_beams)
        yield from enumerate((yield from _run_in_step(job, part, (start, job.prediction(part[0], done=False)))), start)


def _run_in_step(job: _Job, rows: Sequence[Row], beat: Beat) -> Generator[Beat, None, list[Prediction]]:
    finished: dict[int, Prediction] = {}
    plans: dict[int, Plan] = {}
    asked: dict[int, Request] = {}

    def advance(index: int, result: list[Any] | None) -> None:
        """The next request of a row; its first one when there is no result yet."""
        try:
            if result is None:
                row = clean_row(job.task, rows[index])
                plans[index] = make_plan(job.engine, job.task, row, job.adapter, job.num_beams)
                asked[index] = next(plans[index])
            else:
                asked[index] = plans[index].send(result)
        except StopIteration as end:
            finished[index] = job.prediction(rows[index], outcome=end.value)
        except InputError as err:
            # A line of a file that could not be read carries the reason, which says more than its empty fields.
            finished[index] = job.prediction(rows[index], error=str(rows[index].get("error") or err))

    for index in range(len(rows)):
        advance(index, None)
    while asked:
        results = yield from _run_requests(job.engine, asked, beat)
        asked.clear()
        for index, result in results.items():
            advance(index, result)
    return [finished[index] for index in range(len(rows))]


def _run_requests(
    engine: Engine, asked: Mapping[int, Request], beat: Beat
) -> Generator[Beat, None, dict[int, list[Any]]]:
    """Results of several rows' requests, those of one kind run as one; yields `beat` while they wait."""
    kinds: dict[Any, list[int]] = {}
    for index, request in asked.items():
        kind = (bool(request.windows), id(request.adapter), request.decoding, request.choices)
        kinds.setdefault(kind, []).append(index)
    results: dict[int, list[Any]] = {}
    tickets: list[Ticket] = []
    try:
        merged = {kind: _merged([asked[index] for index in indices]) for kind, indices in kinds.items()}
        tickets.extend(request.submit(engine) for request in merged.values())
        for (kind, indices), ticket in zip(kinds.items(), tickets, strict=True):
            while not ticket.wait(HEARTBEAT_S):
                yield beat
            found = iter(merged[kind].results(ticket))
            results |= {index: list(islice(found, len(asked[index]))) for index in indices}
        return results
    finally:
        for ticket in tickets:
            ticket.cancel()


def _merged(requests: Sequence[Request]) -> Request:
    windows = [window for request in requests for window in request.windows]
    prompts = [prompt for request in requests for prompt in request.prompts]
    return replace(requests[0], windows=windows, prompts=prompts)


def _so_far(task: Task, request: Request, ticket: Ticket) -> Outcome | None:
    if request.join is None:
        return None
    return Outcome({task.output: request.join([row.text.strip() for row in ticket.decode_rows])})


def _with_output(task: Task, row: Row, fields: Row) -> Row:
    """`row` plus the output; a gold label moves to ``gold``, where evaluation looks for it."""
    kept = dict(row)
    if task.output in kept and task.output == task.target and task.output in fields:
        kept["gold"] = kept.pop(task.output)
    return {**kept, **fields}


def _with_whole_characters(task: Task, row: Row) -> Row:
    """`row` with surrogates joined in its inputs: no file can hold them, and offsets count them as one character."""
    texts = {field.name: row[field.name] for field in task.inputs if isinstance(row.get(field.name), str)}
    return {**row, **{name: join_surrogates(text) for name, text in texts.items()}}
