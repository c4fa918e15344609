"""One table of what the shipped adapters reach, from the figures in their records; the README holds a copy."""

from collections.abc import Iterable
from pathlib import Path

from playground.adapters.record import AdapterRecord
from playground.errors import InputError

BEGIN = "<!-- scoreboard: written by `python -m playground adapters scoreboard`, not by hand -->"
END = "<!-- end of scoreboard -->"
COLUMNS = (
    "adapter",
    "languages",
    "metric",
    "with adapter (95 % interval)",
    "base, few-shot",
    "n",
    "training rows",
    "size",
)


def scoreboard(records: Iterable[AdapterRecord]) -> str:
    """Markdown table of the measured `records`: main metric with its 95 % interval, beside the base's."""
    return "\n".join([_line(COLUMNS), _line(["---"] * len(COLUMNS)), *(_row(r) for r in records if r.metrics)])


def _row(record: AdapterRecord) -> str:
    tuned, base = record.metrics["adapter"], record.metrics.get("base")
    main = tuned["main"]
    low, high = tuned["interval"]
    size_mb = sum(file.stat().st_size for file in record.path.iterdir()) / 1e6
    cells = [
        f"{record.task}/{record.name}",
        str(len(record.training.get("languages", ()))),
        main,
        f"**{tuned['metrics'][main]:.1f}** ({low:.1f} to {high:.1f})",
        f"{base['metrics'][main]:.1f}" if base else "none",
        f"{tuned['n']:,}",
        f"{record.training.get('rows', 0):,}",
        f"{size_mb:.1f} MB",
    ]
    return _line(cells)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write_scoreboard(document: Path, records: Iterable[AdapterRecord]) -> None:
    """Replaces the table between the two marks in `document`.

    Raises:
        InputError: the marks are not there.
    """
    text = document.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"{document.name} has no place for the scoreboard; add the lines '{BEGIN}' and '{END}'.")
    document.write_text(f"{before}{BEGIN}\n{scoreboard(records)}\n{END}{after}", encoding="utf-8")
