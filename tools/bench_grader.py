#!/usr/bin/env python3
"""Measures the CPU time of a full grade, and where it goes.

Grades this tree, and the xv6 tree that --xv6 names, several times each with the same seed, and
prints the best: on a busy machine the least is nearest to what the work takes. QEMU's time is what
the results say. All else is the grader's and its commands'; of that, what a run with a single short
test needs is the time to start and to build.
"""
from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from command import CommandFailure
from entry import run_main
from orphans import adopt_orphans, reap_orphans
from products import ROOT

SHORT_TEST = "exec_starts_afresh"
SEED = "1"


@dataclass
class Cost:
    """CPU seconds of one run: QEMU's for each part of the tests, and all others."""

    score: str
    others: float
    qemu: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> float:
        """All CPU seconds."""
        return self.others + sum(self.qemu.values())


def children_seconds() -> float:
    """Returns the CPU time of all children that have ended. QEMU's is not part of it: its sandbox
    is killed, and takes the account along."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def grade(source: Path, tests: list[str]) -> Cost:
    """Grades a submission once; CommandFailure if that is not possible."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        options = ["--seed", SEED, "--jobs", "1", "--json", str(results)]
        before = children_seconds()
        done = subprocess.run(
            [sys.executable, str(ROOT / "grade-cow"), str(source), *tests, *options],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )
        reap_orphans()
        used = children_seconds() - before
        said = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else {}
        if not said.get("complete"):
            raise CommandFailure(f"{source} cannot be graded:\n{done.stdout}")
    cost = Cost(f"{said['score']}/{said['max_score']}", used)
    for test in said["tests"]:
        cost.qemu[test["part"]] += test["cpu_seconds"]
    return cost


def table(name: str, full: Cost, short: Cost) -> str:
    """Returns a submission's rows."""
    rows = [("start and build", short.others)]
    rows += [(f"QEMU, part {part}", seconds) for part, seconds in sorted(full.qemu.items())]
    rows += [("grader in the tests", full.others - short.others), ("in all", full.total)]
    title = f"{name}, {full.score} points"
    return "\n".join([title, *(f"  {what:<24}{seconds:7.2f} s" for what, seconds in rows)])


def measure(name: str, source: Path, runs: int) -> str:
    """Returns the rows of a submission, from the best of some runs."""
    grade(source, [SHORT_TEST])  # what is cached from now on need not be made again
    short = min((grade(source, [SHORT_TEST]) for _ in range(runs)), key=lambda cost: cost.others)
    return table(name, min((grade(source, []) for _ in range(runs)), key=lambda c: c.total), short)


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2, help="runs, of which the best counts")
    parser.add_argument("--xv6", type=Path, help="an xv6 tree to grade as well")
    options = parser.parse_args()
    adopt_orphans()
    print("CPU time of a full grade:")
    print(measure("cow6, this tree", ROOT, options.runs), flush=True)
    if options.xv6:
        print(measure(f"xv6, {options.xv6.name}", options.xv6.absolute(), options.runs))
    else:
        print("(no xv6 tree: name one with XV6=PATH)")
    return 0


if __name__ == "__main__":
    run_main(main)
