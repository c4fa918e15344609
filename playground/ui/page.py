"""The page: assembles the tabs, nothing else."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from playground import settings
from playground.engine.startup import EngineLoader
from playground.tasks import list_tasks
from playground.ui import about_tab, adapters_tab, chat_tab, endpoints, finetune_tab, status, task_tab, uploads
from playground.ui.blocks import Page
from playground.ui.task_tab import TaskTab
from playground.ui.visitors import Visitors

ANSWERS_AT_ONCE = 8
"""Of each button, over all visitors; the engine decides what really runs together."""


def create_page(loader: EngineLoader, visitors: Visitors | None = None) -> gr.Blocks:
    """The page for the engine that `loader` loads; it can be served before the engine is ready.

    Args:
        visitors: who tells people apart where many share the page; None: there is the owner alone.
    """
    page = Page(title=status.TITLE, analytics_enabled=False, delete_cache=(uploads.SWEEP_EVERY_S, uploads.KEEP_FILES_S))
    with page:
        status.build(page, loader)
        with gr.Tabs(elem_id="tabs") as tabs:
            opened = [chat_tab.build(loader)]
            opened += [task_tab.build(task, loader) for task in list_tasks() if task.has_tab]
            tuning = finetune_tab.build(loader)
            adapters_tab.build(loader)
            about_tab.build(loader, visitors)
        finetune_tab.follow(page, tuning)
        endpoints.register(loader)
        _open_links(page, tabs, opened)
    page.queue(max_size=settings.MAX_WAITING_REQUESTS, default_concurrency_limit=ANSWERS_AT_ONCE, api_open=False)
    return page


def _open_links(page: gr.Blocks, tabs: gr.Tabs, opened: Sequence[TaskTab]) -> None:
    """``?tab=sentiment&adapter=sentiment/reviews`` opens that tab with that adapter, ``?run=`` the Fine-tune tab; a
    visit re-reads the pickers.
    """

    def arrive(request: gr.Request) -> list[Any]:
        wanted = request.query_params.get("tab") or ("finetune" if "run" in request.query_params else None)
        adapter = request.query_params.get("adapter")
        known = {item.tab.id for item in opened} | {"finetune", "adapters", "about"}
        pickers = [item.opened(adapter if item.tab.id == wanted else None) for item in opened]
        return [gr.Tabs(selected=wanted) if wanted in known else gr.skip(), *pickers]

    page.load(
        arrive,
        outputs=[tabs, *(item.picker for item in opened)],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
