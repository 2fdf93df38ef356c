#!/usr/bin/env python3
"""Runs cowtest on kernels with the mistakes that students make most often
(labs/cow/solutions/mistakes.ini).

Each run must end by itself, with a failing status, and what is said first must contain the
mistake's words: what is wrong and what to look at. Prints `name: ok` or `name: FAIL ...` for each,
then `N passed, M failed`. Transcripts are in build/check.
"""
from __future__ import annotations

import argparse
import filecmp
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader_paths import ROOT
from command import CommandFailure, make
from entry import run_main
from pieces import read_sections
from products import target
from qemu import RESULTS, Guest
from solutions import SOLUTIONS, read_solution

TREE = RESULTS / "mistakes"  # a copy of this tree, in which one kernel after the other is built
# From the last line before it, which names the test, to the end of the first line with FAIL, or the
# whole panic.
FIRST = re.compile(r"^.*\n?.*\bFAIL\b.*$|^.*\n*^panic\b[\s\S]*", re.MULTILINE)


@dataclass(frozen=True)
class Mistake:
    """A mistake, the wrong solution that has it, and what must be said."""

    what: str
    solution: str
    words: str
    is_quick: bool


def read_mistakes() -> list[Mistake]:
    """Reads the table."""
    sections = read_sections(SOLUTIONS / "mistakes.ini")
    return [
        Mistake(what, row["solution"], row["words"], row.get("quick", "") == "yes")
        for what, row in sections.items()
    ]


def copy_changed(source: Path, to: Path) -> None:
    """Makes `to` equal to the source folder and leaves files that are equal, so that make leaves
    what they become."""
    for file in sorted(source.rglob("*")):
        copy = to / file.relative_to(source)
        if file.is_file() and not (copy.is_file() and filecmp.cmp(file, copy, shallow=False)):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    for copy in sorted(to.rglob("*.[chS]")):
        if not (source / copy.relative_to(to)).exists():
            copy.unlink()


def build(mistake: Mistake) -> Path:
    """Builds the kernel with the mistake."""
    solution = read_solution(SOLUTIONS / "wrong" / mistake.solution, ())
    with tempfile.TemporaryDirectory() as folder:
        solution.hand_in(Path(folder))
        copy_changed(Path(folder) / "kernel", TREE / "kernel")
    for part in ("tools", "user"):
        copy_changed(ROOT / part, TREE / part)
    shutil.copyfile(ROOT / "Makefile", TREE / "Makefile")
    make("build/kernel/kernel", tree=TREE)
    return TREE / "build/kernel/kernel"


def said_first(text: str) -> str:
    """Returns the first failure that the console shows, or all it shows if there is none."""
    match = FIRST.search(text)
    return match.group() if match else text


def check(mistake: Mistake) -> str:
    """Boots cowtest on the kernel and returns what is wrong with what it says, "" if nothing is."""
    kernel = build(mistake)
    with Guest(
        f"mistake-{mistake.solution}", cpus=3, mem="128M", words="init=/cowtest",
        kernel=str(kernel), image=target("fs.img"),
    ) as guest:
        status = guest.wait()
    guest.image.unlink()
    said = said_first(guest.text())
    if status == 0:
        return "expected a failing exit status, saw 0"
    if not re.search(mistake.words, said):
        return f"expected {mistake.words!r} to be said first, saw:\n{said}"
    return ""


def main() -> int:
    """Runs all, those that are quick, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only a few")
    parser.add_argument("--list", action="store_true", help="print the mistakes and what is said")
    parser.add_argument("names", nargs="*", help="only these solutions")
    arguments = parser.parse_args()
    mistakes: Sequence[Mistake] = [
        mistake for mistake in read_mistakes()
        if (mistake.is_quick or not arguments.quick)
        and (not arguments.names or mistake.solution in arguments.names)
    ]
    if arguments.list:
        for mistake in mistakes:
            print(f"{mistake.what} ({mistake.solution}): {mistake.words}")
        return 0
    make("fs.img")
    failed = 0
    for mistake in mistakes:
        try:
            problem = check(mistake)
        except CommandFailure as failure:
            problem = str(failure)
        failed += problem != ""
        outcome = f"FAIL {mistake.what}: {problem}" if problem else "ok"
        print(f"{mistake.solution}: {outcome}", flush=True)
    print(f"{len(mistakes) - failed} passed, {failed} failed")
    return 1 if failed or not mistakes else 0


if __name__ == "__main__":
    run_main(main)
