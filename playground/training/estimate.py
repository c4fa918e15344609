"""What a run will take: seconds and memory, from a few real steps and predictions made beforehand.

``python -m playground.training.estimate CONFIG`` does it for the settings in a file, in a process of its own, because
only there the highest memory is that of the run alone.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from playground.engine import zerogpu
from playground.errors import PlaygroundError
from playground.training.config import RunConfig, load_config
from playground.training.options import BY_NAME

PACKAGE_PARENT = Path(__file__).resolve().parents[2]
MOST_SECONDS = 900.0
SPARE_SHARE = 0.05
"""Of the free memory, left to others."""


@dataclass(frozen=True)
class Estimate:
    """Of one run."""

    steps: int
    loading_s: float
    training_s: float
    measuring_s: float
    peak_bytes: int
    free_bytes: int
    """Before the run."""
    offer: dict[str, Any] | None = None
    """Settings with which it would fit, where it does not as it is; None when there are none or none are needed."""
    masking_s: float = 0.0
    """To find names of persons in the rows, where they are masked."""
    may_stop_early: bool = False
    """Rows are held back to see when learning on does not help any more; the training then takes less."""

    @property
    def seconds(self) -> float:
        return self.loading_s + self.masking_s + self.training_s + self.measuring_s

    @property
    def fits(self) -> bool:
        return fits(self.peak_bytes, self.free_bytes)

    def in_words(self) -> str:
        """Two sentences for the person."""
        masking = f"{_duration(self.masking_s)} to mask names, " if self.masking_s else ""
        steps = f"{self.steps:,} steps" + (", fewer if it stops early" if self.may_stop_early else "")
        parts = (
            f"{_duration(self.loading_s)} to load, {masking}{_duration(self.training_s)} to train ({steps}), "
            f"{_duration(self.measuring_s)} to measure"
        )
        took = f"This run takes about {_duration(self.seconds)}: {parts}."
        if self.fits:
            return f"{took} It needs about {_size(self.peak_bytes)} of memory, and {_size(self.free_bytes)} are free."
        return no_room(self.peak_bytes, self.free_bytes, self.offer)


def fits(needed_bytes: float, free_bytes: float) -> bool:
    return needed_bytes <= free_bytes * (1 - SPARE_SHARE)


def no_room(needed_bytes: float, free_bytes: float, offer: dict[str, Any] | None) -> str:
    """What to tell somebody whose run can't fit."""
    said = f"The run needs about {_size(needed_bytes)} of memory, but only {_size(free_bytes)} are free"
    if offer is None:
        return f"{said}, and smaller settings do not help; close other programs, or take a machine with more memory."
    settings = ", ".join(f"{BY_NAME[name].title if name in BY_NAME else name} {value}" for name, value in offer.items())
    return f"{said}; it would fit with {settings}."


def _size(size_bytes: float) -> str:
    return f"{size_bytes / 2**30:.1f} GB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.0f} MB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def estimate(config: RunConfig, niceness: int = 0) -> Estimate:
    """Tries the run of `config` out in a process of its own, which takes about a minute.

    Args:
        niceness: by how much that process stands back, as the one that would train does.

    Raises:
        PlaygroundError: the rows or the settings do not allow the run, or there is no memory even to try.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        config.save(file)
        try:
            tried = subprocess.run(
                [sys.executable, "-m", "playground.training.estimate", str(file), str(niceness)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=_environment(),
                timeout=MOST_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as err:
            raise PlaygroundError("A few steps took too long to estimate the rest; choose the preset 'quick'.") from err
    lines = tried.stdout.decode("utf-8", "replace").splitlines()
    if tried.returncode < 0:
        raise PlaygroundError(
            "Memory ran out while the first steps were tried; choose 1 row in a pass (rows_a_pass) or shorter "
            "texts (max_length), or close other programs."
        )
    found = json.loads(lines[-1]) if lines else {"error": "The first steps could not be tried; start the run instead."}
    if "error" in found:
        raise PlaygroundError(found["error"])
    return Estimate(**found)


def _environment() -> dict[str, str]:
    paths = [str(PACKAGE_PARENT), *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {name: value for name, value in os.environ.items() if name != zerogpu.VARIABLE}
    return kept | {"PYTHONPATH": os.pathsep.join(paths)}


def main(arguments: Sequence[str]) -> int:
    path, niceness = arguments
    if hasattr(os, "nice"):
        os.nice(int(niceness))
    try:
        # torch takes seconds to import, which those who only want the names above need not spend.
        from playground.training.probe import try_out

        starting_s = time.time() - psutil.Process().create_time()
        found: dict[str, Any] = asdict(try_out(load_config(Path(path)), starting_s))
    except PlaygroundError as err:
        found = {"error": str(err)}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
