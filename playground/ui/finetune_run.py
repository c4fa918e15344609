"""A run as the page shows it. Pure functions from `RunState` to HTML and numbers."""

from collections.abc import Mapping
from html import escape
from typing import Any

from playground.adapters import store
from playground.adapters.card import fix_words, update_words
from playground.adapters.report_view import advice, before, cell, interval_of, overview_table, title, verdict
from playground.errors import AdapterError, InputError
from playground.tasks import get_task
from playground.training.run_files import TRAINING, RunState
from playground.ui import finetune_doctor, languages, render
from playground.ui.adapter_card import try_link
from playground.ui.reported import Reported

NO_BASE = "The base has nothing to say about these labels, so there is nothing to compare with."
NUM_LANGUAGES_SHOWN = 12
SAMPLES_TITLE = "What it answers on the way"
SAMPLES_LEAD = "On rows that it does not learn from, the newest answer first."
BADGES = {"evaluating": "measuring"}
"""States of a run that the page calls otherwise."""
LEARNT_FROM, HELD_BACK = "rows learnt from", "rows held back"
CURVES = {LEARNT_FROM: "#0f766e", HELD_BACK: "#c2410c"}
"""Colours of the curves of the loss."""


def headline(state: RunState) -> str:
    """Which adapter, on how many rows, and where to find this run again."""
    title = escape(get_task(state.config.task).title)
    name = f"<bdi>{escape(state.config.name)}</bdi>"
    head = f'<h3>{title} · {name} <span class="pg-badge">{escape(BADGES.get(state.state, state.state))}</span></h3>'
    words = [f"preset {state.config.preset}", f"quantization {state.config.quantization}"]
    material = state.material
    if material:
        words += [f"{material['training_rows']:,} rows to learn from", f"{material['held_out_rows']:,} held out"]
        words += [f"{material['num_rejected']:,} set aside"] if material["num_rejected"] else []
        leaking = material.get("duplicates", 0)
        words += [f"{leaking:,} left out for being like one held out"] if leaking else []
        words += [fix_words(fix, count) for fix, count in material.get("fixes", {}).items()]
        words += [f"split: {material['split']}"] if material.get("split") else []
        words += [f"{len(material['labels']):,} labels"] if state.config.task in ("sentiment", "classify") else []
    if state.truncated_rows:
        words.append(f"{state.truncated_rows:,} long {'row' if state.truncated_rows == 1 else 'rows'} shortened")
    link = f'<a href="?run={escape(state.run_id)}">link to this run</a>'
    notes = "".join(map(render.hint, state.notes))
    return f'{head}<p class="pg-lead">{escape(" · ".join(words))} · {link}</p>{notes}'


def progress(state: RunState) -> str:
    """What is going on, in one line with a bar; how it ended, once it has."""
    if state.state == "waiting":
        return render.working(state.message)
    if not state.is_active:
        tell = {"failed": render.problem, "interrupted": render.problem}.get(state.state, render.info)
        return tell(state.message)
    line = pace(state) if state.state == "running" and state.fraction is not None and state.step else state.message
    if state.fraction is None:
        return render.working(f"{line}…")
    return render.progress(state.fraction, line) + details(state)


def pace(state: RunState) -> str:
    """``Training: step 40 of 300 · loss 0.62 · 812 tokens/s · about 3 min left, then it is measured``."""
    step = state.step
    coming = "then it is measured" if state.message == TRAINING else "then it learns the task"
    return (
        f"{state.message}: step {step['step']:,.0f} of {step['steps']:,.0f} · loss {step['loss']:.3f} · "
        f"{step['tokens_per_s']:,.0f} tokens/s · {duration(step['eta_s'])} left, {coming}"
    )


def details(state: RunState) -> str:
    """``learning rate 4.2e-04 · gradient norm 1.31 · 3,331 MB of memory · loss 0.52 on rows held back``."""
    step = state.step
    if state.state != "running" or "learning_rate" not in step:
        return ""
    words = [f"learning rate {step['learning_rate']:.1e}", f"gradient norm {step['gradient_norm']:.2f}"]
    words += [f"{step['memory_mb']:,.0f} MB of memory"] if "memory_mb" in step else []
    words += [f"loss {state.checks[-1][1]:.3f} on rows held back"] if state.checks else []
    return f'<p class="pg-lead">{" · ".join(words)}</p>'


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(seconds, 1):.0f} s"
    if seconds < 90 * 60:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"


def curve(state: RunState) -> dict[str, Any]:
    """Steps and losses as the line plot takes them."""
    points: list[tuple[int, float | None, str]] = [(step, loss, LEARNT_FROM) for step, loss in state.losses]
    points += [(step, loss, HELD_BACK) for step, loss in state.checks]
    if state.material.get("stops_early") and not state.checks:
        # Browsers ask for the names of the curves once only; a point without a loss is not drawn.
        points.append((0, None, HELD_BACK))
    return {
        "columns": ["step", "loss", "of"],
        "data": [list(point) for point in points],
        "datatypes": {"step": "quantitative", "loss": "quantitative", "of": "nominal"},
        "mark": "line",
    }


def samples(state: RunState) -> str:
    """The rows that are answered on the way, each with its answers, the newest first; empty before the first."""
    if not state.samples:
        return ""
    rows = "".join(_sample(state, row) for row in state.samples[-1]["rows"])
    return f'<section class="pg-result"><h3>{SAMPLES_TITLE}</h3><p class="pg-lead">{SAMPLES_LEAD}</p>{rows}</section>'


def _sample(state: RunState, row: Mapping[str, str]) -> str:
    answers = [
        (f"{sample['step']:,}", other["answer"])
        for sample in reversed(state.samples)
        for other in sample["rows"]
        if other["input"] == row["input"]
    ]
    right = f'<dl class="pg-answers"><dt>Right</dt><dd dir="auto">{escape(row["expected"])}</dd></dl>'
    asked = f'<div class="pg-text" dir="auto">{escape(row["input"])}</div>'
    return asked + right + render.table(("Step", "Answer"), answers)


def result(state: RunState) -> str:
    """The base beside the adapter, once it is measured, and where to use it; empty while there is none to use."""
    if state.adapter is None or not state.has_usable_adapter:
        return ""
    parts = [_comparison(state.report), finetune_doctor.suspects(state.report)] if state.report else []
    parts += [f'<p class="pg-lead">{escape(state.reloaded)}.</p>'] if state.reloaded else []
    try:
        record = store.find(state.config.task, state.adapter)
        link = try_link(record, "Try it now in the tab {tab}")
    except AdapterError as err:
        return "".join([*parts, render.problem(str(err))])
    size = update_words(record.training)
    parts += [f'<p class="pg-lead">Size of its update: {escape(size)}.</p>'] if size else []
    here = '<p class="pg-lead">Or right here:</p>' if link else '<p class="pg-lead">Try it now:</p>'
    return "".join([*parts, link, here])


def reported(state: RunState) -> Reported:
    """The run's adapter; who knows the address of the run may see its rows.

    Raises:
        PlaygroundError: there is none (any more).
    """
    if state.adapter is None:
        raise InputError("This run has no adapter to report on.")
    record = store.find(state.config.task, state.adapter)
    # Another adapter may have the name by now.
    return Reported(record, shows_rows=record.training.get("run") == state.config.run)


def _comparison(report: dict[str, Any]) -> str:
    header, *lines = overview_table(report)
    hint = "" if report["base"] else render.hint(NO_BASE)
    if not report["base"]:
        header, *lines = ([name, adapter] for name, _, adapter, _ in (header, *lines))
    # Runs of earlier versions were not tested and have no curve.
    words = [*verdict(report), *advice(report)] if "difference" in report else []
    said = "".join(f'<p class="pg-verdict">{escape(line)}</p>' for line in words)
    lead = '<p class="pg-lead">In brackets: 95 % interval; with few rows it is wide.</p>'
    head = f"<h3>{title(report)} on {report['n']:,} held-out rows</h3>{hint}{said}{lead}"
    return f'<section class="pg-result">{head}{render.table(header, lines)}{_languages(report)}</section>'


def _languages(report: dict[str, Any]) -> str:
    found = sorted(report.get("per_language", {}).items(), key=lambda item: -item[1]["n"])
    if len(found) < 2:
        return ""
    lines = [
        (
            languages.spelled_out(language.split("-")),
            str(scores["n"]),
            "-" if scores["base"] is None else f"{scores['base']:.1f}",
            cell(scores["adapter"], interval_of(scores)),
        )
        for language, scores in found[:NUM_LANGUAGES_SHOWN]
    ]
    return render.table(("Language", "Rows", before(report), "Adapter"), lines)


def stage(state: RunState) -> str:
    """Another one whenever other parts of the page are to be shown."""
    return f"{state.run_id} {state.state} {bool(state.report)}"


def is_of_stage(seen: str, state: RunState) -> bool:
    """Whether the signature `seen` is one of the present stage."""
    return seen.startswith(f"{stage(state)} ")


def signature(state: RunState) -> str:
    """Another one whenever there is something new to show in the same parts."""
    news = (
        state.step.get("step"),
        state.fraction,
        state.message,
        bool(state.material),
        len(state.notes),
        len(state.samples),
    )
    return f"{stage(state)} {news}"
