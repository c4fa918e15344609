"""Commands of this program in a process of their own: heavy work that must not slow the page down."""

import logging
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence

from playground.engine import zerogpu
from playground.errors import PlaygroundError

PROGRAM = ("-m", "playground")
USER_ERROR = 2
"""Exit status of a command that ends with one sentence for the person."""

log = logging.getLogger(__name__)


def run_command(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Generator[str, None, str]:
    """Runs ``python -m playground`` with `arguments`: yields what it says on the way and returns what it prints.

    Closing the generator ends the process.

    Args:
        environment: variables that it gets besides those of this process.

    Raises:
        PlaygroundError: the command could not do it; the message is its own.
        RuntimeError: it died otherwise.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
        process = subprocess.Popen(
            [sys.executable, *PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**zerogpu.environment_of_child(), **(environment or {})},
        )
        last = ""
        try:
            for line in process.stderr or ():
                last = line.strip() or last
                yield last
            status = process.wait()
        finally:
            process.kill()
            process.wait()
        if status == USER_ERROR:
            raise PlaygroundError(last)
        if status:
            raise RuntimeError(f"{' '.join(arguments)} ended with {status}: {last}")
        printed.seek(0)
        return printed.read().strip()
