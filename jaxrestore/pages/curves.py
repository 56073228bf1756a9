"""Curves, drawn as SVG in the page."""

import math
from collections.abc import Sequence

from jaxrestore.pages.markup import Html, element

WIDTH, HEIGHT = 420, 220
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 40
Points = Sequence[tuple[float, float]]


def logarithmic(series: Sequence[Points], x: str, y: str, alt: str) -> Html:
    """Lines by a logarithmic axis of positive numbers: points that are not are left out, of fewer than two nothing is drawn.

    `x` and `y` name the axes, `alt` says what is seen.

    >>> logarithmic([[(1.0, 1.0), (2.0, 0.0)]], "iteration", "data term", "nothing to see")
    ''
    """
    series = [[(at, value) for at, value in points if 0 < value < math.inf] for points in series]
    series = [points for points in series if len(points) > 1]
    if not series:
        return Html("")
    every = [point for points in series for point in points]
    low, high = (pick(math.log10(value) for _, value in every) for pick in (min, max))
    low, high = (low - 0.05, high + 0.05) if high - low < 0.1 else (low, high)
    first, last = (pick(at for at, _ in every) for pick in (min, max))

    def place(at: float, level: float) -> tuple[float, float]:
        across = LEFT + (at - first) / max(last - first, 1e-12) * (WIDTH - LEFT - RIGHT)
        return across, TOP + (high - level) / (high - low) * (HEIGHT - TOP - BOTTOM)

    lines = []
    for points in series:
        path = " ".join("{:.1f},{:.1f}".format(*place(at, math.log10(value))) for at, value in points)
        lines.append(element("path", d=f"M {path}", class_="curve"))
    marks = []
    for level in _levels(low, high):
        _, height = place(first, level)
        marks.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{height:.1f}", y2=f"{height:.1f}", class_="axis"))
        marks.append(element("text", f"{10**level:.2g}", x=LEFT - 8, y=f"{height + 4:.1f}", text_anchor="end"))
    bottom = HEIGHT - BOTTOM
    for at, anchor in ((first, "start"), (last, "end")):
        marks.append(element("text", f"{at:g}", x=f"{place(at, low)[0]:.1f}", y=bottom + 18, text_anchor=anchor))
    middle = (LEFT + WIDTH - RIGHT) / 2
    marks.append(element("text", x, x=middle, y=bottom + 34, text_anchor="middle"))
    marks.append(
        element(
            "text",
            y,
            x=14,
            y=(TOP + bottom) / 2,
            text_anchor="middle",
            transform=f"rotate(-90 14 {(TOP + bottom) / 2})",
        )
    )
    return element("svg", *marks, *lines, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=alt)


def _levels(low: float, high: float) -> list[float]:
    """Powers of ten between two exponents, with their halves and fifths where there are few; or the ends."""
    whole = range(math.floor(low), math.ceil(high) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        levels = [power + math.log10(factor) for power in whole for factor in factors]
        levels = [level for level in levels if low <= level <= high]
        if len(levels) >= 3:
            return levels[:: math.ceil(len(levels) / 6)]
    return [low, high]
