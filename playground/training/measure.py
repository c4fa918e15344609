"""Base against adapter on held-out rows: what a run ends with, and what ``adapters measure`` does again."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from playground.adapters.card import card
from playground.adapters.record import CARD_FILE, REPORT_FILE, AdapterRecord, hash_files, replace_file, write_record
from playground.adapters.report import save_page, save_report, save_rows
from playground.backbones.loading import automatic_quantization, load
from playground.data.text import excerpt
from playground.engine.engine import Engine
from playground.engine.predict import predict_many
from playground.errors import Cancelled
from playground.evaluation.baselines import trivial_predictions
from playground.evaluation.learning_curve import learning_curve
from playground.evaluation.metrics import Scores, by_language, row_language, rows_by_language, score
from playground.evaluation.report import compare, row_details
from playground.evaluation.suspects import suspicious_labels
from playground.tasks import Task, get_task
from playground.tasks.guess import label_ending, shots_of
from playground.tasks.windows import tokenize
from playground.training.calibrate import fit_decision
from playground.types import Row

Emit = Callable[[dict[str, Any]], None]
"""Receives events: ``{"event": name, ...}``, JSON-able."""
StopWish = Literal["", "pause", "keep", "discard"]
SKIPPED = "The run was stopped while it was measured; the adapter is saved without figures."
MIN_LANGUAGE_ROWS = 5
"""A language with fewer measured rows gets no figure of its own."""


def describe(record: AdapterRecord, folder: Path, report: Mapping[str, Any] | None = None) -> None:
    """Writes the card made from the record and its report, then the record: with that, all is there."""
    replace_file(folder / CARD_FILE, card(record, report).encode())
    write_record(record, folder)


def add_report(record: AdapterRecord, report: Mapping[str, Any], rows: Sequence[Row]) -> AdapterRecord:
    """Writes report, record and card; returns the record with the report among its files.

    Args:
        rows: what `row_details` gives; shipped adapters, which everybody gets, leave them out.
    """
    unreported = {name: digest for name, digest in record.files.items() if name != REPORT_FILE}
    # At no moment does the record vouch for another report than the one that lies there.
    write_record(replace(record, files=unreported), record.path)
    save_report(report, record.path)
    if record.origin == "own":
        save_rows(rows, record.path)
    reported = replace(record, files=unreported | hash_files(record.path, (REPORT_FILE,)))
    save_page(reported, record.path)
    describe(reported, record.path, report)
    return reported


def measure(
    record: AdapterRecord,
    held_out: Sequence[Row],
    emit: Emit,
    stop_wish: Callable[[], StopWish],
    *,
    examples: Sequence[Row] = (),
    spare: Sequence[Row] = (),
    data: str = "",
    command: str = "",
    base_rows: int | None = None,
    smaller: Sequence[tuple[int, AdapterRecord]] = (),
    no_curve: str = "",
    parent: AdapterRecord | None = None,
) -> AdapterRecord:
    """Compares base and adapter on the same held-out rows and writes the figures into report, record and card.

    The event ``report`` compares the two on the rows that both have done; the adapter's figures in the record, and the
    trivial answer's beside them, are on all.

    Args:
        examples: the rows that were trained on, of which the base is shown a few where the labels are not the task's
            own.
        spare: other rows, on which the adapter is calibrated before.
        data: what the rows are, where they do not come from the adapter's own data.
        command: what measures the same again, where training does not.
        base_rows: at most so many rows are given to the base, which reads a long prompt for each; 0 leaves it out,
            None gives it all.
        smaller: adapters that learnt from fewer rows, and how many these were: with them, the report says what more
            rows are worth.
        no_curve: why there are no such adapters, in a sentence.
        parent: the adapter that this one goes on from, which then takes the place of the base.
    """
    task = get_task(record.task)
    emit({"event": "phase", "phase": "evaluating", "message": f"Measuring on {len(held_out)} held-out rows"})
    if note := unlearnt_labels(record, held_out):
        emit({"event": "note", "message": note})
    engine = Engine(load(record.backbone["id"], automatic_quantization(), lambda *_: None))
    try:
        decision = fit_decision(engine, record, spare, lambda: stop_wish() == "discard")
        record = replace(record, decision={**record.decision, **decision})
        inputs = [without_target(task, row) for row in held_out]
        tuned = _predictions(engine, task, inputs, record, emit, stop_wish)
        base_task = task if parent else None if base_rows == 0 else as_base(engine, task, record.labels, examples)
        places = _balanced_places(held_out, base_rows if base_task else None)
        asked = [inputs[place] for place in places]
        base = _predictions(engine, base_task, asked, parent, emit, stop_wish) if base_task else None
        answers = [
            (rows, _predictions(engine, task, asked, replace(other, decision=record.decision), emit, stop_wish))
            for rows, other in smaller
        ]
    finally:
        engine.close()
    shared = [held_out[place] for place in places]
    both = (base, [tuned[place] for place in places])
    report = compare(task, shared, *both, against="parent" if parent else "base")
    if answers:
        report["learning_curve"] = learning_curve(task, shared, [*answers, (len(examples), both[1])])
    elif no_curve:
        report["no_learning_curve"] = no_curve
    emit({"event": "report", "report": report | {"suspicious": suspicious_labels(task, held_out, tuned)}})
    metrics: dict[str, Any] = {
        "adapter": report["adapter"] if len(shared) == len(held_out) else score(task, held_out, tuned).as_dict(),
        "by_language": _figures(by_language(task, held_out, tuned)),
        **_trivial_metrics(task, held_out),
        "data": data or f"{len(held_out)} held-out rows of {record.training.get('data', record.task)}",
    }
    if base is not None:
        by = {} if parent else {"base_by_language": _figures(by_language(task, shared, base))}
        metrics |= {report["against"]: report["base"], **by}
        metrics["difference"] = report["difference"]
    if command:
        metrics["command"] = command
    return add_report(replace(record, metrics=metrics), report, row_details(task, shared, *both))


def unlearnt_labels(record: AdapterRecord, rows: Sequence[Row]) -> str:
    """A sentence that names labels of `rows` which the adapter does not have; empty where it has all."""
    if record.shape != "classify":
        return ""
    unknown = [str(row["label"]) for row in rows if str(row["label"]) not in record.labels]
    if not unknown:
        return ""
    have = (
        "1 row to measure on has a label" if len(unknown) == 1 else f"{len(unknown):,} rows to measure on have labels"
    )
    names = excerpt(", ".join(sorted(set(unknown))), 200)
    return f"{have} that the adapter did not learn and can't give: {names}."


def _balanced_places(rows: Sequence[Row], most: int | None) -> list[int]:
    """Places of at most `most` rows, the same share of each language, always the same ones; None: of all."""
    if most is None or most >= len(rows):
        return list(range(len(rows)))
    places = random.Random(0).sample(range(len(rows)), len(rows))
    places.sort(key=lambda place: row_language(rows[place]) or "")
    return sorted(places[turn * len(rows) // most] for turn in range(most))


def _trivial_metrics(task: Task, rows: Sequence[Row]) -> dict[str, Any]:
    """Figures of the trivial answer, each language's own where it depends on the rows; empty where there is none."""
    whole = trivial_predictions(task, rows)
    if not whole:
        return {}
    title, predictions = whole
    groups = {language: [rows[place] for place in places] for language, places in rows_by_language(rows).items()}
    answers = {language: trivial_predictions(task, members) for language, members in groups.items()}
    languages = {language: score(task, groups[language], found[1]) for language, found in answers.items() if found}
    return {
        "trivial": score(task, rows, predictions).as_dict(),
        "trivial_title": title,
        "trivial_by_language": _figures(languages),
    }


def _figures(languages: Mapping[str, Scores]) -> dict[str, Any]:
    return {language: scores.as_dict() for language, scores in languages.items() if scores.n >= MIN_LANGUAGE_ROWS}


def as_base(engine: Engine, task: Task, labels: Sequence[str], examples: Sequence[Row]) -> Task | None:
    """`task` as the backbone without an adapter does it by a prompt; None when it can't.

    Labels that it has never heard of are shown to it with a few `examples`, and must be different in one line.
    """
    if not engine.backbone.can_generate:
        return None
    if task.shape != "classify" or set(labels) <= set(task.labels):
        return task
    endings = {tuple(tokenize(engine.backbone.tokenizer, label_ending(label)).ids) for label in labels}
    shots = shots_of(examples, labels)
    return replace(task, labels=tuple(labels), shots=shots) if shots and len(endings) == len(labels) else None


def _predictions(
    engine: Engine,
    task: Task,
    rows: Sequence[Row],
    adapter: AdapterRecord | None,
    emit: Emit,
    stop_wish: Callable[[], StopWish],
) -> list[Row]:
    found: list[Row] = []
    told = {"event": "evaluated", "of": "adapter" if adapter else "base", "all": len(rows)}
    emit(told | {"rows": 0})  # the first rows of a base that chooses among many labels take minutes
    for index, prediction in predict_many(engine, task, rows, adapter, batch_rows=16):
        if prediction.done:
            found.append(prediction.row)
        if prediction.done and index % 16 == 0:
            emit(told | {"rows": index + 1})
        if stop_wish() == "discard":
            raise Cancelled(SKIPPED)
    return found


def without_target(task: Task, row: Row) -> Row:
    """`row` as a person would give it who does not know the answer."""
    return {key: value for key, value in row.items() if key != task.target}
