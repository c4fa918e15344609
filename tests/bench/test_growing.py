import itertools
import xml.etree.ElementTree as ET

import pytest

from tests.bench.growing import Line, Series, chart, short

SIZES = [1, 10, 100, 1000]


def series(*lines):
    return Series("texts <at once>", SIZES, list(lines))


@pytest.mark.parametrize(
    ("values", "expected", "growth"),
    [
        ([3.0 * size**2 for size in SIZES], 2, "above"),
        ([0.5 * size for size in SIZES], 1, "linear"),
        ([7.0] * 4, 0, "below"),
        ([None, 2.0, 0.0, 2.0 * 100**1.5], 1.5, "above"),
    ],
)
def test_the_exponent_is_that_of_the_law_behind_the_figures(values, expected, growth):
    line = Line("writing", "s", values)
    assert series(line).exponent(line) == pytest.approx(expected)
    assert series(line).growth(line) == growth


def test_a_fixed_cost_does_not_hide_what_grows_faster_than_linearly():
    line = Line("writing", "s", [100 + 0.1 * size**2 for size in SIZES])
    assert series(line).exponent(line) < 1.3 < series(line).exponent_at_the_end(line)
    assert series(line).growth(line) == "above"


def test_rates_and_single_figures_have_no_growth():
    rate, single = (
        Line("of all", "tokens/s", [1.0, 9.0, 80.0, 700.0], is_cost=False),
        Line("a", "s", [1.0, *[None] * 3]),
    )
    assert series(rate).growth(rate) == series(single).growth(single) == ""


def test_a_chart_has_a_panel_for_each_unit_and_its_dots_where_the_figures_are():
    linear = Line("writing", "s", [2.0, 20.0, 200.0, 2000.0])
    drawn = ET.fromstring(
        chart(
            series(
                linear,
                Line("prompts", "s", [None, 0.0, 5.0, None]),
                Line("of all", "tokens/s", [5.0] * 4, is_cost=False),
                Line("told to wait", "%", [0.0] * 4, is_cost=False),
            )
        )
    )
    svg = "{http://www.w3.org/2000/svg}"
    panels = drawn.findall(f"{svg}g")
    assert [panel.find(f"{svg}text[@class='name']").text for panel in panels] == ["s", "tokens/s"]
    dots = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in panels[0].findall(f"{svg}circle[@class='d0']")]
    steps = [(round(x1 - x0, 1), round(y0 - y1, 1)) for (x0, y0), (x1, y1) in itertools.pairwise(dots)]
    assert len(dots) == 4
    assert max(abs(one[axis] - steps[0][axis]) for one in steps for axis in (0, 1)) <= 0.2
    assert min(min(step) for step in steps) > 0
    # What grows linearly lies on the dotted line.
    dotted = panels[0].find(f"{svg}path[@class='linear']").get("d")
    assert dotted == f"M{dots[0][0]:.1f} {dots[0][1]:.1f}L{dots[-1][0]:.1f} {dots[-1][1]:.1f}"
    assert len(panels[0].findall(f"{svg}circle[@class='d1']")) == 1
    assert panels[1].find(f"{svg}path[@class='linear']") is None
    assert any(text.text == "texts <at once>" for text in panels[0].findall(f"{svg}text"))
    assert "prefers-color-scheme:dark" in drawn.find(f"{svg}style").text


@pytest.mark.parametrize(("value", "said"), [(0.01234, "0.0123"), (7.0, "7"), (99.5, "99.5"), (12345.6, "12,346")])
def test_figures_are_cut_to_what_counts(value, said):
    assert short(value) == said
