#!/usr/bin/env python3
"""Grades some students of a class that `./grade-cow --class` has planned, one after the other:
`worker.py REPORT ID ...`. Several workers, here or on other machines, may share the folder REPORT.

Exit status: 0 all are graded, 2 the command line is wrong, 3 the machine could not grade all.
"""
from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from python_packages import need_packages  # noqa: E402

need_packages("elftools", "rich")

from classroom.grading import Stopped  # noqa: E402
from classroom.progress import line_of  # noqa: E402
from classroom.record import read_class  # noqa: E402
from classroom.unit import FAULT, Way, grade_submission  # noqa: E402
from entry import run_main  # noqa: E402
from grader.cli import blame_machine  # noqa: E402
from grader.errors import InfraError  # noqa: E402

ALL, USAGE, FAULTS = 0, 2, 3


def main() -> int:
    """Grades; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("ids", nargs="+", metavar="ID")
    arguments = parser.parse_args()
    try:
        info = read_class(arguments.report)
    except (OSError, ValueError) as error:
        parser.error(f"there is no plan of a class: {error}")
    known = {submission["id"]: submission for submission in info["submissions"]}
    unknown = [identity for identity in arguments.ids if identity not in known]
    if unknown:
        parser.error(f"nobody in this class has the id {unknown[0]!r}")
    way = Way(arguments.report.absolute(), info["words"])
    stop_at_signals(way)
    faults = 0
    for identity in arguments.ids:
        try:
            outcome = grade_submission(way, info, known[identity])
        except InfraError as error:
            return blame_machine(str(error))
        except Stopped:
            return FAULTS
        faults += outcome.what == FAULT
        print(f"{outcome.what}: {line_of(outcome)}", flush=True)
    return FAULTS if faults else ALL


def stop_at_signals(way: Way) -> None:
    """Lets SIGTERM and SIGINT end the grading in good order."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: way.stop.set())


if __name__ == "__main__":
    run_main(main)
