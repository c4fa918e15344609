"""``python app.py`` in a process of its own, with nothing of the person's own settings."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playground import settings

FOREIGN = ("HOST", "SPACE_ID", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT")
"""Settings of the person's own, beside those that begin with PLAYGROUND_."""
PATIENCE_S = 20
READY = ("Running on local URL", "The backbone is ready")
"""What the app has said by then."""
READY_S = 300
"""Long enough for the conversion of the backbone on a slow, busy machine."""
LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class RunningApp:
    process: subprocess.Popen[bytes]
    address: str
    """Where the page will be."""
    log: Path

    def must_run(self) -> None:
        """Raises EOFError with the end of the log when the app ended."""
        if self.process.poll() is not None:
            raise EOFError(f"The app ended with {self.process.returncode}:\n{self._said()[-3000:]}")

    def wait_until_ready(self) -> None:
        """Returns when the page is up and the backbone answers; asking over and over would slow down both.

        Raises:
            EOFError: the app ended, or was not ready in time.
        """
        deadline = time.monotonic() + READY_S
        while not all(part in self._said() for part in READY):
            self.must_run()
            if time.monotonic() > deadline:
                raise EOFError(f"The app was not ready after {READY_S} s:\n{self._said()[-3000:]}")
            time.sleep(LOOK_EVERY_S)

    def _said(self) -> str:
        return self.log.read_text(encoding="utf-8")


@contextmanager
def running_app(home: Path, log: Path, **chosen: str) -> Iterator[RunningApp]:
    """The app as soon as its process exists, with `home` as its own and the environment in `chosen`; its output goes
    to `log`. The converted backbone is the one that all homes share, unless PLAYGROUND_BACKBONES is chosen.
    """
    port = _free_port()
    places = {
        "PLAYGROUND_HOME": str(home),
        "PLAYGROUND_BACKBONES": str(settings.backbone_cache()),
        "GRADIO_TEMP_DIR": str(home / "uploads"),
        "PORT": str(port),
        "PYTHONUNBUFFERED": "1",
    }
    kept = {
        name: value for name, value in os.environ.items() if name not in FOREIGN and not name.startswith("PLAYGROUND_")
    }
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=settings.REPOSITORY,
            env=kept | places | chosen,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        yield RunningApp(process, f"http://127.0.0.1:{port}", log)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
