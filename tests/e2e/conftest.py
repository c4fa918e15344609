"""The real app in a process of its own on the embedded backbone, and a browser that watches what a page does."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from gradio_client import Client
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response, expect, sync_playwright

from playground import settings

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
ADDRESS = re.compile(r"Running on local URL:\s+(http://\S+)")
READY = "The backbone is ready"
START_S = 300.0
"""Long enough for the conversion of the backbone on a slow, busy machine."""
ANSWER_MS = 120_000
"""Longest wait for one answer; other work may be using the processor."""
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 390, "height": 844}
LOCAL_SCHEMES = ("data", "blob")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)


@dataclass(frozen=True)
class Server:
    address: str
    home: Path
    """Its PLAYGROUND_HOME."""
    log: Path


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Folder for what a run leaves to look at: the server's log and pictures of the page."""
    folder = settings.REPOSITORY / "artefacts"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Iterator[Server]:
    """``python app.py`` with a home of its own, once its backbone is ready.

    Set up before the first test that needs it, so before that test's own environment: the converted backbone is the
    one that all homes share, and it is made once on a machine.
    """
    home, log = tmp_path_factory.mktemp("server"), artefacts / "server.log"
    places = {
        "PLAYGROUND_HOME": str(home),
        "PLAYGROUND_BACKBONES": str(settings.backbone_cache()),
        "GRADIO_TEMP_DIR": str(home / "uploads"),
        "PORT": str(_free_port()),
        "PYTHONUNBUFFERED": "1",
    }
    foreign = ("HOST", "SPACE_ID", "PLAYGROUND_ALLOWED_HOSTS", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT")
    environment = {name: value for name, value in os.environ.items() if name not in foreign} | places
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=settings.REPOSITORY,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        yield Server(_address_when_ready(process, log), home, log)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _address_when_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        said = log.read_text(encoding="utf-8")
        address = ADDRESS.search(said)
        if address and READY in said:
            return address.group(1)
        time.sleep(0.5)
    pytest.fail(f"The app was not ready after {START_S:.0f} s (exit {process.poll()}):\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def client(server: Server) -> Client:
    return Client(server.address, verbose=False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Only as long as one module, since Playwright's event loop keeps later tests from having their own."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing; install Debian's chromium")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield found
        found.close()


@dataclass
class Visit:
    """One visitor's page, and what went wrong on it."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.address}/{query}")
        expect(self.page.get_by_role("tab", selected=True)).to_be_visible(timeout=ANSWER_MS)

    def tab(self, title: str) -> None:
        """Selects a tab; on a narrow page it may be in the menu behind the dots."""
        tab = self.page.get_by_role("tab", name=title, exact=True).locator("visible=true")
        if not tab.count():
            self.page.locator(".overflow-menu > button").locator("visible=true").click()
            self.page.locator(".overflow-dropdown button", has_text=title).click()
        else:
            tab.first.click()
        expect(self.page.get_by_role("tabpanel").locator("visible=true").first).to_be_visible()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True).locator("visible=true")

    def result(self, task: str) -> Locator:
        return self.page.locator(f"#{task}-result")

    def run(self, task: str, action: str) -> Locator:
        """Presses the button of a task's tab and waits for the whole answer."""
        self.button(action).click()
        expect(self.result(task).locator(".pg-stats").last).to_be_visible(timeout=ANSWER_MS)
        expect(self.button(action)).to_be_enabled(timeout=ANSWER_MS)
        return self.result(task)

    def box(self, name: str) -> Locator:
        return self.page.locator(f"#{name} textarea, #{name} input").first

    def sideways_px(self) -> int:
        """How much wider the page is than its window."""
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Callable[..., Visit]]:
    """``visit(viewport=WIDE, query="", **context_options)``: a new visitor. The test fails if any of its pages logged
    an error, asked another machine for something, or got an error from the server.
    """
    visits: list[Visit] = []
    contexts = []

    def begin(query: str = "?__theme=light", viewport: dict[str, int] = WIDE, **options: Any) -> Visit:
        context = browser.new_context(viewport=viewport, locale="en-US", **options)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.address)
        context.set_default_timeout(30_000)
        contexts.append(context)
        this = Visit(context.new_page(), server.address)
        _watch(this)
        visits.append(this)
        this.open(query)
        return this

    yield begin
    complaints = [complaint for this in visits for complaint in this.complaints]
    for context in contexts:
        context.close()
    assert complaints == []


def _watch(visit: Visit) -> None:
    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            visit.complaints.append(f"console: {message.text}")

    def asked(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in LOCAL_SCHEMES and parts.hostname != "127.0.0.1":
            visit.complaints.append(f"left the machine: {request.url}")

    def answered(response: Response) -> None:
        if response.status >= 400:
            visit.complaints.append(f"{response.status}: {response.url}")

    visit.page.on("console", said)
    visit.page.on("pageerror", lambda error: visit.complaints.append(f"script: {error}"))
    visit.page.on("request", asked)
    visit.page.on("response", answered)


@pytest.fixture
def picture(artefacts: Path) -> Callable[[Visit, str], None]:
    """``picture(visit, name)`` keeps how the whole page looks now as ``artefacts/<name>.png``."""

    def take(visit: Visit, name: str) -> None:
        visit.page.screenshot(path=artefacts / f"{name}.png", full_page=True, animations="disabled")

    return take
