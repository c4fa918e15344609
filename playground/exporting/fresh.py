"""A copy of an adapter, loaded again in a fresh process and held against what the process that wrote it knows."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors.numpy import save_file

from playground.engine import zerogpu
from playground.errors import AdapterError
from playground.exporting.formats import FormatName
from playground.exporting.probes import TOLERANCES

Kind = FormatName | Literal["adapter", "peft"]
"""What the copy is; ``adapter`` and ``peft`` are an adapter's folder read by the engine and by PEFT alone."""

TIMEOUT_S = 900


@dataclass(frozen=True)
class Verdict:
    """How far a copy is from what it should be."""

    difference: float
    """See `playground.exporting.probes.difference`."""
    tolerance: float
    num_rows: int
    reader: str
    """What loaded the copy."""

    @property
    def is_same(self) -> bool:
        return self.difference <= self.tolerance

    def __str__(self) -> str:
        how = "same outputs" if self.is_same else "OTHER outputs"
        share = f"largest difference {self.difference:.2g} of the largest logit, at most {self.tolerance:g} allowed"
        return f"{how} on {self.num_rows} probe rows by {self.reader} ({share})"


def compare(
    kind: Kind,
    copy: Path,
    ids: Sequence[Sequence[int]],
    expected: Sequence[Any],
    *,
    formats: Sequence[str] = ("float32",),
    setting: dict[str, str] | None = None,
) -> Verdict:
    """Loads `copy` in a fresh process, gives it the rows of `ids` and compares.

    Args:
        expected: outputs of each row, whole or thinned.
        formats: number formats that the two differ by, see ``TOLERANCES``.
        setting: what the reader has to know besides, such as ``quantization`` and ``dtype`` of the backbone.

    Raises:
        AdapterError: the copy can't be loaded, or the process died.
    """
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.safetensors"
        tensors = {f"ids.{place}": np.array(one, np.int64) for place, one in enumerate(ids)}
        tensors |= {f"expected.{place}": np.array(one, np.float32) for place, one in enumerate(expected)}
        save_file(tensors, probe, metadata=setting or {})
        answer = _ask(["playground.exporting.reload", kind, str(copy.resolve()), str(probe)], copy)
    allowed = max(TOLERANCES[name] for name in formats)
    return Verdict(float(answer["difference"]), allowed, len(ids), str(answer["reader"]))


def must_be_same(verdict: Verdict, what: str) -> Verdict:
    """`verdict` itself.

    Raises:
        AdapterError: the copy is another function.
    """
    if not verdict.is_same:
        raise AdapterError(f"{what} does not do what the adapter does: {verdict}. Nothing was kept.")
    return verdict


def _ask(arguments: Sequence[str], copy: Path) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            env=zerogpu.environment_of_child(),
        )
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired as err:
        raise AdapterError(
            f"Loading {copy.name} again took more than {TIMEOUT_S} s; try again when less runs."
        ) from err
    except (ValueError, IndexError, TypeError) as err:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise AdapterError(f"{copy.name} can't be loaded again in a fresh process ({last[0]}).") from err
    if "error" in answer:
        raise AdapterError(f"{copy.name} can't be loaded again in a fresh process: {answer['error']}")
    return answer
