"""What the terminal says about a class at the end; plain lines if the output goes elsewhere."""
from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from classroom.record import ClassInfo, Record
from grader.display import display
from reports.overview import Overview, make_overview

WIDTH = 100  # where there is no terminal
BAR = 40
SHOWN, NOT_GRADED_SHOWN = 5, 30
REASON_COLUMNS = 160


def print_summary(
    info: ClassInfo, records: Sequence[Record], stream: TextIO | None = None
) -> None:
    """Prints how the class did."""
    target = stream or sys.stdout
    is_terminal = target.isatty()
    text = io.StringIO()
    console = Console(
        file=target if is_terminal else text, highlight=False, markup=False, emoji=False,
        force_terminal=is_terminal, width=None if is_terminal else WIDTH,
    )
    overview = make_overview(info, records)
    for line in head_lines(overview):
        console.print(Text(line))
    mark = "━" if is_terminal else "#"
    missing = ("Missing protections", missing_protections(records))
    for title, rows in [*sections(overview, mark), *([missing] if missing[1] else [])]:
        console.print()
        console.print(Text(title, style="bold"))
        console.print(_table(rows))
    for line in text.getvalue().splitlines():
        print(line.rstrip(), file=target)


def head_lines(overview: Overview) -> list[str]:
    """Returns how many there are, and how good they are."""
    info, scores = overview.info, overview.scores
    counts = [
        f"{len(overview.graded)} graded", f"{len(overview.refused)} refused",
        f"{len(overview.missing)} without a submission",
        f"{len(overview.unfinished)} without a result",
    ]
    title = display(info["title"], lines=1)
    lines = [f"{title}: {len(overview.students)} students, {', '.join(counts)}"]
    if scores:
        first, third = scores.quartiles
        lines.append(
            f"mean {scores.mean:.1f}, median {scores.median:g}, quartiles {first:g} and {third:g}, "
            f"of {info['max_score']} points, among those who were graded"
        )
    return lines


Row = tuple[str, ...]


def sections(overview: Overview, mark: str) -> list[tuple[str, list[Row]]]:
    """Returns titles with rows; sections without rows are left out."""
    found: list[tuple[str, list[Row]]] = [
        ("Scores", _histogram(overview, mark) if overview.graded else []),
        ("Tests that most lost", [
            (lost.test["id"], f"{lost.share:.0%}", f"{lost.lost} of {lost.ran}")
            for lost in overview.hardest[:SHOWN]
        ]),
        ("Most common causes", [
            (f"{cause.students}", _short(cause.text)) for cause in overview.causes[:SHOWN]
        ]),
        ("Slowest", [
            (student.id, f"{student.cpu_seconds:.0f} s of CPU time")
            for student in overview.slowest if student.cpu_seconds
        ]),
        ("Not graded", _not_graded(overview)),
    ]
    return [(title, rows) for title, rows in found if rows]


def missing_protections(records: Sequence[Record]) -> list[Row]:
    """Returns a row for each that was missing between submissions and a machine."""
    found = Counter(line for record in records for line in record["results"]["missing"])
    number = len(records)
    return [(display(line, lines=1), f"{times} of {number}") for line, times in found.items()]


def _histogram(overview: Overview, mark: str) -> list[Row]:
    """Returns a row for each bar."""
    most = max(each.students for each in overview.histogram)
    return [
        (each.label.replace("–", "-"), f"{each.students}", mark * -(-each.students * BAR // most))
        for each in overview.histogram
    ]


def _not_graded(overview: Overview) -> list[Row]:
    """Returns who has no verdict, and why."""
    rows: list[Row] = [
        (student.id, student.words, _short(student.reason))
        for student in overview.not_graded[:NOT_GRADED_SHOWN]
    ]
    more = len(overview.not_graded) - len(rows)
    return rows + ([(f"and {more} more: see results.csv",)] if more else [])


def _short(text: str) -> str:
    """Returns the beginning of a text, on one line."""
    return display(" ".join(text.split()), columns=REASON_COLUMNS, lines=1)


def _table(rows: Iterable[Row]) -> Table:
    """Returns rows as columns without lines between them."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(Text(f"  {cell}" if not i else cell) for i, cell in enumerate(row)))
    return table
