#!/usr/bin/env python3
"""Grades a class of known submissions through the whole path, and compares every verdict.

Says what that took, grades once more (nothing may be graded twice), and ends with
"N passed, M failed". The folder of the class and the report are kept with --keep.
"""
from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests"), str(ROOT)]

from python_packages import need_packages  # noqa: E402

need_packages()

from classroom.record import Record, read_records  # noqa: E402
from entry import run_main  # noqa: E402
from grader.errors import GRADED  # noqa: E402
from grader.folders import remove  # noqa: E402
from grader.options import choose  # noqa: E402
from grader.run import load_lab  # noqa: E402
from orphans import adopt_orphans, reap_orphans  # noqa: E402
from synthetic import Case, make_class  # noqa: E402
from usage import tree_usage  # noqa: E402

LOOK_SECONDS = 1.0


@dataclass
class Load:
    """What grading a class took."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    status: int = 0


def grade(submissions: Path, out: Path, words: Sequence[str]) -> Load:
    """Grades a class; returns what that took."""
    command = [sys.executable, str(ROOT / "grade-cow"), "--class", str(submissions), "--out"]
    load, start = Load(), time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen([*command, str(out), *words]) as process:
        while True:
            try:
                load.status = process.wait(LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                memory = tree_usage(process.pid).memory_bytes
                load.memory_bytes = max(load.memory_bytes, memory)
                reap_orphans(process.pid)
    reap_orphans()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    load.cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    load.wall_seconds = time.monotonic() - start
    return load


def problem_of(case: Case, record: Record | None) -> str:
    """Returns what is wrong with a student's verdict, or ""."""
    if record is None:
        return "there is no result"
    results = record["results"]
    if case.reason:
        if results["status"] == GRADED or not results["complete"]:
            return f"expected it to be refused, saw {results['status']}"
        if case.reason not in results["reason"]:
            return f"expected it to be refused with {case.reason!r}, saw {results['reason']}"
        return ""
    lost = {test["id"] for test in results["tests"] if test["status"] != "passed"}
    if results["status"] != GRADED:
        return f"expected it to be graded, saw {results['status']}: {results['reason']}"
    missed, more = case.fails - lost, lost - case.fails - case.may_fail
    wrong = [f"{test} passed" for test in sorted(missed)]
    return "; ".join(wrong + [f"{test} failed" for test in sorted(more)])


def problems(cases: Sequence[Case], out: Path) -> Iterator[str]:
    """Yields what is wrong with the verdicts."""
    records = {record["submission"]["id"]: record for record in read_records(out)}
    for case in cases:
        problem = problem_of(case, records.get(case.identity))
        if problem:
            yield f"{case.identity} ({case.what}): {problem}"


def run(folder: Path, count: int, seed: int, tests: Sequence[str], words: Sequence[str]) -> int:
    """Makes the class, grades it twice and compares; returns the exit status."""
    cases = make_class(folder / "submissions", count, seed, tests)
    out = folder / "report"
    load = grade(folder / "submissions", out, words)
    # QEMU is killed with its sandbox, so that its time is in the results alone.
    load.cpu_seconds += sum(record["results"]["cpu_seconds"] for record in read_records(out))
    wrong = list(problems(cases, out))
    before = (out / "journal.log").read_text()
    again = grade(folder / "submissions", out, words)
    if (out / "journal.log").read_text() != before:
        wrong.append("the second run grades something again")
    wrong += [f"exit status {each.status}" for each in (load, again) if each.status]
    print("\n".join(wrong))
    print(
        f"{count} submissions, {len(tests)} tests: {load.wall_seconds:.0f} s, "
        f"{load.cpu_seconds:.0f} s of CPU time ({load.cpu_seconds / count:.1f} s each), at most "
        f"{load.memory_bytes >> 20} MiB; once more: {again.wall_seconds:.1f} s"
    )
    print(f"{count - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


def main() -> int:
    """Runs the load test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="submissions (default: 500)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work there, and remove nothing")
    parser.add_argument("-t", "--test", action="append", default=[], help="only these tests")
    parser.add_argument("-j", "--jobs", type=int)
    arguments = parser.parse_args()
    adopt_orphans()
    tests, unknown = choose(load_lab(ROOT / "labs/cow").TESTS, arguments.test)
    if unknown:
        parser.error(f"no such test: {unknown[0]}")
    words = [word for test in arguments.test for word in ("-t", test)]
    words += ["--seed", str(arguments.seed)]
    words += ["-j", str(arguments.jobs)] if arguments.jobs else []
    folder = tempfile.mkdtemp() if arguments.keep is None else str(arguments.keep)
    try:
        names = [test.id for test in tests]
        return run(Path(folder), arguments.count, arguments.seed, names, words)
    finally:
        if arguments.keep is None:
            remove(Path(folder))


if __name__ == "__main__":
    run_main(main)
