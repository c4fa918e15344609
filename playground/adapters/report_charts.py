"""The charts of a report as inline SVG; their style is in the sheet of the page around them."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

LEFT, TOP, SIDE = 20, 10, 200
"""Where the square of a chart from 0 to 100 % lies, and how long its sides are."""
TICKS = (0, 50, 100)


def track(base: float | None, adapter: float, interval: Sequence[float] | None) -> str:
    """A line from 0 to 100 with the interval, the adapter's dot and the base's ring."""
    ring = "" if base is None else f'<circle class="pg-base" cx="{_place(base)}" cy="7" r="3.2"/>'
    bar = f'<path class="pg-interval" d="M{_place(interval[0])} 7H{_place(interval[1])}"/>' if interval else ""
    return (
        '<svg class="pg-track-chart" viewBox="0 0 110 14" aria-hidden="true"><path class="pg-grid" d="M5 7H105"/>'
        f'{bar}{ring}<circle class="pg-adapter" cx="{_place(adapter)}" cy="7" r="3.2"/></svg>'
    )


def reliability(points: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """The reliability diagram (DeGroot and Fienberg 1983): on the diagonal, certainty is what it claims to be.

    Args:
        points: of ``base`` and ``adapter``, as `playground.evaluation.calibration.reliability` gives them.
    """
    said = "; ".join(
        f"{100 * one['confidence']:.0f} % sure, {100 * one['accuracy']:.0f} % right" for one in points["adapter"]
    )
    spots = {name: [(one["confidence"], one["accuracy"]) for one in points[name]] for name in ("base", "adapter")}
    across = {at / 100: f"{at}" for at in TICKS}
    diagonal = f'<path class="pg-diagonal" d="M{LEFT} {TOP + SIDE}L{LEFT + SIDE} {TOP}"/>'
    return _square(f"Reliability: {said}", across, diagonal + "".join(_line(spots[name], name) for name in spots))


def learning_curve(points: Sequence[Mapping[str, Any]]) -> str:
    """The metric by the number of rows learnt from, with intervals."""
    most = points[-1]["rows"]
    spots = [(one["rows"] / most, one["value"] / 100) for one in points]
    ends = [(one["rows"] / most, *(_y(end / 100) for end in one["interval"])) for one in points]
    bars = "".join(f'<path class="pg-interval" d="M{_x(x):.1f} {low:.1f}V{high:.1f}"/>' for x, low, high in ends)
    said = "; ".join(f"{one['rows']:,} rows: {one['value']:.1f}" for one in points)
    across = {one["rows"] / most: f"{one['rows']:,}" for one in points}
    return _square(f"Learning curve: {said}", across, bars + _line(spots, "adapter"))


def _square(label: str, across: Mapping[float, str], inside: str) -> str:
    """A chart with `inside` over a grid; `across` says what stands below which place, 0 to 1."""
    places = [at / 100 for at in range(0, 101, 25)]
    grid = "".join(f"M{_x(at):.0f} {TOP}V{TOP + SIDE}M{LEFT} {_y(at):.0f}H{LEFT + SIDE}" for at in places)
    below = "".join(f'<text x="{_x(at):.0f}" y="224" text-anchor="middle">{name}</text>' for at, name in across.items())
    beside = "".join(f'<text x="16" y="{_y(at / 100) + 3:.0f}" text-anchor="end">{at}</text>' for at in TICKS)
    return (
        f'<svg class="pg-curve" viewBox="-10 0 250 232" role="img" aria-label="{escape(label)}">'
        f'<path class="pg-grid" d="{grid}"/>{inside}{below}{beside}</svg>'
    )


def _line(spots: Sequence[tuple[float, float]], name: str) -> str:
    """Dots at places from 0 to 1, joined by lines."""
    drawn = [(_x(x), _y(y)) for x, y in spots]
    dots = "".join(f'<circle class="pg-{name}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in drawn)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
    return f'<polyline class="pg-line pg-line-{name}" points="{path}"/>{dots}'


def _x(share: float) -> float:
    return LEFT + SIDE * _within(share)


def _y(share: float) -> float:
    return TOP + SIDE * (1 - _within(share))


def _place(value: float) -> str:
    return f"{5 + 100 * _within(value / 100):.1f}"


def _within(share: float) -> float:
    return min(max(share, 0.0), 1.0)
