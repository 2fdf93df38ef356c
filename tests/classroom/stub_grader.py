#!/usr/bin/env python3
"""Stands in for grade-cow: a file `verdict` in what was handed in says how the grading goes.

A number is the points. `fault` is a fault of the machine, `fault once` only the first time; `wait`
goes on until a file `.go` appears beside it (hidden files are no part of what was handed in); `die`
ends by a signal; `kill` kills the worker; `break` writes half of the results.
"""
from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools")]

from grader.errors import GRADED, MACHINE_FAULT  # noqa: E402
from grader.options import read_seed  # noqa: E402
from grader.results import Results, write_json  # noqa: E402
from grader.run import Result, Test  # noqa: E402
from grader.score import Score  # noqa: E402


def main() -> int:
    """Grades; returns the exit status that grade-cow would have."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--seed", type=read_seed)
    arguments, others = parser.parse_known_args()
    folder = Path(others[-1])
    with open(folder / ".gradings", "a", encoding="utf-8") as log:
        log.write(f"{os.getpid()}\n")
    (folder / ".words").write_text(" ".join(sys.argv))
    verdict = (folder / "verdict").read_text().strip()
    if verdict == "wait":
        (folder / ".waiting").touch()
        while not (folder / ".go").exists():
            time.sleep(0.01)
        verdict = "100"
    if verdict == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if verdict == "kill":
        os.kill(os.getppid(), signal.SIGKILL)
    is_first = len((folder / ".gradings").read_text().split()) == 1
    fails = verdict == "fault" or verdict == "fault once" and is_first
    if verdict == "break":
        arguments.json.write_text('{"format": 1, "sco')
        return 0
    points = int(verdict) if verdict.isdecimal() else 0 if fails else 100
    write_json(arguments.json, results(str(folder), arguments.seed, points, fails))
    return 3 if fails else 0 if points == 100 else 1


def results(source: str, seed: int, points: int, fails: bool) -> Results:
    """Returns results with so many points."""
    tests = [Test("won", "A", points, ""), Test("lost", "A", 100 - points, "")]
    score = Score(source, "cow6", seed, {"A": "all"}, tests, {"won": Result(tests[0])})
    score.status = MACHINE_FAULT if fails else GRADED
    score.reason = "no space left" if fails else ""
    return score.as_results()


if __name__ == "__main__":
    sys.exit(main())
