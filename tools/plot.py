"""Line charts as SVG pictures with logarithmic axes, which gnuplot draws."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from command import CommandFailure, run

Points = Sequence[tuple[float, float]]
STYLE = (
    "set terminal svg size 900,460 noenhanced font 'sans-serif,13' background '#ffffff'",
    "set logscale xy",
    "set grid",
    "set key outside right top Left reverse",
)


def quoted(text: str) -> str:
    """Returns the text as gnuplot wants it."""
    return "'" + text.replace("'", "''") + "'"


def around(values: Sequence[float]) -> str:
    """Returns an axis that leaves some room on both sides of the values."""
    return f"[{min(values) / 1.2:g}:{max(values) * 1.2:g}]"


def line_chart(
    picture: Path, title: str, x_label: str, y_label: str, lines: Mapping[str, Points]
) -> None:
    """Writes the picture, and beside it gnuplot's commands. Each line has a name and at least one
    point; all numbers are above 0. Raises CommandFailure if gnuplot cannot draw it."""
    sizes = sorted({x for points in lines.values() for x, _ in points})
    commands = [
        *STYLE,
        f"set output {quoted(str(picture))}",
        f"set title {quoted(title)}",
        f"set xlabel {quoted(x_label)}",
        f"set ylabel {quoted(y_label)}",
        f"set xrange {around(sizes)}",
        f"set yrange {around([y for points in lines.values() for _, y in points])}",
        f"set xtics ({', '.join(f'{size:g}' for size in sizes)})",
    ]
    for number, points in enumerate(lines.values()):
        commands += [f"$line{number} << END", *(f"{x:g} {y:g}" for x, y in points), "END"]
    drawn = [
        f"$line{number} with linespoints linewidth 2 pointtype 7 title {quoted(name)}"
        for number, name in enumerate(lines)
    ]
    source = picture.with_suffix(".gnuplot")
    source.write_text("\n".join([*commands, f"plot {', '.join(drawn)}", ""]), encoding="utf-8")
    done = run(["gnuplot", source])
    if not done.succeeded:
        raise CommandFailure(f"gnuplot cannot draw {picture.name}: {done.output.strip()}")
