#!/usr/bin/env python3
"""Tests the grader with submissions whose verdict is known: labs/cow/solutions/{right,wrong}/NAME.

tests/solutions.py tells how they are written down. Each is handed in, built and graded as a
student's would be. Right ones must lose nothing, wrong ones exactly the tests they name, and each
test must be lost by some wrong one. Prints a row of the matrix for each solution, `name: FAIL ...`
for what is not as it should be, and `N passed, M failed` at the end.
"""
from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, List, Sequence, Set, Tuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests"), str(ROOT)]

from grader import cli, run, runner  # noqa: E402  (found only now)
from grader.display import display  # noqa: E402
from grader.errors import InfraError, SubmissionError  # noqa: E402
from grader.sandbox import Sandbox  # noqa: E402
from labs.cow.grading.causes import RULES  # noqa: E402
from labs.cow.grading.named import Named  # noqa: E402
from litter import is_litter  # noqa: E402
from solutions import SOLUTIONS, Solution, all_solutions  # noqa: E402

LAB = ROOT / "labs" / "cow"
ALL = "*"  # in `fails`: the machine ends or hangs at the first fork, so that a few tests tell enough
SAMPLE = 3  # so many are run then
RACE_TRIES = 6  # a race that has to be lost may take several attempts to show, of two trials each
QUICK_RIGHT = ("reference", "shared_leaf_tables", "depth_3")
QUICK_HOSTILE = (
    "hostile_include_without_end", "hostile_reads_answer_key", "hostile_sleeps_at_fork", "tar_through_link"
)


class Unexpected(Exception):
    """A verdict that is not as it should be; the message says how."""


# ---- Verdicts ----


@dataclass
class Verdict:
    """What the grader says: which tests were run and lost, or why the submission was refused."""

    run: List[str] = field(default_factory=list)
    lost: Dict[str, str] = field(default_factory=dict)  # test: what was seen
    causes: Dict[str, str] = field(default_factory=dict)  # test: the name of its cause
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

    def grade(self, name: str, hand_in: Callable[[Path], str], tests: Sequence[run.Test]) -> Verdict:
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
            wrong.append(f"expected it to be refused with \"{solution.refused}\", saw {verdict.refused}")
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


# ---- Submissions that git cannot hold ----


def reference_files() -> Iterator[Tuple[str, bytes]]:
    """Yields the reference's kernel files."""
    for file in sorted((ROOT / "kernel").rglob("*")):
        if file.suffix in (".c", ".h", ".S") and not is_litter(file.relative_to(ROOT)):
            yield str(file.relative_to(ROOT)), file.read_bytes()


def plain_folder(to: Path) -> Path:
    """Writes the reference as a folder."""
    for name, content in reference_files():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_bytes(content)
    return to


def with_tar(
    suffix: str, more: Sequence[Tuple[tarfile.TarInfo, bytes]] = (), top: str = "student-4711/"
) -> Callable[[Path], str]:
    """Returns how to hand in the reference as a tar archive with further members."""

    def hand_in(to: Path) -> str:
        path = to.with_name(f"submission.{suffix}")
        mode = {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz"}[suffix]
        with tarfile.open(str(path), mode) as archive:
            for name, content in reference_files():
                member = tarfile.TarInfo(top + name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            for member, content in more:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return str(path)

    return hand_in


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Tuple[tarfile.TarInfo, bytes]:
    """Returns a member of a tar archive; a file says that it should not be here."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member, b"escaped\n" if kind == tarfile.REGTYPE else b""


def with_zip(more: Dict[str, bytes], top: str = "student-4711/") -> Callable[[Path], str]:
    """Returns how to hand in the reference as a zip archive with further members."""

    def hand_in(to: Path) -> str:
        path = to.with_name("submission.zip")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in reference_files():
                archive.writestr(top + name, content)
            for name, content in more.items():
                archive.writestr(name, content)
        return str(path)

    return hand_in


def with_folder(change: Callable[[Path], None]) -> Callable[[Path], str]:
    """Returns how to hand in the reference as a folder with something changed."""

    def hand_in(to: Path) -> str:
        change(plain_folder(to))
        return str(to)

    return hand_in


def link_file(tree: Path) -> None:
    """kernel/vm/cow.c is a link to a file of the machine."""
    (tree / "kernel/vm/cow.c").unlink()
    (tree / "kernel/vm/cow.c").symlink_to("/etc/passwd")


def link_folder(tree: Path) -> None:
    """kernel/vm is a link to the answer key's."""
    shutil.rmtree(tree / "kernel/vm")
    (tree / "kernel/vm").symlink_to(ROOT / "kernel/vm")


def link_circle(tree: Path) -> None:
    """A folder contains itself."""
    (tree / "kernel/vm/again").symlink_to("..")


def litter(tree: Path) -> None:
    """Editors and file managers have left files, and a lock: a link to nowhere."""
    for name in ("._cow.c", ".cow.c.swp", "cow.c~", "#cow.c#", ".DS_Store", ".cow.h", ".old/cow.c"):
        (tree / "kernel/vm" / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / "kernel/vm" / name).write_bytes(b"\0\5\26\7")
    (tree / "kernel/vm/.#cow.c").symlink_to("student@home.4711:1700000000")


def litter_alone(to: Path) -> str:
    """A folder in which nothing else is."""
    litter(to)
    return str(to)


def queue_file(tree: Path) -> None:
    """kernel/vm/cow.c is a queue that nobody writes to."""
    (tree / "kernel/vm/cow.c").unlink()
    os.mkfifo(tree / "kernel/vm/cow.c")


def huge_file(tree: Path) -> None:
    """A file with 4 GiB of nothing."""
    with (tree / "kernel/vm/huge.c").open("wb") as file:
        file.truncate(4 << 30)


def many_files(tree: Path) -> None:
    """Ten thousand headers."""
    for i in range(10000):
        (tree / f"kernel/vm/h{i}.h").touch()


def neighbour_reader(to: Path) -> str:
    """A part of the kernel is to be what somebody else handed in, whose place is known."""
    neighbour = plain_folder(to.with_name("neighbour")) / "kernel/vm/cow.c"
    file = plain_folder(to) / "kernel/vm/cow.c"
    file.write_text(f'{file.read_text(encoding="utf-8")}\n__asm__(".incbin \\"{neighbour}\\"");\n', encoding="utf-8")
    return str(to)


def nothing(to: Path) -> str:
    """An empty folder."""
    to.mkdir()
    return str(to)


def not_an_archive(to: Path) -> str:
    """A text with an archive's name."""
    path = to.with_name("submission.tar.gz")
    path.write_text("It worked on my machine.\n", encoding="utf-8")
    return str(path)


# Name: how it is handed in, and what the message has ("": it is graded, and right).
ODD_SUBMISSIONS: Dict[str, Tuple[Callable[[Path], str], str]] = {
    "right/handed_in_as_tar": (with_tar("tar", top=""), ""),
    "right/handed_in_as_tar_gz": (with_tar("tar.gz"), ""),
    "right/handed_in_as_tar_xz": (with_tar("tar.xz", top="./"), ""),
    "right/handed_in_as_zip": (with_zip({"__MACOSX/student-4711/kernel/vm/._cow.c": b"\0\5\26\7"}), ""),
    "right/full_of_litter": (with_folder(litter), ""),
    "right/link_in_a_circle": (with_folder(link_circle), ""),
    "wrong/reads_another_submission": (neighbour_reader, "file not found"),
    "wrong/nothing_handed_in": (nothing, "kernel"),
    "wrong/nothing_but_litter": (litter_alone, "no folder kernel/"),
    "wrong/no_archive": (not_an_archive, "submission.tar.gz"),
    "wrong/link_to_a_file": (with_folder(link_file), "cow.c"),
    "wrong/link_to_the_answer": (with_folder(link_folder), "kernel/vm/"),
    "wrong/queue_instead_of_file": (with_folder(queue_file), "cow.c"),
    "wrong/huge_file": (with_folder(huge_file), "huge.c"),
    "wrong/many_files": (with_folder(many_files), "files"),
    "wrong/tar_path_upwards": (with_tar("tar", [tar_member("student-4711/../../../escaped.c")]), "escaped.c"),
    "wrong/tar_absolute_path": (with_tar("tar", [tar_member("/tmp/escaped.c")]), "escaped.c"),
    "wrong/tar_through_link": (
        with_tar("tar", [
            tar_member("student-4711/kernel/out", tarfile.SYMTYPE, "../../.."),
            tar_member("student-4711/kernel/out/escaped.c"),
        ]),
        "kernel/out",
    ),
    "wrong/tar_hard_link": (
        with_tar("tar", [tar_member("student-4711/kernel/vm/zz.c", tarfile.LNKTYPE, "/etc/passwd")]), "zz.c",
    ),
    "wrong/tar_device": (with_tar("tar.gz", [tar_member("student-4711/kernel/vm/zz.c", tarfile.CHRTYPE)]), "zz.c"),
    "wrong/zip_path_upwards": (with_zip({"student-4711/../../../escaped.c": b"escaped\n"}), "escaped.c"),
    "wrong/zip_bomb": (with_zip({"student-4711/kernel/vm/zeroes.c": bytes(256 << 20)}), "zeroes.c"),
}


def odd_solutions() -> Iterator[Tuple[Solution, Callable[[Path], str]]]:
    """Yields these submissions like the others."""
    for name, (hand_in, refused) in ODD_SUBMISSIONS.items():
        yield Solution(name, SOLUTIONS, "made when it is needed", refused=refused), hand_in


# ---- The matrix ----


@dataclass(frozen=True)
class Job:
    """A solution to grade with some tests."""

    solution: Solution
    hand_in: Callable[[Path], str]
    tests: Sequence[run.Test]


def tests_for(solution: Solution, tests: Sequence[run.Test]) -> Sequence[run.Test]:
    """Returns the tests that say something: a few if it fails all, one if only its packing is
    odd."""
    if ALL in solution.fails or solution.name in ODD_SUBMISSIONS:
        return tests[:SAMPLE]
    return tests


def all_jobs(tests: Sequence[run.Test]) -> List[Job]:
    """Returns every solution with all the tests that say something."""
    solutions = all_solutions([test.id for test in tests])
    jobs = [Job(solution, solution.hand_in, tests_for(solution, tests)) for solution in solutions]
    return jobs + [Job(solution, hand_in, tests_for(solution, tests)) for solution, hand_in in odd_solutions()]


def quick_jobs(jobs: Sequence[Job], tests: Sequence[run.Test]) -> List[Job]:
    """Returns a bounded part: some right ones, some hostile ones,
    for each test the wrong one that loses little else."""
    chosen: Dict[str, List[run.Test]] = {}
    wrong = sorted(
        (job.solution for job in jobs if job.solution.fails), key=lambda known: (len(known.fails), known.name)
    )
    for test in tests:
        specialist = next((solution for solution in wrong if test.id in solution.fails), None)
        if specialist is not None:
            chosen.setdefault(specialist.name, []).append(test)
    quick = []
    for job in jobs:
        if job.solution.short_name in QUICK_RIGHT:
            quick.append(job)
        elif job.solution.short_name in QUICK_HOSTILE:
            quick.append(Job(job.solution, job.hand_in, job.tests[:1]))
        elif job.solution.name in chosen:
            quick.append(Job(job.solution, job.hand_in, chosen[job.solution.name]))
    return quick


def unkilled(jobs: Sequence[Job], tests: Sequence[run.Test]) -> List[str]:
    """Returns the tests that no wrong solution is said to lose."""
    named: Set[str] = {test for job in jobs for test in job.solution.fails}
    return [test.id for test in tests if test.id not in named]


def misnamed(jobs: Sequence[Job], tests: Sequence[run.Test]) -> List[str]:
    """Returns what about.ini files have that cannot be."""
    known = {test.id: test for test in tests}
    names = {rule.name for rule in RULES} | {runner.ONE_HART.name}
    wrong = []
    for solution in (job.solution for job in jobs):
        named = set(solution.fails + solution.may_fail) - {ALL}
        wrong += [f"{solution.name}: no test {test}" for test in named - set(known)]
        by_chance = [known[test] for test in solution.may_fail if test in known]
        wrong += [f"{solution.name}: {test.id} does not depend on chance" for test in by_chance if test.cpus == 1]
        wrong += [f"{solution.name}: no cause {name}" for name in set(solution.causes) - names]
        is_students = not solution.short_name.startswith("hostile_")
        if not solution.is_right and solution.fails and is_students and not solution.causes:
            wrong.append(f"{solution.name}: no cause that its cards should name")
        if solution.is_right and solution.fails:
            wrong.append(f"{solution.name}: a right one that fails tests")
        if not solution.is_right and not solution.fails and not solution.refused:
            wrong.append(f"{solution.name}: a wrong one that fails no test")
    return wrong


def check(grader: Grader, job: Job, tests: Sequence[run.Test], named: Named) -> bool:
    """Grades a solution and prints its row; returns whether the verdict is the known one."""
    solution, verdict, why = job.solution, Verdict(), ""
    races = {test.id for test in job.tests if test.cpus > 1} & set(solution.fails)
    try:
        for _ in range(RACE_TRIES):
            verdict = grader.grade(solution.name, job.hand_in, job.tests)
            if races <= set(verdict.lost):
                break
            shutil.rmtree(grader.work / solution.name, ignore_errors=True)
        expect(solution, verdict)
    except (Unexpected, InfraError) as error:
        why = f"{solution.name}: FAIL {error}" + ("" if isinstance(error, Unexpected) else " (infrastructure)")
    shutil.rmtree(grader.work / solution.name, ignore_errors=True)
    for test, said in verdict.causes.items():
        named.add(solution.name, solution.causes, test, said)
    line = f"{row(solution, verdict, tests)} {verdict.seconds:4.0f} s  {solution.name}"
    print(f"{line}\n{why}" if why else line, flush=True)
    return not why


def run_jobs(
    grader: Grader, jobs: Sequence[Job], tests: Sequence[run.Test], at_once: int, named: Named
) -> List[bool]:
    """Grades all, several at once."""
    print("".join(test.part for test in tests) + "  (x lost as it should be, ? not lost, ! lost without a fault)")
    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(check, grader, job, tests, named) for job in jobs]
        return [future.result() for future in as_completed(futures)]


def main() -> int:
    """Runs the matrix, or a part of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a bounded part that has every test lost once")
    parser.add_argument("--list", action="store_true", help="print the solutions and what each is")
    parser.add_argument(
        "--causes", action="store_true", help="print how often cards name the planted fault"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many are graded at once")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="what chance depends on")
    parser.add_argument("--tests", default="", help="only these tests, separated by commas")
    parser.add_argument("--unsafe", action="store_true", help="without a sandbox: not with hostile ones")
    parser.add_argument("names", nargs="*", help="only these solutions; without right/ or wrong/ as well")
    arguments = parser.parse_args()
    tests = run.load_lab(LAB).TESTS
    jobs = all_jobs(tests)
    if arguments.list:
        print("\n".join(f"{job.solution.name}: {job.solution.what}" for job in jobs))
        return 0
    problems = misnamed(jobs, tests) + [f"{test}: no wrong solution loses it" for test in unkilled(jobs, tests)]
    jobs = quick_jobs(jobs, tests) if arguments.quick else jobs
    if arguments.names:
        jobs = [job for job in jobs if {job.solution.name, job.solution.short_name} & set(arguments.names)]
    if arguments.tests:
        chosen = [test for test in tests if test.id in arguments.tests.split(",")]
        jobs = [Job(job.solution, job.hand_in, [test for test in job.tests if test in chosen]) for job in jobs]
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory(prefix="matrix-") as work:
        sandbox, named = Sandbox(arguments.unsafe), Named()
        lab = run.load_lab(LAB)
        grader = Grader(Path(work), lab, sandbox, arguments.seed, arguments.causes)
        good = run_jobs(grader, jobs, tests, arguments.jobs, named)
        escaped = list(Path(work).rglob("escaped*"))
    problems += [f"{path}: written by a submission" for path in escaped]
    for problem in problems:
        print(f"{problem}: FAIL")
    if arguments.causes:
        print(named.report())
    print(f"{sum(good)} passed, {len(good) - sum(good) + len(problems)} failed")
    return 0 if good and all(good) and not problems else 1


if __name__ == "__main__":
    sys.exit(main())
