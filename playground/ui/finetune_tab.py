"""The Fine-tune tab: from rows to an adapter. A worker does it; the page only starts, watches and stops it."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import Block

from playground import access
from playground.engine.startup import EngineLoader
from playground.errors import InputError, PlaygroundError
from playground.training import runs
from playground.training.run_files import RESUMABLE, RunState
from playground.types import Stream
from playground.ui import finetune_form, finetune_run, finetune_try, render, report_panel
from playground.ui.events import QUIET
from playground.ui.notices import Updates, guarded, sentence_of

SECONDS_BETWEEN_LOOKS = 1.5
GONE = "gone"
"""Stage of a run that is not there any more."""
STORAGE_KEY = "polyglot-playground-run"
STORAGE_SECRET = "polyglot-playground"  # noqa: S105 - guards nothing; fixed, so that it outlives a restart
LEAD = (
    "Teach the backbone your task with a file of examples. The training runs by itself: you may reload or close this "
    "page and come back."
)
log = logging.getLogger(__name__)
PRIVATE: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "once"}


@dataclass(frozen=True)
class RunPanel:
    area: gr.Column
    head: gr.HTML
    progress: gr.HTML
    notice: gr.HTML
    plot: gr.LinePlot
    pause: gr.Button
    keep: gr.Button
    discard: gr.Button
    sure: gr.Button
    go_on: gr.Button
    resume: gr.Button
    restart: gr.Button
    fresh: gr.Button
    samples: gr.HTML
    result: gr.HTML


@dataclass(frozen=True)
class FinetuneTab:
    """The tab, and what lives outside it because closed tabs are not alive in the browser."""

    refusal: gr.HTML
    """Why nothing can be trained here, where that is so."""
    form: finetune_form.Form
    panel: RunPanel
    box: finetune_try.TryBox
    report: report_panel.ReportPanel
    run_key: gr.BrowserState
    """Id of the run that this browser watches."""
    seen: gr.Textbox
    """Signature of what is shown, so that nothing is sent twice. It is the browser's, and hidden, so that what was lost
    on the way is sent again."""
    stage: gr.Textbox
    """The stage that the run has come to; all parts are shown anew whenever this changes. Nobody sees it, but browsers
    tell of its change, as they do not of a `gr.State` that an event without queue changed."""
    timer: gr.Timer

    @property
    def outputs(self) -> list[Block]:
        panel, box = self.panel, self.box
        shown = [getattr(panel, name) for name in RunPanel.__dataclass_fields__]
        own = [self.refusal, self.run_key, self.seen, self.timer, self.form.area, self.form.notice]
        return [*own, *shown, box.area, *box.fields, box.ask, box.answer, *self.report.outputs]

    @property
    def moving(self) -> list[Block]:
        """What changes within a stage of the run."""
        panel = self.panel
        return [self.seen, panel.head, panel.progress, panel.plot, panel.samples]


def build(loader: EngineLoader) -> FinetuneTab:
    """The tab; `follow` has to be called outside the tabs for the same page."""
    run_key = gr.BrowserState(None, storage_key=STORAGE_KEY, secret=STORAGE_SECRET, render=False)
    seen, stage = (gr.Textbox("", visible="hidden", render=False) for _ in range(2))
    timer = gr.Timer(SECONDS_BETWEEN_LOOKS, active=False, render=False)
    with gr.Tab("Fine-tune", id="finetune"):
        gr.HTML(f'<p class="pg-lead">{LEAD}</p>')
        refusal = gr.HTML(elem_id="finetune-refusal")
        form = finetune_form.build()
        with gr.Column(visible=False, elem_id="finetune-run") as area:
            panel = _panel(area)
            box = finetune_try.build()
            report = report_panel.build("finetune-report")
    tab = FinetuneTab(refusal, form, panel, box, report, run_key, seen, stage, timer)
    finetune_form.wire(form, loader)
    finetune_try.wire(box, loader, run_key)
    report_panel.wire(report, [run_key], lambda _, run_id: finetune_run.reported(runs.read_run(run_id or "")))
    _wire_start(tab, loader)
    _wire_stop(tab)
    _wire_again(tab)
    return tab


def follow(page: gr.Blocks, tab: FinetuneTab) -> None:
    """Finds the run of this browser or of ``?run=`` again and watches it; call it outside the tabs."""
    unseen: list[Block] = [tab.run_key, tab.seen, tab.stage, tab.timer]
    for part in unseen:
        part.render()

    def arrive(stored: str | None, request: gr.Request) -> Updates:
        linked = request.query_params.get("run")
        if not linked and not stored:
            return {tab.seen: "", **_allowed(tab)}
        try:
            return _allowed(tab) | shown(tab, runs.read_run(linked or stored or ""), is_new=True)
        except InputError as err:
            return nothing_shown(tab) | {tab.form.notice: render.problem(str(err)) if linked else ""}

    def look(run_id: str | None, seen: str, told: str) -> Updates:
        try:
            state = runs.read_run(run_id or "")
        except InputError:
            return {tab.stage: _changed(told, GONE)}
        if not finetune_run.is_of_stage(seen, state):
            return {tab.stage: _changed(told, finetune_run.stage(state))}
        return {tab.seen: gr.skip()} if finetune_run.signature(state) == seen else moved(tab, state)

    def show_stage(run_id: str | None) -> Updates:
        try:
            return shown(tab, runs.read_run(run_id or ""))
        except InputError as err:
            return nothing_shown(tab) | {tab.form.notice: render.problem(str(err))}

    page.load(arrive, tab.run_key, tab.outputs, **QUIET)
    # A browser takes a third of a second for all parts, of the time of a processor that may be training.
    tab.timer.tick(look, [tab.run_key, tab.seen, tab.stage], [tab.stage, *tab.moving], **QUIET)
    tab.stage.change(show_stage, tab.run_key, tab.outputs, trigger_mode="once", **QUIET)


def _changed(told: str, stage: str) -> str:
    """`stage`, told so that it changes what the browser was `told` before, in case it did not ask for the parts."""
    return f"{stage}, again" if told == stage else stage


def _panel(area: gr.Column) -> RunPanel:
    head, progress, notice = gr.HTML(), gr.HTML(elem_id="finetune-progress"), gr.HTML()
    plot = gr.LinePlot(
        x="step",
        y="loss",
        x_title="Step",
        y_title="Loss",
        # All of it from the beginning: what comes with a later update, the browser draws without its curve.
        color="of",
        color_title="Loss on",
        color_map=finetune_run.CURVES,
        label="Loss",
        show_label=False,  # it would push the legend out of the box; the axis says it
        height=320,
        visible=False,
        elem_id="finetune-loss",
    )
    with gr.Row(elem_classes="pg-actions"):
        pause = gr.Button("Pause", elem_id="finetune-pause")
        keep = gr.Button("Stop and keep")
        discard = gr.Button("Discard", variant="stop")
        sure = gr.Button("Discard for good", variant="stop", visible=False)
        go_on = gr.Button("Go on", visible=False)
        resume = gr.Button("Resume", variant="primary", visible=False, elem_id="finetune-resume")
        restart = gr.Button("Start again with the same rows", visible=False)
        fresh = gr.Button("Train another adapter", visible=False)
    samples = gr.HTML(elem_id="finetune-samples")
    result = gr.HTML(elem_id="finetune-result")
    return RunPanel(
        area, head, progress, notice, plot, pause, keep, discard, sure, go_on, resume, restart, fresh, samples, result
    )


def moved(tab: FinetuneTab, state: RunState) -> Updates:
    """How far the run is by now."""
    panel = tab.panel
    return {
        tab.seen: finetune_run.signature(state),
        panel.head: finetune_run.headline(state),
        panel.progress: finetune_run.progress(state),
        panel.plot: gr.LinePlot(
            value=finetune_run.curve(state),
            x_lim=[0, state.step.get("steps")],
            visible=len(state.losses) > 1,  # of a single point nothing is drawn
        ),
        panel.samples: finetune_run.samples(state),
    }


def shown(tab: FinetuneTab, state: RunState, *, is_new: bool = False) -> Updates:
    """The page with this run on it."""
    panel = tab.panel
    updates: Updates = {
        **moved(tab, state),
        tab.run_key: state.run_id,
        tab.timer: gr.Timer(active=state.is_active),
        tab.form.area: gr.Column(visible=False),
        panel.area: gr.Column(visible=True),
        panel.resume: gr.Button(visible=runs.can_resume(state), interactive=True),
        panel.restart: gr.Button(visible=state.state in RESUMABLE, interactive=True),
        panel.fresh: gr.Button(visible=not state.is_active),
        panel.result: finetune_run.result(state),
        **finetune_try.shown(tab.box, state, is_new=is_new),
        **_report(tab, state),
    }
    if is_new:
        updates |= {panel.notice: "", **_asked(panel, is_asked=False)}
    if state.state == "evaluating":
        updates[panel.keep] = gr.Button("Skip the measuring", visible=True, interactive=True)
        updates[panel.pause] = gr.Button(visible=False)
    elif state.is_active:
        pressable: dict[str, Any] = {"interactive": True} if is_new else {}
        # While it waits there is nothing to keep.
        updates[panel.keep] = gr.Button("Stop and keep", visible=state.state == "running", **pressable)
        updates[panel.pause] = gr.Button(visible=True, **pressable)
    else:
        stopping = (panel.pause, panel.keep, panel.discard, panel.sure, panel.go_on)
        updates |= {part: gr.Button(visible=False) for part in stopping}
        updates[panel.notice] = ""
    return updates


def _report(tab: FinetuneTab, state: RunState) -> Updates:
    if state.is_active or not state.report:
        return report_panel.closed(tab.report)
    try:
        return report_panel.opened(tab.report, finetune_run.reported(state), is_open=False)
    except PlaygroundError as err:
        # The result above says so where the adapter is gone; runs of earlier versions have no report.
        log.info("The report of run %s is not shown: %s", state.run_id, err)
        return report_panel.closed(tab.report)


def nothing_shown(tab: FinetuneTab) -> Updates:
    """The page without any run: the form."""
    return {
        tab.run_key: None,
        tab.seen: "",
        tab.timer: gr.Timer(active=False),
        tab.panel.area: gr.Column(visible=False),
        **_allowed(tab),
    }


def _allowed(tab: FinetuneTab) -> Updates:
    """The form for those who may train; the others read why they may not."""
    problem = access.problem()
    return {
        tab.refusal: render.hint(problem) if problem else "",
        tab.form.area: gr.Column(visible=not problem),
    }


def _wire_start(tab: FinetuneTab, loader: EngineLoader) -> None:
    form = tab.form

    def start(*values: Any) -> Stream[Updates]:
        yield {form.outcome: render.working("Starting…")}
        config = form.configured(loader.backbone_id, values)
        run_id = runs.start_run(config, Path(config.data))
        yield shown(tab, runs.read_run(run_id), is_new=True) | {form.outcome: ""}

    form.start.click(guarded(start, form.outcome), form.choices, [*tab.outputs, form.outcome], **PRIVATE)


def _asked(panel: RunPanel, *, is_asked: bool) -> Updates:
    """Whether the person is being asked if the run is really to be thrown away."""
    return {
        panel.discard: gr.Button(visible=not is_asked),
        panel.sure: gr.Button(visible=is_asked, interactive=True),
        panel.go_on: gr.Button(visible=is_asked),
    }


def _wire_stop(tab: FinetuneTab) -> None:
    panel = tab.panel

    def stop(run_id: str | None, *, keep: bool) -> Updates:
        try:
            runs.stop_run(run_id or "", keep=keep)
        except PlaygroundError as err:
            return {panel.notice: render.problem(sentence_of(err))}
        sentence = "Stopping; what was learnt is kept." if keep else "Stopping; nothing will be kept."
        pressed = panel.keep if keep else panel.sure
        return {panel.notice: render.info(sentence), pressed: gr.Button(interactive=False)}

    def pause(run_id: str | None) -> Updates:
        try:
            runs.pause_run(run_id or "")
        except PlaygroundError as err:
            return {panel.notice: render.problem(sentence_of(err))}
        return {panel.notice: render.info("Pausing after the present step."), panel.pause: gr.Button(interactive=False)}

    outputs = [panel.notice, panel.keep, panel.sure]
    panel.pause.click(pause, tab.run_key, [panel.notice, panel.pause], **QUIET)
    questions = [panel.discard, panel.sure, panel.go_on]
    panel.keep.click(lambda run_id: stop(run_id, keep=True), tab.run_key, outputs, **QUIET)
    panel.discard.click(lambda: _asked(panel, is_asked=True), outputs=questions, **QUIET)
    panel.go_on.click(lambda: _asked(panel, is_asked=False), outputs=questions, **QUIET)
    panel.sure.click(lambda run_id: stop(run_id, keep=False), tab.run_key, outputs, **QUIET)


def _wire_again(tab: FinetuneTab) -> None:
    panel = tab.panel

    def restart(run_id: str | None) -> Stream[Updates]:
        yield {panel.notice: render.working("Starting…")}
        yield shown(tab, runs.read_run(runs.restart_run(run_id or "")), is_new=True)

    def resume(run_id: str | None) -> Stream[Updates]:
        yield {panel.notice: render.working("Resuming…")}
        runs.resume_run(run_id or "")
        yield shown(tab, runs.read_run(run_id or ""), is_new=True)

    panel.resume.click(guarded(resume, panel.notice), tab.run_key, tab.outputs, **PRIVATE)
    panel.restart.click(guarded(restart, panel.notice), tab.run_key, tab.outputs, **PRIVATE)
    panel.fresh.click(lambda: nothing_shown(tab), outputs=tab.outputs, **QUIET)
