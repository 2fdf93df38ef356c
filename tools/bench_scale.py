#!/usr/bin/env python3
"""Measures what work costs when there is more of it, and judges if a unit of it stays as cheap.

user/tests/scale.c does the work: among up to 512 processes, with up to 4,096 pages, 10,000 entries
of a directory, files of 1 GiB, 256 pipes, and on up to 8 harts. On one hart, what is counted are
executed instructions, exactly (-icount). On several harts it is simulated time: instructions of a
hart, while QEMU keeps all harts in step (tools/plugin/lockstep.c).

Prints for each curve the cost of a unit of work at each size, and the growth: the highest ratio of
a cost to the cost at a smaller size. If one is above the limit, the exit status is 1. The plots are
in build/scale, as SVG. --short measures fewer sizes, and nothing that takes long.
"""
from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from command import CommandFailure, make, run
from entry import run_main
from lockstep import lockstep_guest, plugin_problem, read_marks
from plot import line_chart
from products import ROOT, product, target
from qemu import ICOUNT, RESULTS, Guest, GuestFailure
from scale_curves import JUDGED_HARTS_MAX, ONE_HART, SEVERAL_HARTS, SINGLE_STREAM, Curve, Plot

PICTURES = product("build/scale")
LINE = re.compile(r"^scale (\S+) (\d+) (\d+) (\d+) (\d+)$", re.MULTILINE)
DONE = re.compile(r"^scale done$", re.MULTILINE)
BEGIN, END = 1, 2  # the marks of user/tests/scale.c
SLIPS_MAX = 20
TIME_ERROR_MAX = 0.05
Costs = dict[int, float]  # of a unit of work, by size
Times = dict[tuple[str, int], float]  # of a unit of work, by curve and number of streams


@dataclass(frozen=True)
class Point:
    """What scale says about a curve at one size."""

    curve: str
    size: int
    instructions: int
    units: int
    rounds: int


@dataclass(frozen=True)
class Result:
    """The costs of a curve, and the size up to which they are judged."""

    curve: Curve
    costs: Costs
    judged_max: int | None = None

    @property
    def growth(self) -> float:
        """Returns the highest ratio of a cost to that at a smaller size."""
        costs = [self.costs[size] for size in sorted(self.costs) if self.is_judged(size)]
        return max((cost / min(costs[:i]) for i, cost in enumerate(costs) if i), default=1.0)

    def is_judged(self, size: int) -> bool:
        """Tells whether the cost at that size is judged."""
        return self.judged_max is None or size <= self.judged_max

    def is_good(self) -> bool:
        """Tells whether the cost does not grow, but for the limit."""
        return self.growth <= self.curve.growth_max


# ---- Guests ----


def finish(guest: Guest) -> list[Point]:
    """Waits for the end of a guest that runs scale; returns the points."""
    with guest:
        status = guest.wait()
    guest.image.unlink()
    if status != 0 or not DONE.search(guest.text()):
        raise GuestFailure(f"scale ends with status {status}:\n{guest.tail()}")
    return [
        Point(name, *map(int, numbers)) for name, *numbers in LINE.findall(guest.text())
    ]


def words_of(points: Sequence[tuple[str, Sequence[int]]]) -> str:
    """Returns the kernel's command line that measures these sizes of curves."""
    named = [":".join([name, *map(str, sizes)]) for name, sizes in points]
    return ",".join(["init=/scale", *named])


def large_image(size: str) -> str:
    """Makes an image of that size, with scale in it; returns its name."""
    program, image = target("build/user/stripped/scale"), RESULTS / "scale-large.img"
    make(program)
    RESULTS.mkdir(parents=True, exist_ok=True)
    made = run([product("mkfs/mkfs"), "-s", size, image, product(program)], cwd=ROOT)
    if not made.succeeded:
        raise CommandFailure(made.output)
    return str(image)


def measure_one_hart(plot: Plot, short: bool) -> list[Result]:
    """Measures the curves of a plot on one hart."""
    chosen = [(curve, curve.short if short else curve.sizes) for curve in plot.curves]
    image = large_image(plot.image_size) if plot.image_size else ""
    guest = Guest(
        f"scale-{plot.name}", words=words_of([(curve.name, sizes) for curve, sizes in chosen]),
        mem=plot.mem, image=image, extra=ICOUNT,
    )
    points = finish(guest)
    if image:
        (RESULTS / "scale-large.img").unlink()
    return [
        Result(curve, {
            p.size: p.instructions / p.units for p in points if p.curve == curve.name
        })
        for curve, _ in chosen
    ]


def stream_words(harts: int) -> str:
    """Returns the command line that measures streams: one of each kind, and one for each hart."""
    single = [(curve.name, [1]) for curve in SINGLE_STREAM.curves]
    several = [(curve.name, [harts]) for curve in SEVERAL_HARTS.curves]
    return words_of(single + several)


def times_on(harts: int) -> Times:
    """Measures streams on so many harts; returns the simulated time of a unit of work."""
    name, words = f"scale-{harts}", stream_words(harts)
    points = finish(lockstep_guest(name, words=words, cpus=harts, mem=SEVERAL_HARTS.mem))
    seen = read_marks(name)
    if seen.slips > SLIPS_MAX:
        raise GuestFailure(f"harts did not come to the end of a round {seen.slips} times")
    marks, times = iter(seen.marks), {}
    for point in points:
        rounds = [(next(marks), next(marks)) for _ in range(point.rounds)]
        assert all((begin.number, end.number) == (BEGIN, END) for begin, end in rounds)
        best = min(end.time - begin.time for begin, end in rounds)
        times[point.curve, point.size] = best / point.units
    return times


def check_times(times: Times) -> None:
    """Compares simulated time on one hart with the instructions that QEMU counts there. (While the
    disk is read, the two differ in what counts as idle.)"""
    words = words_of([(curve.name, [1]) for curve in SEVERAL_HARTS.curves])
    guest = Guest("scale-count", words=words, mem=SEVERAL_HARTS.mem, extra=ICOUNT)
    for point in finish(guest):
        count = point.instructions / point.units
        ratio = times[point.curve, point.size] / count
        if abs(ratio - 1) > TIME_ERROR_MAX:
            raise GuestFailure(
                f"{point.curve}: {count:.0f} instructions on one hart, but simulated time is "
                f"{ratio:.2f} times as much: tools/plugin/lockstep.c counts wrong"
            )


def measure_several_harts(short: bool) -> list[tuple[Plot, list[Result]]]:
    """Measures streams on several harts: with one for each hart the costs are those of a hart."""
    first = SEVERAL_HARTS.curves[0]
    times = {harts: times_on(harts) for harts in (first.short if short else first.sizes)}
    check_times(times[1])
    several = [
        Result(c, {n: times[n][c.name, n] * n for n in times}, JUDGED_HARTS_MAX)
        for c in SEVERAL_HARTS.curves
    ]
    single = [
        Result(c, {n: times[n][c.name, 1] for n in times}) for c in SINGLE_STREAM.curves
    ]
    return [(SEVERAL_HARTS, several), (SINGLE_STREAM, single)]


# ---- What is shown ----


def table(plot: Plot, results: Sequence[Result]) -> Iterator[str]:
    """Yields a plot's lines: what a unit costs at each size, and the growth."""
    sizes = sorted({size for result in results for size in result.costs})
    yield f"{plot.title}, by {plot.size}"
    yield f"{'':38}" + "".join(f"{size:>10,}" for size in sizes) + f"{'growth':>9}  limit"
    for result in results:
        costs = [f"{result.costs[n]:>10,.0f}" if n in result.costs else " " * 10 for n in sizes]
        verdict = "" if result.is_good() else "  GROWS"
        growth = f"x{result.growth:.2f}"
        limit = f"x{result.curve.growth_max:.2f}"
        yield f"  {result.curve.title:36}{''.join(costs)}{growth:>9}  {limit}{verdict}"


def draw(plot: Plot, results: Sequence[Result]) -> None:
    """Writes the plot's picture."""
    lines = {result.curve.title: sorted(result.costs.items()) for result in results}
    PICTURES.mkdir(parents=True, exist_ok=True)
    line_chart(PICTURES / f"{plot.name}.svg", plot.title, plot.size, plot.cost, lines)


def show(plot: Plot, results: Sequence[Result]) -> bool:
    """Prints and draws a plot; returns whether no curve grows."""
    print("\n".join(table(plot, results)), flush=True)
    draw(plot, results)
    return all(result.is_good() for result in results)


def main() -> int:
    """Measures, prints, draws and judges the plots that are named, or all."""
    names = [plot.name for plot in (*ONE_HART, SEVERAL_HARTS)]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="measure less")
    parser.add_argument(
        "plots", nargs="*", help=f"measure only these: {', '.join(names)} (with single-stream)"
    )
    arguments = parser.parse_args()
    wanted = arguments.plots or names
    unknown = [name for name in wanted if name not in names]
    if unknown:
        parser.error(f"no such plot: {', '.join(unknown)}")
    good = True
    try:
        for plot in ONE_HART:
            if plot.name in wanted and not (arguments.short and plot.only_in_full):
                good = show(plot, measure_one_hart(plot, arguments.short)) and good
        problem = plugin_problem() if SEVERAL_HARTS.name in wanted else ""
        if problem:
            print(f"skipped: several harts, because QEMU cannot load the plugin: {problem}")
        elif SEVERAL_HARTS.name in wanted:
            for plot, results in measure_several_harts(arguments.short):
                good = show(plot, results) and good
    except CommandFailure as failure:
        print(f"bench-scale: {failure}")
        return 1
    print(f"plots: {target('build/scale')}/")
    return 0 if good else 1


if __name__ == "__main__":
    run_main(main)
