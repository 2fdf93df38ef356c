#!/usr/bin/env python3
"""Tests the grader with submissions whose verdict is known: labs/cow/solutions/{right,wrong}/NAME.

tests/solutions.py tells how they are written down. Each is handed in, built and graded as a
student's would be. Right ones must lose nothing, wrong ones exactly the tests they name, and each
test must be lost by some wrong one. Prints a row of the matrix for each solution, `name: FAIL ...`
for what is not as it should be, and `N passed, M failed` at the end.
"""
from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from grader_paths import ROOT
from entry import run_main
from grader import cli, run, runner
from grader.display import display
from grader.errors import InfraError, SubmissionError
from grader.progress import Progress
from grader.sandbox import FULL, MODES, Sandbox
from labs.cow.grading.causes import RULES
from labs.cow.grading.named import Named
from odd_submissions import ODD_SUBMISSIONS, HandIn, odd_solutions
from solutions import Solution, all_solutions

LAB = ROOT / "labs" / "cow"
# In `fails`: the machine ends or hangs at the first fork, so that a SAMPLE of tests is enough.
ALL, SAMPLE = "*", 3
TRIES = 6  # a race, or a stale TLB, may show only after several attempts of two trials each
QUICK_RIGHT = "reference"
QUICK_SHARES = ("unshared_leaf_tables", "depth_3")  # right ones that share the tests between them
QUICK_HOSTILE = (
    "hostile_include_without_end", "hostile_reads_answer_key", "hostile_sleeps_at_fork",
    "tar_through_link",
)


class Unexpected(Exception):
    """A verdict that is not as it should be; the message says how."""


# ---- Verdicts ----


@dataclass
class Verdict:
    """What the grader says: which tests were run and lost, or why the submission was refused."""

    run: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)  # test: what was seen
    causes: dict[str, str] = field(default_factory=dict)  # test: the name of its cause
    refused: str = ""
    seconds: float = 0.0


@dataclass
class Grader:
    """The grader and what all gradings share."""

    work: Path
    lab: run.Lab
    sandbox: Sandbox
    seed: int
    explains: bool  # asks simpler tests for the cause, as a student's grading does

    def grade(self, name: str, hand_in: HandIn, tests: Sequence[run.Test]) -> Verdict:
        """Grades a submission with these tests."""
        start, verdict = time.monotonic(), Verdict()
        folder = self.work / name
        folder.mkdir(parents=True)
        try:
            request = cli.Request(hand_in(folder / "submission"), "cow6", LAB.name)
            built, probe = cli.build(request, self.lab, folder, self.sandbox)
            setting = run.Setting(
                self.lab, built, probe, folder / "tests", self.sandbox, self.seed, self.explains
            )
            for result in runner.run_tests(setting, tests, 1, lambda: False):
                verdict.run.append(result.test.id)
                for failure in [result.trials[number].failure for number in result.failed[:1]]:
                    seen = f"{failure.invariant}: {failure}" if failure else ""
                    verdict.lost[result.test.id] = display(seen, lines=1)
                    verdict.causes[result.test.id] = result.cause.name if result.cause else ""
        except SubmissionError as error:
            verdict.refused = display(str(error))
        verdict.seconds = time.monotonic() - start
        return verdict


def expect(solution: Solution, verdict: Verdict) -> None:
    """Raises Unexpected if the verdict is not the known one."""
    wrong = []
    if solution.refused or verdict.refused:
        if not solution.refused:
            wrong.append(f"expected it to be graded, saw it refused: {verdict.refused}")
        elif not verdict.refused:
            wrong.append("expected it to be refused, saw it graded")
        elif solution.refused not in verdict.refused:
            wrong.append(f"expected it to be refused with \"{solution.refused}\", "
                         f"saw {verdict.refused}")
    else:
        for test in verdict.run:
            must_fail = test in solution.fails or ALL in solution.fails
            if must_fail and test not in verdict.lost:
                wrong.append(f"{test} passed")
            if test in verdict.lost and not must_fail and test not in solution.may_fail:
                wrong.append(f"{test} failed ({verdict.lost[test]})")
    if wrong:
        raise Unexpected("; ".join(wrong))


def row(solution: Solution, verdict: Verdict, tests: Sequence[run.Test]) -> str:
    """Returns the solution's row: a letter for each test."""

    def letter(test: str) -> str:
        must_fail = test in solution.fails or ALL in solution.fails
        if test not in verdict.run:
            return " "
        if test in verdict.lost:
            return "x" if must_fail or test in solution.may_fail else "!"
        return "?" if must_fail else "."

    return "".join(letter(test.id) for test in tests)


# ---- The matrix ----


@dataclass(frozen=True)
class Job:
    """A solution to grade with some tests."""

    solution: Solution
    hand_in: HandIn
    tests: Sequence[run.Test]


def tests_for(solution: Solution, tests: Sequence[run.Test]) -> Sequence[run.Test]:
    """Returns the tests to run: a few if the solution fails all, or if only its packing is odd."""
    if ALL in solution.fails or solution.name in ODD_SUBMISSIONS:
        return tests[:SAMPLE]
    return tests


def all_jobs(tests: Sequence[run.Test]) -> list[Job]:
    """Returns every solution with the tests to run."""
    solutions = [(known, known.hand_in) for known in all_solutions([test.id for test in tests])]
    return [
        Job(solution, hand_in, tests_for(solution, tests))
        for solution, hand_in in (*solutions, *odd_solutions())
    ]


def quick_jobs(jobs: Sequence[Job], tests: Sequence[run.Test]) -> list[Job]:
    """Returns a bounded part: for each test two right ones, and the wrong one that loses the fewest
    others; and some hostile ones."""
    chosen: dict[str, list[run.Test]] = {}
    wrong = sorted(
        (job.solution for job in jobs if job.solution.fails),
        key=lambda known: (len(known.fails), known.name),
    )
    for test in tests:
        specialist = next((solution for solution in wrong if test.id in solution.fails), None)
        if specialist is not None:
            chosen.setdefault(specialist.name, []).append(test)
    quick = []
    for job in jobs:
        if job.solution.short_name == QUICK_RIGHT:
            quick.append(job)
        elif job.solution.short_name in QUICK_SHARES:
            first = QUICK_SHARES.index(job.solution.short_name)
            share = job.tests[first::len(QUICK_SHARES)]
            quick.append(Job(job.solution, job.hand_in, share))
        elif job.solution.short_name in QUICK_HOSTILE:
            quick.append(Job(job.solution, job.hand_in, job.tests[:1]))
        elif job.solution.name in chosen:
            quick.append(Job(job.solution, job.hand_in, chosen[job.solution.name]))
    return quick


def unkilled(jobs: Sequence[Job], tests: Sequence[run.Test]) -> list[str]:
    """Returns the tests that no wrong solution must lose."""
    named: set[str] = {test for job in jobs for test in job.solution.fails}
    return [test.id for test in tests if test.id not in named]


def misnamed(jobs: Sequence[Job], tests: Sequence[run.Test]) -> list[str]:
    """Returns what is wrong in about.ini files."""
    known = {test.id: test for test in tests}
    names = {rule.name for rule in RULES} | {runner.ONE_HART.name}
    wrong = []
    for solution in (job.solution for job in jobs):
        named = set(solution.fails + solution.may_fail) - {ALL}
        wrong += [f"{solution.name}: no test {test}" for test in named - set(known)]
        wrong += [
            f"{solution.name}: {test} is hidden, and need not fail"
            for test in set(solution.hidden) - set(solution.fails)
        ]
        by_chance = [known[test] for test in solution.may_fail if test in known]
        watches = solution.short_name.startswith("cheat_")  # for the moments when the grader looks
        wrong += [
            f"{solution.name}: {test.id} does not depend on chance"
            for test in by_chance if test.cpus == 1 and not watches
        ]
        wrong += [f"{solution.name}: no cause {name}" for name in set(solution.causes) - names]
        is_students = not solution.short_name.startswith("hostile_")
        if not solution.is_right and solution.fails and is_students and not solution.causes:
            wrong.append(f"{solution.name}: no cause that its cards should name")
        if solution.is_right and solution.fails:
            wrong.append(f"{solution.name}: a right one that fails tests")
        if not solution.is_right and not solution.fails and not solution.refused:
            wrong.append(f"{solution.name}: a wrong one that fails no test")
    return wrong


def graded(grader: Grader, job: Job) -> Verdict:
    """Grades a solution: again if a test that must be lost is not, where chance decides, or if this
    machine fails, as an instructor would."""
    chancy = {test.id for test in job.tests if test.cpus > 1 or test.id in job.solution.hidden}
    chancy &= set(job.solution.fails)
    for left in reversed(range(TRIES)):
        try:
            verdict = grader.grade(job.solution.name, job.hand_in, job.tests)
            if left == 0 or chancy <= set(verdict.lost):
                return verdict
        except InfraError:
            if left == 0:
                raise
        shutil.rmtree(grader.work / job.solution.name, ignore_errors=True)
    raise AssertionError


def check(
    grader: Grader, job: Job, tests: Sequence[run.Test], named: Named, progress: Progress
) -> bool:
    """Grades a solution and prints its row; returns whether the verdict is the known one."""
    solution, verdict, why = job.solution, Verdict(), ""
    try:
        verdict = graded(grader, job)
        expect(solution, verdict)
    except (Unexpected, InfraError) as error:
        kind = "" if isinstance(error, Unexpected) else " (infrastructure)"
        why = f"{solution.name}: FAIL {error}{kind}"
    shutil.rmtree(grader.work / solution.name, ignore_errors=True)
    for test, said in verdict.causes.items():
        named.add(solution.name, solution.causes, test, said)
    line = f"{row(solution, verdict, tests)} {verdict.seconds:4.0f} s  {solution.name}"
    progress.print(f"{line}\n{why}" if why else line)
    progress.done()
    return not why


def run_jobs(
    grader: Grader, jobs: Sequence[Job], tests: Sequence[run.Test], at_once: int, named: Named
) -> list[bool]:
    """Grades all, several at a time."""
    legend = "(x lost as expected, ? not lost but should be, ! lost but should not be)"
    print("".join(test.part for test in tests) + f"  {legend}", flush=True)
    with Progress("solutions", len(jobs)) as progress, ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda job: check(grader, job, tests, named, progress), jobs))


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="only a part, in which every test is lost once"
    )
    parser.add_argument("--list", action="store_true", help="list the solutions, and grade none")
    parser.add_argument(
        "--diff", action="store_true", help="show what the solutions change, and grade none"
    )
    parser.add_argument(
        "--causes", action="store_true", help="print how often cards name the planted bug"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="grade so many at a time"
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1 << 32),
        help="the seed for everything random (default: a new one, which is printed)",
    )
    parser.add_argument("--tests", default="", help="run only these tests, separated by commas")
    parser.add_argument(
        "--sandbox", choices=MODES, default=FULL,
        help="none runs without a sandbox: not with hostile solutions",
    )
    parser.add_argument(
        "names", nargs="*", help="grade only these solutions; right/ and wrong/ may be left out"
    )
    return parser.parse_args()


def select(
    jobs: Sequence[Job], tests: Sequence[run.Test], arguments: argparse.Namespace
) -> Sequence[Job]:
    """Returns the part of the jobs that the command line asks for."""
    jobs = quick_jobs(jobs, tests) if arguments.quick else jobs
    if arguments.names:
        names = set(arguments.names)
        jobs = [job for job in jobs if {job.solution.name, job.solution.short_name} & names]
    if not arguments.tests:
        return jobs
    wanted = arguments.tests.split(",")
    return [
        Job(job.solution, job.hand_in, [test for test in job.tests if test.id in wanted])
        for job in jobs
    ]


def main() -> int:
    """Runs the matrix, or a part of it."""
    arguments = parse()
    lab, named = run.load_lab(LAB), Named()
    jobs = all_jobs(lab.TESTS)
    if arguments.list:
        print("\n".join(f"{job.solution.name}: {job.solution.what}" for job in jobs))
        return 0
    if arguments.diff:
        for job in select(jobs, lab.TESTS, arguments):
            print(f"# {job.solution.name}: {job.solution.what}\n{job.solution.diff()}")
        return 0
    problems = misnamed(jobs, lab.TESTS)
    problems += [f"{test}: no wrong solution loses it" for test in unkilled(jobs, lab.TESTS)]
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory(prefix="matrix-") as work:
        sandbox = Sandbox(arguments.sandbox)
        grader = Grader(Path(work), lab, sandbox, arguments.seed, arguments.causes)
        chosen = select(jobs, lab.TESTS, arguments)
        good = run_jobs(grader, chosen, lab.TESTS, arguments.jobs, named)
        escaped = list(Path(work).rglob("escaped*"))
    problems += [f"{path}: written by a submission" for path in escaped]
    for problem in problems:
        print(f"{problem}: FAIL")
    if arguments.causes:
        print(named.report())
    print(f"{sum(good)} passed, {len(good) - sum(good) + len(problems)} failed")
    return 0 if good and all(good) and not problems else 1


if __name__ == "__main__":
    run_main(main)
