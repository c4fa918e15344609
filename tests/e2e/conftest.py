"""The real app in a process of its own on the embedded backbone, and a browser that watches what a page does."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from gradio_client import Client
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Frame,
    Locator,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from playground import settings
from tests.running_app import running_app

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
ANSWER_MS = 120_000  # other work may be using the processor
WIDE = {"width": 1280, "height": 900}
LOCAL_SCHEMES = ("data", "blob")
QUESTIONS = ("/gradio_api/queue/", "/gradio_api/run/", "/gradio_api/call/")
BROKEN_OFF = ("console: AbortError: signal is aborted", "console: Unexpected error Connection errored out")
"""What Gradio's scripts log of a stream of answers that is open as the page is left."""
FORGET = "() => { localStorage.clear(); sessionStorage.clear(); }"
HOSTILE = """<img src=x onerror="window.pwned=1"><script>window.pwned=2</script><form action="//evil"><b>ok</b>"""
CARRY_FILE = """([name, bytes]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([new Uint8Array(bytes)], name));
  return carried;
}"""
ENDS_BEFORE_IT_BEGINS = """part => {
  const texts = document.createTreeWalker(part, NodeFilter.SHOW_TEXT, node => node.data.trim() ? 1 : 3);
  const nodes = [];
  while (texts.nextNode()) nodes.push(texts.currentNode);
  const left = (node, at) => {
    const letter = document.createRange();
    letter.setStart(node, at);
    letter.setEnd(node, at + 1);
    return letter.getBoundingClientRect().left;
  };
  const last = nodes[nodes.length - 1];
  return left(last, last.data.trimEnd().length - 1) < left(nodes[0], nodes[0].data.search(/\\S/));
}"""
STICKING_OUT = """() => {
  const scrolls = part => part && part !== document.body
    && (["auto", "scroll"].includes(getComputedStyle(part).overflowX) || scrolls(part.parentElement));
  const parts = [...document.body.querySelectorAll("*")].filter(part => {
    const box = part.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && box.right > window.innerWidth + 1 && part.checkVisibility({
      visibilityProperty: true, opacityProperty: true,
    }) && !scrolls(part);
  });
  const named = parts.map(part => `${part.tagName}.${part.className} ${part.innerText || ""}`.slice(0, 120));
  return document.documentElement.scrollWidth > window.innerWidth ? [...named, "the page scrolls sideways"] : named;
}"""
expect.set_options(timeout=ANSWER_MS)


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
    """``python app.py`` with a home of its own, once its backbone is ready."""
    log = artefacts / f"server-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}.log"
    with serving(tmp_path_factory.mktemp("server"), log) as started:
        yield started


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory, artefacts: Path) -> Iterator[Callable[..., Server]]:
    """``start_server(name, **environment)``: a server with settings of its own, for the tests of one module."""
    with ExitStack() as stack:

        def start(name: str, **environment: str) -> Server:
            home = tmp_path_factory.mktemp(name)
            return stack.enter_context(serving(home, artefacts / f"{name}.log", **environment))

        yield start


@contextmanager
def serving(home: Path, log: Path, **chosen: str) -> Iterator[Server]:
    """``python app.py`` with `home` as its own and the environment in `chosen`, once its backbone is ready.

    For fixtures of a session or module, which are set up before a test's own environment: the converted backbone is
    the one that all homes share, and it is made once on a machine.
    """
    with running_app(home, log, **chosen) as app:
        try:
            app.wait_until_ready()
        except EOFError as gone:
            pytest.fail(str(gone))
        yield Server(app.address, home, log)


@pytest.fixture(scope="session")
def client(server: Server) -> Client:
    return Client(server.address, verbose=False)


@pytest.fixture(scope="session")
def hostile() -> str:
    """A text that takes over a page which shows it as HTML."""
    return HOSTILE


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
    """One visitor's page."""

    window: "Window"
    address: str

    @property
    def page(self) -> Page:
        return self.window.page

    def open(self, query: str = "") -> None:
        self.window.num_asked = 0
        self.page.goto(f"{self.address}/{query}")
        expect(self.page.get_by_role("tab", selected=True)).to_be_visible()
        self.settle(num_asked=1)

    def settle(self, num_asked: int = 0) -> None:
        """Returns when the server has answered all that the page asked by itself, and at least `num_asked` questions:
        what comes late, such as the choices of a picker, would undo what a test has chosen in the meantime.
        """
        deadline = time.monotonic() + ANSWER_MS / 1000
        while self.window.num_asked < num_asked or self.window.unanswered:
            assert time.monotonic() < deadline, [request.url for request in self.window.unanswered]
            self.page.wait_for_timeout(10)

    def tab(self, title: str) -> None:
        """Selects a tab; on a narrow page it may be in the menu behind the dots."""
        tab = self.page.get_by_role("tab", name=title, exact=True).locator("visible=true")
        if not tab.count():
            self.page.locator(".overflow-menu > button").locator("visible=true").click()
            self.page.locator(".overflow-dropdown button", has_text=title).click()
        else:
            tab.first.click()
        expect(self.page.get_by_role("tabpanel").locator("visible=true").first).to_be_visible()
        self.settle()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True).locator("visible=true")

    def result(self, task: str) -> Locator:
        return self.page.locator(f"#{task}-result")

    def run(self, task: str, action: str) -> Locator:
        """Presses the button of a task's tab and waits for the whole answer."""
        self.result(task).locator(".pg-stats").evaluate_all("lines => lines.forEach(line => line.dataset.old = '')")
        self.button(action).click()
        expect(self.result(task).locator(".pg-stats:not([data-old])").last).to_be_visible()
        expect(self.button(action)).to_be_enabled()
        return self.result(task)

    def box(self, name: str) -> Locator:
        return self.page.locator(f"#{name} textarea, #{name} input").first

    def choose(self, label: str, option: str) -> None:
        """Takes `option` from the dropdown called `label`."""
        self.picker(label).click()
        self.page.get_by_role("option", name=option).click()

    def picker(self, label: str) -> Locator:
        return self.page.get_by_role("combobox", name=label, exact=True).locator("visible=true")

    def give(self, name: str, file_name: str, content: bytes) -> None:
        """Chooses a file in the upload called `name`."""
        file = {"name": file_name, "mimeType": "application/octet-stream", "buffer": content}
        self.page.locator(f"#{name} input[type=file]").set_input_files(file)

    def drop(self, on: Locator, file_name: str, content: bytes) -> None:
        """Drops a file on a part of the page."""
        carried = self.page.evaluate_handle(CARRY_FILE, [file_name, list(content)])
        on.dispatch_event("drop", {"dataTransfer": carried})

    def take(self, link: Locator) -> tuple[str, bytes]:
        """Name and content of what `link` downloads."""
        with self.page.expect_download() as download:
            link.click()
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    def sticking_out(self) -> list[str]:
        """Visible parts that reach beyond the window's edge and are in no box that scrolls by itself."""
        return self.page.evaluate(STICKING_OUT)

    def expect_no_overlay(self) -> None:
        """Gradio's own error box or toast is nowhere; what went wrong is said in a sentence of ours."""
        expect(self.page.locator("[data-testid=status-tracker] .error, [data-testid=toast-body]")).to_have_count(0)

    def expect_inert(self) -> None:
        """Nothing of `HOSTILE` became a part of the page."""
        assert self.page.evaluate("window.pwned") is None
        assert (
            self.page.evaluate("[...document.scripts].filter(one => one.text.startsWith('window.pwned')).length") == 0
        )
        expect(self.page.locator("img[src=x], form[action*=evil]")).to_have_count(0)

    def runs_right_to_left(self, part: Locator) -> bool:
        """Whether the one line of text in `part` begins to the right of where it ends."""
        return part.evaluate(ENDS_BEFORE_IT_BEGINS)


@dataclass
class Window:
    """A page with nothing in it, no cookies and nothing stored, and what goes wrong on it while it is visited."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    unanswered: set[Request] = field(default_factory=set)
    """What the page asks the server now."""
    num_asked: int = 0
    """Questions since the page was opened."""

    def left(self, frame: Frame) -> None:
        """Forgets what the page said last, as the browser left it, of what that broke off."""
        while frame == self.page.main_frame and self.complaints and self.complaints[-1].startswith(BROKEN_OFF):
            self.complaints.pop()

    def clear(self) -> None:
        self.page.evaluate(FORGET)
        self.page.goto("about:blank")
        self.page.context.clear_cookies()
        self.complaints.clear()


@pytest.fixture(scope="module")
def free_windows() -> list[Window]:
    """Windows to be visited in again: another one costs the browser and the page's scripts more than all the rest."""
    return []


@pytest.fixture
def visit(
    browser: Browser, free_windows: list[Window], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Visit]]:
    """``visit(viewport=WIDE, query="", at=server, **context_options)``: a new visitor of a server. The test fails if
    any of its pages logged an error, asked another machine for something, or got an error from the server.
    """
    usual: list[Window] = []
    special: list[Window] = []

    def begin(
        query: str = "?__theme=light", viewport: dict[str, int] = WIDE, at: Server | None = None, **options: Any
    ) -> Visit:
        server = at or request.getfixturevalue("server")
        window = free_windows.pop() if free_windows and not options else _opened(browser, options)
        (special if options else usual).append(window)
        window.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.address)
        window.page.set_viewport_size(viewport)
        this = Visit(window, server.address)
        this.open(query)
        return this

    yield begin
    complaints = [complaint for window in usual + special for complaint in window.complaints]
    for window in special:
        window.page.context.close()
    for window in usual:
        window.clear()
        free_windows.append(window)
    assert complaints == []


def _opened(browser: Browser, options: dict[str, Any]) -> Window:
    context = browser.new_context(locale="en-US", **options)
    context.set_default_timeout(30_000)
    window = Window(context.new_page())
    _watch(window)
    return window


def _watch(window: Window) -> None:
    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            window.complaints.append(f"console: {message.text}")

    def asked(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in LOCAL_SCHEMES and parts.hostname != "127.0.0.1":
            window.complaints.append(f"left the machine: {request.url}")
        if parts.path.startswith(QUESTIONS):
            window.unanswered.add(request)
            window.num_asked += 1

    def ended(request: Request) -> None:
        window.unanswered.discard(request)

    def answered(response: Response) -> None:
        if response.status >= 400:
            window.complaints.append(f"{response.status}: {response.url}")

    window.page.on("console", said)
    window.page.on("pageerror", lambda error: window.complaints.append(f"script: {error}"))
    window.page.on("request", asked)
    window.page.on("requestfinished", ended)
    window.page.on("requestfailed", ended)
    window.page.on("response", answered)
    window.page.on("framenavigated", window.left)


@pytest.fixture
def picture(artefacts: Path) -> Callable[[Visit, str], None]:
    """``picture(visit, name)`` keeps how the whole page looks now as ``artefacts/<name>.png``."""

    def take(visit: Visit, name: str) -> None:
        visit.page.screenshot(path=artefacts / f"{name}.png", full_page=True, animations="disabled")

    return take
