"""The parts of a report as HTML: tables, small charts, and sentences that say what the figures mean.

Charts are inline SVG without any text of the rows; every name that is not ours passes through ``html.escape``. Colours
and sizes come from the style sheet of the page around them.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from playground.adapters.figures import METRIC_TITLES

NOTHING = "-"
LIKELY_CHANCE_FROM = 0.05
MAX_MATRIX_LABELS = 20
"""A larger matrix can't be read; it shows the labels with most rows."""
LONGEST_CELL = 300
NOT_PARTS = {"support"}

Report = Mapping[str, Any]


def sections(report: Report) -> list[tuple[str, str]]:
    """Titles and contents, without those that have nothing to show."""
    adapter = report["adapter"]
    found = [
        ("Base against adapter" if report["base"] else "The adapter", overview(report)),
        (_classes_title(adapter), per_class(report)),
        ("Which labels it mistakes for which", confusion(adapter["confusion"])),
        ("By language", groups(report, [(name, part) for name, part in report["per_language"].items()])),
        ("By length", groups(report, [(_length(part), part) for part in report["per_length"]])),
        ("Does its certainty hold?", calibration(report)),
    ]
    return [(title, body) for title, body in found if body]


def overview(report: Report) -> str:
    """The metrics, and what sets the two apart in words."""
    header, *lines = overview_table(report)
    if not report["base"]:
        header, *lines = ([name, adapter] for name, _, adapter, _ in (header, *lines))
    return "".join(f'<p class="pg-verdict">{escape(line)}</p>' for line in verdict(report)) + table(header, lines)


def verdict(report: Report) -> list[str]:
    """Sentences on the difference; empty where there is no base to compare with."""
    found = report["difference"]
    if not found:
        return []
    title = METRIC_TITLES.get(report["metric"], report["metric"])
    low, high = found["interval"]
    size = f"{abs(found['value']):.1f} points {'higher' if found['value'] >= 0 else 'lower'}"
    first = f"With the adapter, {title} is {size} on the same {report['n']:,} rows (95 % interval {low:+.1f} to {high:+.1f})."
    test = f"p {p_value(found['p_value'])}, {found['test']}"
    if found["p_value"] < LIKELY_CHANCE_FROM:
        second = f"The difference is unlikely to be chance ({test})."
    else:
        second = f"The difference may be chance ({test}); more held-out rows would tell."
    counts = f"{report['changed']:,} answers changed: {report['better']:,} score better, {report['worse']:,} worse."
    return [first, second, counts]


def p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def overview_table(report: Report) -> list[list[str]]:
    """Cells of a small table, header first: a metric each line, then the number of rows and of changed answers."""
    main, base, adapter = report["metric"], report["base"], report["adapter"]
    names = [main, *(name for name in adapter["metrics"] if name != main)]
    lines = [["", "Base", "Adapter", "Difference"]]
    for name in names:
        after = adapter["metrics"][name]
        before = base["metrics"].get(name) if base else None
        with_interval = name == main
        lines.append(
            [
                METRIC_TITLES.get(name, name),
                NOTHING if before is None else _cell(before, base["interval"] if with_interval else None),
                _cell(after, adapter["interval"] if with_interval else None),
                NOTHING if before is None else difference(after - before),
            ]
        )
    changed = NOTHING if report["changed"] is None else f"{report['changed']} changed"
    lines.append(["Rows", str(report["n"]) if base else NOTHING, str(report["n"]), changed])
    return lines


def per_class(report: Report) -> str:
    """Each class, entity type, target language, or kind of question; the largest first."""
    adapter, base = report["adapter"]["per_class"], (report["base"] or {}).get("per_class", {})
    if not adapter:
        return ""
    main = "f1" if all("f1" in parts for parts in adapter.values()) else report["metric"]
    extra = [name for name in next(iter(adapter.values())) if name not in NOT_PARTS | {main}]
    has_base = bool(base)
    header = ["", "Rows", *(["Base"] if has_base else []), METRIC_TITLES.get(main, main)]
    header += [METRIC_TITLES.get(name, name) for name in extra]
    lines = []
    for name, parts in sorted(adapter.items(), key=lambda item: -item[1].get("support", 0)):
        before = [_number(base.get(name, {}).get(main))] if has_base else []
        figures = [_number(parts.get(key)) for key in (main, *extra)]
        lines.append([_plain(name), f"{parts.get('support', 0):,.0f}", *before, *figures])
    return table(header, lines)


def confusion(matrix: Mapping[str, Any] | None) -> str:
    """Rows: what is right; columns: what the adapter said. The darker a cell, the larger its share of the row."""
    if not matrix:
        return ""
    labels, counts = matrix["labels"], matrix["matrix"]
    order = sorted(range(len(labels)), key=lambda place: -(sum(counts[place]) + matrix["unanswered"][place]))
    shown = sorted(order[:MAX_MATRIX_LABELS])
    note = (
        f'<p class="pg-lead">The {len(shown)} of {len(labels):,} labels with most rows.</p>'
        if len(shown) < len(labels)
        else ""
    )
    head = "".join(f'<th scope="col"><bdi>{escape(_short(labels[place]))}</bdi></th>' for place in shown)
    lines = []
    for place in shown:
        total = max(sum(counts[place]) + matrix["unanswered"][place], 1)
        cells = "".join(_shaded(counts[place][other], total, is_right=place == other) for other in shown)
        lines.append(f'<tr><th scope="row"><bdi>{escape(_short(labels[place]))}</bdi></th>{cells}</tr>')
    return (
        f'{note}<p class="pg-lead">Down: what is right. Across: what the adapter said.</p>'
        '<div class="pg-scroll" tabindex="0" role="region" aria-label="Confusion matrix">'
        f'<table class="pg-table pg-matrix"><thead><tr><td></td>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    )


def groups(report: Report, named: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """The main metric on some of the rows each, with a chart: the base hollow, the adapter full with its interval."""
    if len(named) < 2:
        return ""
    title = METRIC_TITLES.get(report["metric"], report["metric"])
    has_base = any(part["base"] is not None for _, part in named)
    head = "".join(
        f'<th scope="col">{escape(name)}</th>' for name in ("", "Rows", *(["Base"] if has_base else []), title)
    )
    lines = []
    for name, part in named:
        low, high = part["interval"]
        before = f'<td class="pg-number">{_number(part["base"])}</td>' if has_base else ""
        lines.append(
            f'<tr><td dir="auto">{escape(name)}</td><td class="pg-number">{part["n"]:,}</td>{before}'
            f'<td class="pg-number">{part["adapter"]:.1f} <small>({low:.1f} to {high:.1f})</small></td>'
            f'<td class="pg-chart">{_track(part)}</td></tr>'
        )
    return (
        f'<div class="pg-scroll" tabindex="0" role="region" aria-label="{escape(title)} by group"><table class="pg-table">'
        f'<thead><tr>{head}<th scope="col">0 to 100</th></tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    )


def calibration(report: Report) -> str:
    """The reliability diagram (DeGroot and Fienberg 1983): on the diagonal, certainty is what it claims to be."""
    points = {name: report["calibration"].get(name, []) for name in ("base", "adapter")}
    if not points["adapter"]:
        return ""
    marks = "".join(_line(points[name], name) for name in ("base", "adapter"))
    grid = "".join(
        f'<path class="pg-grid" d="M{20 + 2 * at} 10V210M20 {210 - 2 * at}H220"/>' for at in range(0, 101, 25)
    )
    numbers = "".join(
        f'<text x="{20 + 2 * at}" y="224" text-anchor="middle">{at}</text><text x="16" y="{213 - 2 * at}" text-anchor="end">{at}</text>'
        for at in (0, 50, 100)
    )
    key = "the adapter full, the base hollow" if points["base"] else "the adapter"
    said = "; ".join(
        f"{100 * one['confidence']:.0f} % sure, {100 * one['accuracy']:.0f} % right" for one in points["adapter"]
    )
    lines = [
        (name, f"{100 * one['confidence']:.0f} %", f"{100 * one['accuracy']:.0f} %", f"{one['n']:,}")
        for name in ("adapter", "base")
        for one in points[name]
    ]
    return (
        f'<p class="pg-lead">Across: how sure it says it is, in percent. Up: how often it is right then. On the dashed line '
        f"the two agree ({key}).</p>"
        f'<svg class="pg-curve" viewBox="-10 0 240 232" role="img" aria-label="Reliability: {escape(said)}">'
        f'{grid}<path class="pg-diagonal" d="M20 210L220 10"/>{marks}{numbers}</svg>'
        f"<details><summary>As a table</summary>{table(('', 'Sure', 'Right', 'Answers'), lines)}</details>"
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    cells = ("".join(f'<td dir="auto">{escape(_short(value))}</td>' for value in row) for row in rows)
    lines = "".join(f"<tr>{line}</tr>" for line in cells)
    return (
        '<div class="pg-scroll" tabindex="0" role="region" aria-label="Table"><table class="pg-table">'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def answer_text(value: Any, text: str = "") -> str:
    """An answer of any task in one line; `text` is what entities are cut out of."""
    if value is None or value in ([], ""):
        return NOTHING
    if isinstance(value, list):
        return " · ".join(_part_text(part, text) for part in value)
    return _part_text(value, text)


def _part_text(part: Any, text: str) -> str:
    if isinstance(part, dict) and "label" in part:
        return f"{text[part['start'] : part['end']]} ({part['label']})"
    return str(part.get("text", part)) if isinstance(part, dict) else str(part)


def input_text(values: Mapping[str, Any]) -> str:
    """What a row gave the task to read, a line each."""
    if "messages" in values:
        return "\n".join(f"{message['role']}: {message['content']}" for message in values["messages"])
    return "\n".join(str(value) for value in values.values())


def difference(value: float) -> str:
    # Adding zero turns -0.0, which rounding leaves behind, into 0.0.
    return f"{round(value, 1) + 0.0:+.1f}"


def _classes_title(adapter: Mapping[str, Any]) -> str:
    if adapter["main"] == "entity_f1":
        return "By entity type"
    if adapter["main"] == "f1":
        return "With and without an answer"
    return "By class" if adapter["main"] == "macro_f1" else "By target language"


def _length(part: Mapping[str, Any]) -> str:
    return f"{part['from']:,} to {part['to']:,} characters"


def _plain(name: str) -> str:
    return {"has_answer": "The text has the answer", "no_answer": "The text has no answer"}.get(name, name)


def _cell(value: float, interval: Sequence[float] | None) -> str:
    return f"{value:.1f} ({interval[0]:.1f} to {interval[1]:.1f})" if interval else f"{value:.1f}"


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1f}"


def _short(value: str) -> str:
    return value if len(value) <= LONGEST_CELL else f"{value[: LONGEST_CELL - 1]}…"


def _shaded(count: int, total: int, *, is_right: bool) -> str:
    share = round(100 * min(max(count / total, 0), 1))
    kind = "pg-hit" if is_right else "pg-miss"
    return f'<td class="pg-number {kind}" style="--pg-share:{share}%">{count:,}</td>'


def _track(part: Mapping[str, Any]) -> str:
    """A line from 0 to 100 with the interval, the adapter's dot and the base's ring."""
    low, high, value = (_place(number) for number in (*part["interval"], part["adapter"]))
    ring = "" if part["base"] is None else f'<circle class="pg-base" cx="{_place(part["base"])}" cy="7" r="3.2"/>'
    return (
        '<svg class="pg-track-chart" viewBox="0 0 110 14" aria-hidden="true"><path class="pg-grid" d="M5 7H105"/>'
        f'<path class="pg-interval" d="M{low} 7H{high}"/>{ring}<circle class="pg-adapter" cx="{value}" cy="7" r="3.2"/></svg>'
    )


def _place(value: float) -> str:
    return f"{5 + min(max(value, 0.0), 100.0):.1f}"


def _line(points: Sequence[Mapping[str, float]], name: str) -> str:
    spots = [(20 + 200 * one["confidence"], 210 - 200 * one["accuracy"]) for one in points]
    dots = "".join(f'<circle class="pg-{name}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in spots)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    return f'<polyline class="pg-line pg-line-{name}" points="{path}"/>{dots}'
