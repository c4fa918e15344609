"""The time that a visitor's run may take: then what was learnt is kept and measured."""

import time
from collections.abc import Callable
from typing import Any

from playground import settings
from playground.training.run_files import RunState, Wish


class Overtime:
    """Watches the work on a run, which may be done in several spells; the owner's own runs have no limit.

    Args:
        run: as it is at the beginning of the present spell.
    """

    def __init__(self, run: RunState, note: Callable[[dict[str, Any]], None]) -> None:
        self._minutes = settings.max_run_minutes() if run.owner else 0
        self._note = note
        # A pause does not give the time anew.
        self._began = time.monotonic() - run.step.get("elapsed_s", 0.0)
        self._was_told = False

    def wish(self, state: RunState) -> Wish:
        """``keep`` when the time is over, ``skip`` when the measuring takes as long again.

        Before the first step there is nothing to keep, and no more than reading the rows to do.
        """
        spent_s, limit_s = time.monotonic() - self._began, 60 * self._minutes
        if not limit_s or not state.step or spent_s < limit_s:
            return ""
        if state.state == "evaluating" and spent_s < 2 * limit_s:
            return ""
        if not self._was_told:
            self._was_told = True
            message = (
                f"The limit of {self._minutes:,} minutes for a visitor's run (PLAYGROUND_MAX_RUN_MINUTES) was reached; "
                "what was learnt until then is kept. Fewer rows or the preset 'quick' take less time."
            )
            self._note({"event": "note", "message": message})
        return "skip" if state.state == "evaluating" else "keep"
