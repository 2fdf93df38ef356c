#!/usr/bin/env python3
"""Makes the student's tree: build/handout/cow and build/handout/cow.tar.gz (`make handout`).

tools/starter.py says what is in it, and labs/cow/lab.ini which of the grader's tests. Nothing is
written if a piece of the starter no longer fits its file, if lab.ini names a test that there is
not, or if a line of the solution or the name of a hidden test would be given away.
"""
from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from python_packages import need_packages

need_packages("elftools", "rich")  # which the grader imports

from command import CommandFailure, make, run  # noqa: E402
from entry import run_main  # noqa: E402
from grader.errors import InfraError  # noqa: E402
from pieces import PieceError  # noqa: E402
from products import ROOT, make_environment  # noqa: E402
from qemu import Guest  # noqa: E402
from starter import DEPTHS, NAME, OUT, Wrong, make_handout, read_manifest  # noqa: E402
from transcripts import refresh  # noqa: E402

CHECK_SECONDS = 4 * 3600  # of `make check`, on the busiest host
MUST_FAIL = (
    "simple", "child_writes_first", "parent_writes_first", "last_owner_writes_without_copy",
)
MUST_PASS = (
    "three", "file", "copy_is_faithful", "text_is_read_only", "granted_memory_can_be_touched",
)


def cowtest(folder: Path) -> str:
    """Boots cowtest on a tree's kernel; returns what the kernel and cowtest print."""
    with Guest("handout-cowtest", words="init=/cowtest", tree=folder) as guest:
        guest.wait()
    guest.image.unlink()
    return guest.kernel_text()


def problems_of_starter(console: str) -> list[str]:
    """Returns what is wrong with how a starter runs cowtest.

    Only tests that need the solution may fail, each by a check of its own, and the machine must
    survive.
    """
    results = dict(re.findall(r"^(\w+): (ok|FAIL .*)$", console, re.MULTILINE))
    failed = [name for name, result in results.items() if result != "ok"]
    problems = []
    if not re.search(r"^\d+ passed, \d+ failed$", console, re.MULTILINE) or "panic" in console:
        problems.append(f"cowtest does not finish:\n{console[-2000:]}")
    for name in failed:
        if not re.search(r"expected .*, saw\b.*\(user/tests/cowtest\w*\.c:\d+\)$", results[name]):
            problems.append(f"{name} fails, but not by a check of its own: {results[name]}")
    problems += [f"{name} does not fail" for name in MUST_FAIL if name not in failed]
    problems += [f"{name} fails: {results[name]}" for name in MUST_PASS if name in failed]
    return problems


def problems_of_check(folder: Path, depth: int) -> list[str]:
    """Runs the tree's `make check`; returns what fails that should not."""
    handout = read_manifest()["handout"]
    keys = ["lab_checks", *(f"lab_checks_{level}" for level in range(2, depth + 1))]
    allowed = tuple(" ".join(handout.get(key, "") for key in keys).split())
    command = ["make", "--no-print-directory", "check"]
    said = run(command, cwd=folder, env=make_environment(folder), seconds=CHECK_SECONDS).output
    failed = re.findall(r"^\[\d+/\d+\] ([\w-]+): FAIL", said, re.MULTILINE)
    problems = [
        f"make check: {name} fails; see {folder}/build/check"
        for name in failed
        if not name.startswith(allowed)
    ]
    if not re.search(r"^\d+ passed, \d+ failed", said, re.MULTILINE):
        problems.append(f"make check does not finish:\n{said[-2000:]}")
    return problems


def check_depth(depth: int) -> list[str]:
    """Makes the handout of that depth, builds, boots and checks it; returns what is wrong."""
    out = OUT / f"check-{depth}"
    folder = make_handout(depth, out)
    first = (out / f"{NAME}.tar.gz").read_bytes()
    make_handout(depth, out)
    same = first == (out / f"{NAME}.tar.gz").read_bytes()
    problems = [] if same else ["two runs make different archives"]
    make("LLVM=1", "all", tree=folder)
    make("all", tree=folder)
    problems += problems_of_starter(cowtest(folder))
    make("submission", tree=folder)
    problems += problems_of_check(folder, depth)
    return [f"depth {depth}: {problem}" for problem in problems]


def check(depths: Sequence[int]) -> int:
    """Checks the handouts of these depths and all transcripts; returns the exit status."""
    problems = []
    for depth in depths:
        found = check_depth(depth)
        print(f"depth {depth}: {'ok' if not found else 'FAIL'}", flush=True)
        problems += found
    problems += refresh(write=False)
    print("\n".join(problems) if problems else "the handout is good")
    return 1 if problems else 0


def main() -> int:
    """Makes a handout, or checks all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--depth",
        type=int,
        choices=DEPTHS,
        help="how much the student writes (default: 1; with --check: all)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="make, build, boot and check each depth, and run all transcripts again (takes long)",
    )
    arguments = parser.parse_args()
    try:
        if arguments.check:
            return check([arguments.depth] if arguments.depth else DEPTHS)
        folder = make_handout(arguments.depth or 1)
    except (Wrong, PieceError, CommandFailure, InfraError) as wrong:
        print(f"handout: {wrong}", file=sys.stderr)
        return 1
    shown = os.path.relpath(folder, ROOT) if ROOT in folder.parents else folder
    print(f"{shown} and {shown}.tar.gz")
    return 0


if __name__ == "__main__":
    run_main(main)
