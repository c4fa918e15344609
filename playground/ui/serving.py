"""Serving the page: addresses, limits, and what is switched off so that nothing leaks."""

import importlib.util
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground import settings
from playground.access import OWNER
from playground.adapters.report_page import PARTS_STYLE
from playground.backbones.release import share_heaps
from playground.engine.startup import EngineLoader
from playground.engine.zerogpu import is_zerogpu
from playground.training import hub_keeper, runs
from playground.ui import theme, uploads
from playground.ui.page import create_page
from playground.ui.visitors import VisitorCookie, Visitors

EVERYWHERE = "0.0.0.0"  # noqa: S104 - only on a Space or when the person asks for it
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing."""
FOREIGN_SITES = ("cross-site", "same-site")
"""What browsers call pages of other hosts, where the address is https."""
NUM_SESSIONS_KEPT = 200
"""Each one holds what its events have shown; an untouched one takes 0.07 MB."""
NUM_THREADS = 2 * settings.MAX_WAITING_REQUESTS
"""A request holds one while it waits for the engine, which says when too many do. Gradio's own 40 are fewer than the
engine takes, so that long requests would keep short ones out."""
KEEP_ALIVE_S = 75
"""How long an idle connection stays open. After uvicorn's own 5 s, about what a person thinks, it often ends just when
the next request is on its way, and programs take that for an error."""
CONTENT_POLICY = (
    "img-src 'self' data: blob:; media-src 'self' data: blob:; form-action 'self'; object-src 'none'; base-uri 'self'"
)
"""Text written by a model may hold pictures and forms; they must not reach other servers."""


def serve(host: str | None = None, port: int | None = None, *, backbone_id: str | None = None) -> None:
    """Starts loading the backbone and serves the page until the process is stopped."""
    share_heaps()
    say_progress()
    _spare_work_per_request()
    settings.check_limits()
    if host:
        os.environ["HOST"] = host
    visitors = Visitors() if settings.is_shared() else None
    if visitors:
        visitors.recognise()
    loader = EngineLoader(backbone_id or settings.backbone_id(), "auto")
    loader.start()
    hub_keeper.start()
    runs.keep_recovering()
    uploads.keep_sweeping()
    if is_zerogpu():
        # There, weights must be in place before the page is launched.
        loader.wait()
    page = create_page(loader, visitors)
    page.launch(**launch_options(default_host(), port or default_port(), visitors), prevent_thread_lock=True)
    page.server.config.timeout_keep_alive = KEEP_ALIVE_S
    page.block_thread()


def _spare_work_per_request() -> None:
    """Switches off what Gradio does for each request and nobody here needs; with many visitors that took most of the
    one thread that serves them all.
    """
    # Statistics over all requests so far, after each one.
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(sys.maxsize)
    # A look through all folders of packages for matplotlib, twice for each piece of an answer; None says at once that
    # there is none.
    if importlib.util.find_spec("matplotlib") is None:
        sys.modules["matplotlib"] = None  # type: ignore[assignment]
    # A thread that computes gives way to one that answers ten times as soon.
    sys.setswitchinterval(0.0005)


def say_progress() -> None:
    """Shows what the product logs, such as the conversion's progress, in the terminal."""
    logger = logging.getLogger("playground")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def default_host() -> str:
    """``HOST`` or ``GRADIO_SERVER_NAME``; else everywhere on a Space and only this machine elsewhere."""
    is_chosen = os.environ.get("HOST") or os.environ.get("GRADIO_SERVER_NAME")
    return settings.host() if is_chosen or not settings.on_space() else EVERYWHERE


def default_port() -> int | None:
    """``PORT`` or ``GRADIO_SERVER_PORT``; None takes the first free one from 7860 on."""
    chosen = os.environ.get("PORT") or os.environ.get("GRADIO_SERVER_PORT")
    return int(chosen) if chosen else None


def launch_options(host: str, port: int | None, visitors: Visitors | None = None) -> dict[str, Any]:
    """Arguments of ``gr.Blocks.launch``; for `visitors`, see `create_page`."""
    return {
        "server_name": host,
        "server_port": port,
        "theme": theme.theme(),
        "css_paths": [theme.STYLE_PATH, PARTS_STYLE],
        "head": theme.head(),
        "footer_links": ["api"],
        "app_kwargs": {"middleware": middleware(host, visitors), "openapi_url": None},
        "max_file_size": settings.MAX_UPLOAD_BYTES,
        "max_threads": NUM_THREADS,
        "state_session_capacity": NUM_SESSIONS_KEPT,
        "show_error": False,
        "run_history": False,
        "enable_monitoring": False,
        "share": False,
        "ssr_mode": False,
    }


def middleware(host: str, visitors: Visitors | None = None) -> list[Middleware]:
    """No foreign origins anywhere; on this machine no foreign host names either, against DNS rebinding."""
    hosts = allowed_hosts(host)
    return [
        Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
        Middleware(OwnPages, hosts=hosts),
        Middleware(CORSMiddleware, allow_origins=[]),
        Middleware(uploads.BodyLimit, who=visitors.person_in if visitors else lambda _: OWNER),
        Middleware(ContentPolicy),
        *([Middleware(VisitorCookie)] if settings.is_shared() else []),
    ]


def allowed_hosts(host: str) -> Sequence[str]:
    """``PLAYGROUND_ALLOWED_HOSTS`` (with commas), else loopback names when only this machine is served."""
    chosen = os.environ.get("PLAYGROUND_ALLOWED_HOSTS")
    if chosen:
        return [name.strip() for name in chosen.split(",") if name.strip()]
    return settings.LOOPBACK_NAMES if host in settings.LOOPBACK_NAMES else ("*",)


class OwnPages:
    """Refuses what pages of other hosts send. Browsers ask nobody before they send a form, files in it included."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS or self._is_ours(Headers(scope=scope)):
            await self.app(scope, receive, send)
        else:
            refusal = PlainTextResponse("Requests from pages of other hosts are refused.", status_code=403)
            await refusal(scope, receive, send)

    def _is_ours(self, headers: Headers) -> bool:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if "*" in self.hosts or origin is None:
            # Whatever the page's own name is, browsers say whose page asks; programs say nothing.
            return site not in FOREIGN_SITES
        host = urlsplit(origin).hostname or ""
        return any(name == host or (name[:2] == "*." and host.endswith(name[1:])) for name in self.hosts)


class ContentPolicy:
    """Adds the page's content security policy to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = CONTENT_POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
            await send(message)

        await self.app(scope, receive, with_policy)
