"""``python app.py`` in a process of its own, with nothing of the person's own settings."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playground import settings

FOREIGN = ("HOST", "SPACE_ID", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT")
"""Settings of the person's own, beside those that begin with PLAYGROUND_."""
PATIENCE_S = 20


@dataclass(frozen=True)
class RunningApp:
    process: subprocess.Popen[bytes]
    address: str
    """Where the page will be."""


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
        yield RunningApp(process, f"http://127.0.0.1:{port}")
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
