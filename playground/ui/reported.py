"""An adapter whose report is looked at, and its rows for those who may see them."""

from dataclasses import dataclass

from playground.adapters.record import AdapterRecord
from playground.adapters.report import read_rows
from playground.adapters.report_rows import DetailedRow
from playground.adapters.report_view import before


@dataclass(frozen=True)
class Reported:
    record: AdapterRecord
    shows_rows: bool
    """Whether the one who looks may see the held-out rows."""

    @property
    def rows(self) -> list[DetailedRow]:
        """Raises AdapterError where they are damaged."""
        return list(read_rows(self.record)) if self.shows_rows else []

    @property
    def before(self) -> str:
        """What it is compared with."""
        return before({"against": "parent" if "parent" in self.record.metrics else "base"})
