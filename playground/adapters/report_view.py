"""The parts of a report as HTML: tables, small charts, and sentences that say what the figures mean.

Every name that is not ours passes through ``html.escape``. Colours and sizes come from the style sheet of the page
around them.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from playground.adapters import report_charts
from playground.adapters.figures import metric_title

NOTHING = "-"
NO_BASE = (
    "The base was not measured beside it: it was left out, can't write, or can't be asked by a prompt for labels whose "
    "names are that long or that alike."
)
LIKELY_CHANCE_FROM = 0.05
WORTH_MORE_ROWS = 2.0
"""Points of the metric below which twice the rows are not worth the work of labelling them."""
FEWEST_FOR_INTERVAL = 5
FEW_ROWS = 20
"""Held-out rows below which the person is warned."""
MAX_MATRIX_LABELS = 20
"""A larger matrix can't be read; it shows the labels with most rows."""
LONGEST_CELL = 300
NOT_PARTS = {"support"}

Report = Mapping[str, Any]


def sections(report: Report) -> list[tuple[str, str]]:
    """Titles and contents, without those that have nothing to show."""
    adapter = report["adapter"]
    found = [
        (title(report), overview(report)),
        (_classes_title(adapter), per_class(report)),
        ("Which labels it mistakes for which", confusion(adapter["confusion"])),
        ("By language", groups(report, [(name, part) for name, part in report["per_language"].items()])),
        ("By length", groups(report, [(_length(part), part) for part in report["per_length"]])),
        ("Does its certainty hold?", calibration(report)),
        ("Would more rows help?", learning_curve(report)),
    ]
    return [(title, body) for title, body in found if body]


def before(report: Report) -> str:
    """What the adapter is compared with: the base or, where it goes on from another adapter, that one."""
    return "Before" if report.get("against") == "parent" else "Base"


def title(report: Report) -> str:
    if not report["base"]:
        return "The adapter"
    return "Before and after" if before(report) == "Before" else "Base against adapter"


def overview(report: Report) -> str:
    """The metrics, and what sets the two apart in words."""
    header, *lines = overview_table(report)
    if not report["base"]:
        header, *lines = ([name, adapter] for name, _, adapter, _ in (header, *lines))
    return "".join(f'<p class="pg-verdict">{escape(line)}</p>' for line in verdict(report)) + table(header, lines)


def verdict(report: Report) -> list[str]:
    """Sentences on the difference, where there is something to compare with, and on what the rows can't tell."""
    return [*_on_difference(report), *_cautions(report)]


def _on_difference(report: Report) -> list[str]:
    found = report["difference"]
    if not found:
        return [] if report["base"] else [NO_BASE]
    if not report["changed"]:
        return [f"Both gave the same answers to all {report['n']:,} rows."]
    main = metric_title(report["metric"])
    when = "With the adapter" if before(report) == "Base" else "After the training"
    low, high = found["interval"]
    size = f"{abs(found['value']):.1f} points {'higher' if found['value'] >= 0 else 'lower'}"
    first = f"{when}, {main} is {size} on the same {report['n']:,} rows (95 % interval {_span(low, high)})."
    test = f"p {p_value(found['p_value'])}, {found['test']}"
    if found["p_value"] < LIKELY_CHANCE_FROM:
        second = f"The difference is unlikely to be chance ({test})."
    else:
        second = f"The difference may be chance ({test}); more held-out rows would tell."
    answers = "1 answer" if report["changed"] == 1 else f"{report['changed']:,} answers"
    counts = f"{answers} changed: {report['better']:,} score better, {report['worse']:,} worse."
    return [first, second, counts]


def _cautions(report: Report) -> list[str]:
    """What makes the figures say little, whatever they are."""
    kinds = {name: parts.get("support", 0) for name, parts in report["adapter"]["per_class"].items()}
    measured = [name for name, support in kinds.items() if support]
    said = []
    if report["n"] < FEW_ROWS:
        rows = "row was" if report["n"] == 1 else "rows were"
        said.append(f"Only {report['n']} {rows} held out: on others the figures may be quite different.")
    if report["metric"] == "macro_f1" and len(measured) == 1:
        said.append(
            f"All held-out rows have the label '{_short(measured[0])}', so it isn't shown how labels are told apart."
        )
    if report["metric"] == "entity_f1" and not measured:
        said.append("No held-out row has an entity: the figures are 0 even where it is right to find none.")
    if report["metric"] == "f1" and measured == ["no_answer"]:
        said.append("No held-out question has an answer: one that never answers would reach 100.")
    return said


def _span(low: float, high: float) -> str:
    return f"{low:+.1f} to {high:+.1f}"


def p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def overview_table(report: Report) -> list[list[str]]:
    """Cells of a small table, header first: a metric each line, then the number of rows and of changed answers."""
    main, base, adapter = report["metric"], report["base"], report["adapter"]
    names = [main, *(name for name in adapter["metrics"] if name != main)]
    lines = [["", before(report), "Adapter", "Difference"]]
    for name in names:
        after = adapter["metrics"][name]
        old = base["metrics"].get(name) if base else None
        with_interval = name == main
        lines.append(
            [
                metric_title(name),
                NOTHING if old is None else cell(old, base["interval"] if with_interval else None),
                cell(after, adapter["interval"] if with_interval else None),
                NOTHING if old is None else difference(after - old),
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
    header = ["", "Rows", *([before(report)] if has_base else []), metric_title(main)]
    header += [metric_title(name) for name in extra]
    lines = []
    for name, parts in sorted(adapter.items(), key=lambda item: -item[1].get("support", 0)):
        old = [_number(base.get(name, {}).get(main))] if has_base else []
        figures = [_number(parts.get(key)) for key in (main, *extra)]
        lines.append([_plain(name), f"{parts.get('support', 0):,.0f}", *old, *figures])
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
        f'<table class="pg-table pg-matrix"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def groups(report: Report, named: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """The main metric on some of the rows each, with a chart: the base hollow, the adapter full with its interval."""
    if len(named) < 2:
        return ""
    main = metric_title(report["metric"])
    has_base = any(part["base"] is not None for _, part in named)
    head = "".join(
        f'<th scope="col">{escape(name)}</th>' for name in ("", "Rows", *([before(report)] if has_base else []), main)
    )
    lines = []
    for name, part in named:
        interval = interval_of(part)
        spread = f" <small>({interval[0]:.1f} to {interval[1]:.1f})</small>" if interval else ""
        old = f'<td class="pg-number">{_number(part["base"])}</td>' if has_base else ""
        lines.append(
            f'<tr><td dir="auto">{escape(name)}</td><td class="pg-number">{part["n"]:,}</td>{old}'
            f'<td class="pg-number">{part["adapter"]:.1f}{spread}</td>'
            f'<td class="pg-chart">{report_charts.track(part["base"], part["adapter"], interval)}</td></tr>'
        )
    return (
        f'<div class="pg-scroll" tabindex="0" role="region" aria-label="{escape(main)} by group">'
        f'<table class="pg-table"><thead><tr>{head}<th scope="col">0 to 100</th></tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def interval_of(part: Mapping[str, Any]) -> Sequence[float] | None:
    """The interval of some of the rows; None where these are so few that drawing them again shows nothing."""
    interval: Sequence[float] = part["interval"]
    return interval if part["n"] >= FEWEST_FOR_INTERVAL else None


def calibration(report: Report) -> str:
    """How sure the answers were against how often they were right."""
    points = {name: report["calibration"].get(name, []) for name in ("base", "adapter")}
    if not points["adapter"]:
        return ""
    old = before(report).lower()
    hollow = f"{'what was before' if old == 'before' else 'the base'} hollow"
    key = f"the adapter full, {hollow}" if points["base"] else "the adapter"
    lines = [
        (
            old if name == "base" else name,
            f"{100 * one['confidence']:.0f} %",
            f"{100 * one['accuracy']:.0f} %",
            f"{one['n']:,}",
        )
        for name in ("adapter", "base")
        for one in points[name]
    ]
    return (
        '<p class="pg-lead">Across: how sure it says it is, in percent. Up: how often it is right then. On the dashed '
        f"line the two agree ({key}).</p>{report_charts.reliability(points)}"
        f"<details><summary>As a table</summary>{table(('', 'Sure', 'Right', 'Answers'), lines)}</details>"
    )


def learning_curve(report: Report) -> str:
    """What parts of the rows gave, and whether more of them would give more, or why that is not known."""
    curve = report["learning_curve"]
    words = "".join(f'<p class="pg-verdict">{escape(line)}</p>' for line in advice(report))
    if not curve:
        return words
    points = curve["points"]
    lines = [(f"{one['rows']:,}", cell(one["value"], one["interval"])) for one in points]
    return (
        f'{words}<p class="pg-lead">Across: rows learnt from. Up: {escape(metric_title(report["metric"]))}, with its '
        f"95 % interval.</p>{report_charts.learning_curve(points)}"
        f"<details><summary>As a table</summary>{table(('Rows', metric_title(report['metric'])), lines)}</details>"
    )


def advice(report: Report) -> list[str]:
    """Whether more rows would help, and what that is based on; without a learning curve why there is none, if known."""
    curve = report["learning_curve"]
    if not curve:
        return list(filter(None, [report.get("no_learning_curve")]))
    points, (low, high) = curve["points"], curve["gain"]["interval"]
    fewer, all_rows = points[-2]["rows"], points[-1]["rows"]
    if low > 0:
        first = "More rows like these would probably help."
    elif high < WORTH_MORE_ROWS:
        first = "More rows like these would hardly help; cleaner labels or other settings may."
    else:
        first = "It can't be told whether more rows would help; measured on more rows, it could."
    found = f"{difference(curve['gain']['value'])} (95 % interval {_span(low, high)})"
    parts = _listed([point["rows"] for point in points])
    second = (
        f"From {fewer:,} to {all_rows:,} rows, {metric_title(report['metric'])} changed by {found}. For this the same "
        f"training was done on {parts} of the rows, and measured on the same {report['n']:,} held-out rows."
    )
    return [first, second]


def _listed(numbers: Sequence[int]) -> str:
    *most, last = (f"{number:,}" for number in numbers)
    return f"{', '.join(most)} and {last}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    cells = ("".join(f'<td dir="auto">{escape(_short(value))}</td>' for value in row) for row in rows)
    lines = "".join(f"<tr>{line}</tr>" for line in cells)
    return (
        '<div class="pg-scroll" tabindex="0" role="region" aria-label="Table"><table class="pg-table">'
        f"<thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


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
    same = part["from"] == part["to"]
    return f"{part['from']:,} characters" if same else f"{part['from']:,} to {part['to']:,} characters"


def _plain(name: str) -> str:
    return {"has_answer": "The text has the answer", "no_answer": "The text has no answer"}.get(name, name)


def cell(value: float, interval: Sequence[float] | None) -> str:
    return f"{value:.1f} ({interval[0]:.1f} to {interval[1]:.1f})" if interval else f"{value:.1f}"


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1f}"


def _short(value: str) -> str:
    return value if len(value) <= LONGEST_CELL else f"{value[: LONGEST_CELL - 1]}…"


def _shaded(count: int, total: int, *, is_right: bool) -> str:
    share = round(100 * min(max(count / total, 0), 1))
    kind = "pg-hit" if is_right else "pg-miss"
    return f'<td class="pg-number {kind}" style="--pg-share:{share}%">{count:,}</td>'
