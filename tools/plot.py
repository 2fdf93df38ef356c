"""Line charts as SVG pictures, with logarithmic axes: the same numbers give the same bytes."""
from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 900, 460
LEFT, RIGHT, TOP, BOTTOM = 80, 300, 50, 60
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
STEPS = (1, 2, 5)  # ticks of an axis in each power of ten
MARGIN = 1.25  # what is left free above and below the lines
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """A logarithmic scale from `low` to `high`, from one end of the picture's frame to the
    other."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """Returns where a value is in the picture."""
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + part * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Returns the round numbers on the scale."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        every = [step * 10.0**power for power in powers for step in STEPS]
        return [tick for tick in every if self.low <= tick <= self.high]


def text(x: float, y: float, words: str, more: str = "") -> str:
    """Returns a line of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(words)}</text>'


def frame(axes: tuple[Axis, Axis], sizes: Sequence[float]) -> Iterator[str]:
    """Yields the grid, with a tick at each of the sizes."""
    across, up = axes
    for tick in up.ticks():
        y = up.place(tick)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield text(LEFT - 8, y + 4, f"{tick:,g}", 'text-anchor="end"')
    last = -math.inf
    for size in sizes:
        x = across.place(size)
        yield f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
        if x - last > 40:
            yield text(x, HEIGHT - BOTTOM + 18, f"{size:,g}", 'text-anchor="middle"')
            last = x


def line(axes: tuple[Axis, Axis], number: int, name: str, points: Points) -> Iterator[str]:
    """Yields a line with its points, and its entry in the legend."""
    across, up = axes
    colour = COLOURS[number % len(COLOURS)]
    places = [(across.place(x), up.place(y)) for x, y in points]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    yield f'<path fill="none" stroke="{colour}" stroke-width="2" d="M{path}"/>'
    for x, y in places:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
    y = TOP + 12 + 20 * number
    yield f'<path stroke="{colour}" stroke-width="3" d="M{WIDTH - RIGHT + 16} {y - 4}h20"/>'
    yield text(WIDTH - RIGHT + 42, y, name)


def line_chart(title: str, x_label: str, y_label: str, lines: Mapping[str, Points]) -> str:
    """Returns the picture. Each line has a name and at least one point; all numbers are above 0."""
    sizes = sorted({x for points in lines.values() for x, _ in points})
    values = [y for points in lines.values() for _, y in points]
    widest = max(sizes[-1], sizes[0] * MARGIN)
    axes = (
        Axis(sizes[0], widest, LEFT + 12, WIDTH - RIGHT - 12),
        Axis(min(values) / MARGIN, max(values) * MARGIN, HEIGHT - BOTTOM, TOP),
    )
    parts = list(frame(axes, sizes))
    for number, (name, points) in enumerate(lines.items()):
        parts += line(axes, number, name, points)
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(text(middle, HEIGHT - 14, x_label, 'text-anchor="middle"'))
    parts.append(text(LEFT, TOP - 10, y_label))
    parts.append(text(LEFT, 22, title, 'class="title"'))
    style = (
        "text{font:13px sans-serif;fill:#222}.title{font-weight:bold;font-size:16px}"
        ".grid{stroke:#ddd;fill:none}"
    )
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *parts,
        "</svg>",
        "",
    ])
