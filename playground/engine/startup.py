"""Loading the backbone in the background, so that the page opens before it is ready."""

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from playground.errors import BackboneError, NotReadyError, PlaygroundError
from playground.types import Quantization

if TYPE_CHECKING:
    from playground.engine.engine import Engine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadStatus:
    state: Literal["loading", "ready", "failed"]
    fraction: float
    message: str


class EngineLoader:
    """Brings up the one engine of the process; ask `engine` for it."""

    def __init__(self, backbone_id: str, quantization: Quantization | Literal["auto"] = "auto") -> None:
        self.backbone_id = backbone_id
        self.quantization = quantization
        self._status = LoadStatus("loading", 0.0, "Waiting to start")
        self._engine: Engine | None = None
        self._settled = threading.Event()
        self._started = threading.Lock()

    def start(self) -> None:
        """Starts loading; a second call does nothing."""
        if self._started.acquire(blocking=False):
            threading.Thread(target=self._load, name="backbone loader", daemon=True).start()

    def status(self) -> LoadStatus:
        return self._status

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether loading has ended, well or badly, within `timeout_s` seconds."""
        return self._settled.wait(timeout_s)

    def engine(self) -> "Engine":
        """The engine.

        Raises:
            NotReadyError: it is still loading; the message says how far it is.
            BackboneError: loading failed; the message says why.
        """
        if self._engine is not None:
            return self._engine
        status = self._status
        if status.state == "failed":
            raise BackboneError(status.message)
        raise NotReadyError(f"The backbone is still being prepared ({status.fraction:.0%}): {status.message}.")

    def _report(self, fraction: float, message: str) -> None:
        log.info("%3.0f %%  %s", fraction * 100, message)
        self._status = LoadStatus("loading", fraction, message)

    def _load(self) -> None:
        try:
            self._report(0.0, "Starting")
            # Importing torch and transformers takes seconds, in which the page can already be up.
            from playground.backbones.loading import automatic_quantization, load
            from playground.backbones.release import release
            from playground.engine.engine import Engine

            precision = automatic_quantization() if self.quantization == "auto" else self.quantization
            self._engine = Engine(load(self.backbone_id, precision, self._report))
            self._status = LoadStatus("ready", 1.0, "Ready")
            log.info("The backbone is ready")
            release()
        except PlaygroundError as err:
            self._fail(str(err))
        except Exception as err:
            log.exception("Loading the backbone failed")
            self._fail(f"The backbone '{self.backbone_id}' could not be loaded: {err}")
        finally:
            self._settled.set()

    def _fail(self, message: str) -> None:
        log.error("%s", message)
        self._status = LoadStatus("failed", 0.0, message)
