"""Figures over a growing load: their exponents of growth, and charts of them on logarithmic axes."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from statistics import linear_regression

TAIL = 3
"""Sizes at the end of which the exponent is also taken by itself: a fixed cost hides the growth of small sizes."""
TOLERANCE = 0.1
"""So far from 1 an exponent still counts as linear."""
COLUMNS = 2
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM, ENTRY = 390, 170, 52, 30, 24, 36, 16
"""Of a panel, in pixels: its place, the height of its plot, what lies around that, and a line of the legend."""
MOST_TICKS = 5
DASHES = ("none", "7 4", "2 3")
STYLE = """
svg{--ground:#fff;--ink:#181e24;--quiet:#4b5661;--edge:#e1e5e9;--line-0:#0f6d62;--line-1:#b3261e;--line-2:#3f51b5}
@media (prefers-color-scheme:dark){
svg{--ground:#181e24;--ink:#f0f2f4;--quiet:#c9d0d6;--edge:#37414b;--line-0:#74c2b5;--line-1:#f2a39d;--line-2:#aab6ff}
}
text{font:11px system-ui,"Segoe UI",Roboto,Arial,sans-serif;fill:var(--quiet)}.name{fill:var(--ink);font-weight:600}
.ground{fill:var(--ground)}.grid{stroke:var(--edge);fill:none}
.linear{stroke:var(--quiet);stroke-dasharray:1 4;fill:none}.line{fill:none;stroke-width:2}
.l0{stroke:var(--line-0)}.l1{stroke:var(--line-1)}.l2{stroke:var(--line-2)}
.d0{fill:var(--line-0)}.d1{fill:var(--line-1)}.d2{fill:var(--line-2)}
"""


@dataclass(frozen=True)
class Line:
    """One figure at each size of a series."""

    title: str
    unit: str
    values: list[float | None]
    """None where it was not measured."""
    is_cost: bool = True
    """Seconds and memory, not rates and shares."""


@dataclass(frozen=True)
class Series:
    """Figures over one kind of load."""

    across: str
    """What `sizes` count."""
    sizes: list[int]
    lines: list[Line]

    def exponent(self, line: Line) -> float | None:
        """The b of the fit ``a * size ** b``; None with fewer than two figures above zero."""
        return exponent(self.points(line))

    def exponent_at_the_end(self, line: Line) -> float | None:
        """The same of the last `TAIL` figures."""
        return exponent(self.points(line)[-TAIL:])

    def growth(self, line: Line) -> str:
        """``below``, ``linear`` or ``above``, by the larger of the two; empty for rates and where there is no fit."""
        found = [one for one in (self.exponent(line), self.exponent_at_the_end(line)) if one is not None]
        if not found or not line.is_cost:
            return ""
        return "linear" if abs(max(found) - 1) <= TOLERANCE else "above" if max(found) > 1 else "below"

    def points(self, line: Line) -> list[tuple[int, float]]:
        """Those that logarithmic axes can show."""
        return [(size, value) for size, value in zip(self.sizes, line.values, strict=True) if value and value > 0]


def exponent(points: Sequence[tuple[float, float]]) -> float | None:
    if len(points) < 2:
        return None
    return linear_regression(*zip(*((math.log(x), math.log(y)) for x, y in points), strict=True)).slope


def chart(series: Series) -> str:
    """An SVG file with a panel for each unit; a dotted line shows what grows linearly."""
    units = {line.unit: [one for one in series.lines if one.unit == line.unit] for line in series.lines}
    shown = {unit: lines for unit, lines in units.items() if any(series.points(line) for line in lines)}
    tall = TOP + HEIGHT + BOTTOM + ENTRY * max(map(len, shown.values()), default=0)
    columns, rows = min(COLUMNS, max(len(shown), 1)), math.ceil(len(shown) / COLUMNS)
    places = [(index % COLUMNS * WIDTH, index // COLUMNS * tall) for index in range(len(shown))]
    panels = "".join(
        f'<g transform="translate({x} {y})">{_panel(series, unit, lines)}</g>'
        for (x, y), (unit, lines) in zip(places, shown.items(), strict=True)
    )
    width, height = columns * WIDTH, rows * tall + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img"><title>{escape(", ".join(shown))} by {escape(series.across)}</title><style>{STYLE}</style>'
        f'<rect class="ground" width="{width}" height="{height}" rx="8"/>{panels}</svg>\n'
    )


class _Axes:
    """Places of figures in a panel, both axes logarithmic."""

    def __init__(self, sizes: Sequence[int], values: Sequence[float]) -> None:
        self.sizes = sizes
        self.low, self.high = _around(min(values), max(values))

    def x(self, size: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * _share(size, self.sizes[0], self.sizes[-1])

    def y(self, value: float) -> float:
        return TOP + HEIGHT * (1 - _share(value, self.low, self.high))

    def path(self, points: Iterable[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in points)

    @property
    def ticks(self) -> list[float]:
        steps = [step for step in _steps(self.low, self.high) if self.low <= step <= self.high]
        tens = [step for step in steps if math.log10(step).is_integer()]
        while len(tens) > MOST_TICKS:
            tens = tens[::2]
        return steps if len(steps) <= MOST_TICKS else tens


def _panel(series: Series, unit: str, lines: Sequence[Line]) -> str:
    drawn = [series.points(line) for line in lines]
    axes = _Axes(series.sizes, [value for points in drawn for _, value in points])
    right, bottom = WIDTH - RIGHT, TOP + HEIGHT
    grid = "".join(f"M{LEFT} {axes.y(tick):.1f}H{right}" for tick in axes.ticks)
    grid += "".join(f"M{axes.x(size):.1f} {TOP}V{bottom}" for size in series.sizes)
    parts = [f'<path class="grid" d="{grid}"/><text class="name" x="{LEFT}" y="18">{escape(unit)}</text>']
    parts += [_text(LEFT - 6, axes.y(tick) + 4, "end", short(tick)) for tick in axes.ticks]
    parts += [_text(axes.x(size), bottom + 15, "middle", f"{size:,}") for size in series.sizes]
    parts.append(_text((LEFT + right) / 2, bottom + 29, "middle", series.across))
    if lines[0].is_cost and drawn[0]:
        parts.append(f'<path class="linear" d="{_linear(axes, drawn[0][0])}"/>')
    for index, (line, points) in enumerate(zip(lines, drawn, strict=True)):
        look = f'class="line l{index}" style="stroke-dasharray:{DASHES[index]}"'
        legend = bottom + BOTTOM + ENTRY * index + 8
        dots = "".join(f'<circle class="d{index}" cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="3"/>' for x, y in points)
        parts.append((f'<path {look} d="{axes.path(points)}"/>' if points else "") + dots)
        parts.append(f'<path {look} d="M{LEFT} {legend - 4}h26"/>' + _text(LEFT + 32, legend, "start", line.title))
    return "".join(parts)


def _linear(axes: _Axes, start: tuple[float, float]) -> str:
    """What grows linearly from `start` on, as far as the panel goes."""
    size, value = start
    end = min(axes.sizes[-1], size * axes.high / value)
    return axes.path([start, (end, value * end / size)])


def _text(x: float, y: float, anchor: str, said: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(said)}</text>'


def _share(value: float, low: float, high: float) -> float:
    return math.log(value / low) / math.log(high / low) if high > low else 0.5


def _steps(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from below `low` to above `high`."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 2)
    return [float(f"{step}e{power}") for power in powers for step in (1, 2, 5)]


def _around(low: float, high: float) -> tuple[float, float]:
    """The next steps below and above."""
    steps = _steps(low, high)
    return max(step for step in steps if step <= low), min(step for step in steps if step > high)


def short(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
