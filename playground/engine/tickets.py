"""Requests in the engine's hands."""

import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from playground.engine.decode import DecodeRow
from playground.engine.requests import EncodeRow


@dataclass(eq=False)
class Ticket:
    """One request: what is asked, what has come of it, and whether it is over."""

    encode_rows: list[EncodeRow] = field(default_factory=list)
    decode_rows: list[DecodeRow] = field(default_factory=list)
    logits: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None

    def cancel(self) -> None:
        self.cancelled.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether the request is finished by now; raises what stopped it."""
        if not self.finished.wait(timeout_s):
            return False
        if self.failure is not None:
            raise self.failure
        return True
