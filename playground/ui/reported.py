"""An adapter whose report is looked at, and its rows for those who may see them."""

from dataclasses import dataclass

from playground.adapters.record import AdapterRecord
from playground.adapters.report import read_rows
from playground.adapters.report_rows import DetailedRow


@dataclass(frozen=True)
class Reported:
    record: AdapterRecord
    shows_rows: bool
    """Whether the one who looks may see the held-out rows."""

    @property
    def rows(self) -> list[DetailedRow]:
        """Raises AdapterError where they are damaged."""
        return list(read_rows(self.record)) if self.shows_rows else []
