"""How the cost grows with the load, with a chart for each kind of load.

    python -m tests.bench.growth --json growth.json --markdown docs/GROWTH.md

- batch: texts at once, and rows in single passes
- prompt: tokens of a prompt, until the first token of the answer
- adapters: registered ones
- visitors: at once, over HTTP
- rows: of a CSV file that is read, checked and made into training examples; of a training

Each series is measured in fresh processes and written to the JSON file at once; those that are there are not measured
again, unless --only names them. --quick takes tiny sizes, to see that everything works.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.growing import TAIL, TOLERANCE, Line, Series, chart, short
from tests.bench.growth_series import FULL, QUICK, SERIES
from tests.bench.inference import machine

TITLES = {
    "batch": "Texts at once",
    "prompt": "Length of the prompt",
    "adapters": "Adapters",
    "visitors": "Visitors",
    "rows": "Rows",
}
NOTES = {
    "batch": "All texts under way share each pass over the weights, so that a text among others costs less than one "
    "alone; 32 grow side by side at most, more of them wait. Only where a text is alone, tokens are guessed from what "
    "it repeats, so that it may be ahead of the line.",
    "prompt": "Most of the cost of a token is the same wherever it stands; attention in one layer of six looks at "
    "everything before it, and only that part grows with the square of the length; the others look back 512 tokens.",
    "adapters": "The engine keeps the 16 used last in memory, and loads the others again when they are asked for. A "
    "request reads one record; a list of all, for the page, reads the record of each.",
    "visitors": "Each thinks for 2 s on average between an answer and the next question. Once the machine is busy all "
    "the time, answers a second stay the same and each visitor waits for all others: the time until the answer grows "
    "faster than the number of visitors around that point, and linearly beyond it. When too many wait, the next one is "
    "told so.",
    "rows": "Languages are recognised in a sample of 2,000 rows, whatever the file holds.",
}
"""Why a series grows as it does."""
INTRODUCTION = (
    "The exponent is the b of the best fit of a · size^b: 1 is linear, 0 is no growth at all. As a fixed cost hides "
    f"the growth of small sizes, the exponent of the last {TAIL} sizes stands beside it. Growth goes by the larger "
    f"one: linear within {TOLERANCE:g} of 1, else below or above. Dotted lines in the charts are linear."
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth", description="Times growing loads.")
    parser.add_argument("--only", type=_names, help=f"some series, with commas between: {', '.join(SERIES)}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, figures worth nothing")
    parser.add_argument("--json", type=Path, help="file for the figures, of earlier series too")
    parser.add_argument("--markdown", type=Path, help="file for the tables; the charts go beside it")
    parser.add_argument("--series", choices=SERIES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.series:
        print(json.dumps(asdict(SERIES[options.series](QUICK if options.quick else FULL))))
        return
    figures = _known(options)
    for name in options.only or [name for name in SERIES if name not in figures["series"]]:
        figures["series"][name] = _fresh(name, quick=options.quick)
        if options.json:
            options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    found = {name: series_of(figures["series"][name]) for name in SERIES if name in figures["series"]}
    text = markdown(figures["machine"], found)
    print(text)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")
        for name, series in found.items():
            options.markdown.with_name(_chart_name(name)).write_text(chart(series), encoding="utf-8")


def _names(given: str) -> list[str]:
    names = given.split(",")
    unknown = [name for name in names if name not in SERIES]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no series '{unknown[0]}'; choose from {', '.join(SERIES)}")
    return names


def _known(options: argparse.Namespace) -> dict[str, Any]:
    """Figures of the JSON file, as far as they were measured on this machine and with as much effort."""
    fresh: dict[str, Any] = {"machine": machine(), "quick": options.quick, "series": {}}
    if not (options.json and options.json.is_file()):
        return fresh
    known = json.loads(options.json.read_text(encoding="utf-8"))
    return known if all(known[key] == fresh[key] for key in ("machine", "quick")) else fresh


def _fresh(name: str, *, quick: bool) -> dict[str, Any]:
    """The series called `name`, measured in a process of its own, with its exponents and how long that took."""
    began = time.monotonic()
    command = [sys.executable, "-m", "tests.bench.growth", "--series", name, *(["--quick"] if quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    series = series_of(measured)
    for kept, line in zip(measured["lines"], series.lines, strict=True):
        kept["exponent"], kept["exponent_at_the_end"] = series.exponent(line), series.exponent_at_the_end(line)
        kept["growth"] = series.growth(line)
    return measured | {"took_s": round(time.monotonic() - began)}


def series_of(measured: dict[str, Any]) -> Series:
    names = ("title", "unit", "values", "is_cost")
    lines = [Line(**{name: line[name] for name in names}) for line in measured["lines"]]
    return Series(measured["across"], measured["sizes"], lines)


def markdown(of: dict[str, Any], found: dict[str, Series]) -> str:
    lines = [
        "# How the cost grows",
        "",
        "Written by `python -m tests.bench.growth --markdown docs/GROWTH.md`, not by hand.",
        f"Medians on {of['cores']} {of['processor']} cores with {of['instructions']}, torch {of['torch']}.",
        "",
        INTRODUCTION,
    ]
    for name, series in found.items():
        lines += ["", f"## {TITLES[name]}", "", f"![{TITLES[name]}]({_chart_name(name)})", "", *_table(series)]
        lines += ["", NOTES[name]]
    return "\n".join(lines) + "\n"


def _table(series: Series) -> list[str]:
    head = [series.across, "", *(f"{size:,}" for size in series.sizes), "exponent", "at the end", "growth"]
    rows = ["| " + " | ".join(head) + " |", "| --- | --- |" + " ---: |" * (len(head) - 3) + " --- |"]
    for line in series.lines:
        exponents = (series.exponent(line), series.exponent_at_the_end(line))
        cells = ["-" if value is None else short(value) for value in line.values]
        cells += ["-" if one is None else f"{one:.2f}" for one in exponents]
        rows.append("| " + " | ".join([line.title, line.unit, *cells, series.growth(line) or "-"]) + " |")
    return rows


def _chart_name(name: str) -> str:
    return f"growth-{name}.svg"


if __name__ == "__main__":
    main()
