"""Tests of tools/bench_scale.py and of what it uses: growth, tables, pictures, marks."""
from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import lockstep
import pytest
from bench_scale import Result, table, words_of
from command import CommandFailure
from lockstep import Mark, read_marks
from plot import line_chart
from products import ROOT
from scale_curves import ONE_HART, SEVERAL_HARTS, SINGLE_STREAM, Curve, Plot

CURVE = Curve("fork", "fork+exit+wait", (1, 2, 4))
PLOT = Plot("processes", "Processes", "processes", (CURVE,))


@pytest.mark.parametrize("costs, growth", [
    ((100, 100, 100), 1.0), ((100, 50, 60), 1.2), ((50, 60, 59), 1.2), ((100, 50, 25), 0.5),
    ((100,), 1.0),
])
def test_growth(costs: tuple[float, ...], growth: float) -> None:
    """It is the highest ratio of a cost to one at a smaller size, so that becoming cheaper at first
    hides nothing."""
    result = Result(CURVE, dict(zip((1, 2, 4), costs)))
    assert result.growth == pytest.approx(growth)
    assert result.is_good() == (growth <= CURVE.growth_max)


def test_sizes_that_are_only_shown() -> None:
    """Costs at sizes above those that are judged do not matter."""
    costs = {1: 100.0, 4: 110.0, 8: 400.0}
    assert Result(CURVE, costs, 4).is_good() and not Result(CURVE, costs).is_good()


def test_table() -> None:
    """Curves that grow are named so, and a size at which a curve was not measured stays empty."""
    other = Curve("kill", "fork+kill+wait", (1, 4))
    lines = list(table(PLOT, [Result(CURVE, {1: 10, 2: 10, 4: 20}), Result(other, {1: 7, 4: 7})]))
    assert lines[2].split() == ["fork+exit+wait", "10", "10", "20", "x2.00", "x1.15", "GROWS"]
    assert lines[3].split() == ["fork+kill+wait", "7", "7", "x1.00", "x1.15"]
    assert len(lines[2]) == len(lines[3]) + len("  GROWS")


def test_curves_are_those_of_the_program() -> None:
    """The program of the guest has each curve, and the command line has room for all of a plot."""
    program = (ROOT / "user/tests/scale.c").read_text(encoding="utf-8")
    for plot in (*ONE_HART, SEVERAL_HARTS, SINGLE_STREAM):
        assert len(plot.curves) < 16
        for curve in plot.curves:
            assert f'{{"{curve.name}", ' in program
            assert list(curve.sizes) == sorted(set(curve.sizes))
    assert words_of([("fork", (1, 2)), ("kill", (3,))]) == "init=/scale,fork:1:2,kill:3"


def texts_of(picture: Path, lines: dict[str, list[tuple[float, float]]]) -> set[str]:
    """Draws lines; returns the texts in the picture."""
    line_chart(picture, "A & B", "size", "cost's", lines)
    root = ElementTree.parse(picture).getroot()
    return {"".join(element.itertext()).strip() for element in root.iter()}


def test_picture(tmp_path: Path) -> None:
    """A picture has its titles and a line for each curve, whatever characters they have; one point
    is enough."""
    texts = texts_of(tmp_path / "two.svg", {"a<b_1": [(1, 5), (10, 7)], "it's": [(1, 5)]})
    assert {"A & B", "a<b_1", "it's", "size", "cost's", "10"} <= texts
    assert "line" in texts_of(tmp_path / "one.svg", {"line": [(3, 3)]})


def test_picture_that_cannot_be_drawn(tmp_path: Path) -> None:
    """What gnuplot complains of is passed on."""
    with pytest.raises(CommandFailure, match="gnuplot cannot draw x.svg: .*undefined"):
        line_chart(tmp_path / "x.svg", "title", "size", "cost", {"line": [(1, float("nan"))]})


def test_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks are read in their order, and the slips at the end."""
    monkeypatch.setattr(lockstep, "RESULTS", tmp_path)
    lockstep.marks_file("x").write_text(
        "mark 1 hart 0 time 100 executed 90 5\nmark 2 hart 1 time 250 executed 200 99\n"
        "end slips 3\n"
    )
    marks = read_marks("x")
    assert marks.marks == [Mark(1, 0, 100, (90, 5)), Mark(2, 1, 250, (200, 99))]
    assert marks.slips == 3
