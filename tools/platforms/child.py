"""Runs the grader as a child, looks at its results while it works, and leaves none of its processes
behind.

The output of a platform belongs to the parent alone: the child and whatever it starts cannot write
to it, and have ended before the parent writes its last word.
"""
from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from grader.errors import MACHINE_FAULT, RUNNING
from grader.results import FORMAT, Results, read_results
from products import ROOT
from usage import process_tree

GRADE_COW = ROOT / "grade-cow"
COMPLETE = (0, 1, 4)  # its exit statuses when it has judged the submission
LOOK_SECONDS = 0.25
END_SECONDS = 10.0
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Lets this process become the parent of descendants whose parents have ended (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants() -> bool:
    """Kills and waits for all descendants of this process; tells whether none is left."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        for pid in process_tree(os.getpid())[1:]:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
        except ChildProcessError:  # it has no children any more, and so no descendants
            return True
    return False


def grade(
    words: Sequence[str], results: Path, log: Path, seconds: float, show: Callable[[Results], None]
) -> Results:
    """Runs grade-cow with these words for at most so many seconds, shows the results each time they
    change, and returns the last ones. Their status tells if the machine is to blame. What it prints
    goes to the log."""
    deadline = time.monotonic() + seconds
    command = [sys.executable, str(GRADE_COW), *words, "--json", str(results)]
    seen: tuple[int, int] | None = None
    with log.open("wb") as said:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
    try:
        while time.monotonic() < deadline and child.returncode is None:
            try:
                child.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            now = version(results)
            if now != seen and child.returncode is None:
                seen = now
                show_file(results, show)
        status = child.poll()
    finally:
        child.kill()
        child.wait()
        all_ended = end_descendants()
    why = ended(status, seconds) if all_ended else "processes of the grading are left"
    return judge(results, why)


def show_file(file: Path, show: Callable[[Results], None]) -> None:
    """Shows the results in a file, if there are any."""
    try:
        results = read_results(file)
    except (OSError, ValueError):  # they are judged when the child has ended
        return
    show(results)


def version(file: Path) -> tuple[int, int] | None:
    """Returns what changes when a file is replaced; None if there is none."""
    try:
        state = file.stat()
    except OSError:
        return None
    return state.st_ino, state.st_mtime_ns


def ended(status: int | None, seconds: float) -> str:
    """Says why a child that ended with this status has not judged the submission; "" if it has."""
    if status is None:
        return f"the grading did not end within {seconds:g} s"
    if status < 0:
        return f"the grader was killed by signal {-status}"
    return "" if status in COMPLETE else f"the grader ended with status {status}"


def judge(file: Path, why: str) -> Results:
    """Returns the results of a child that has ended. Whatever it has not finished is the machine's
    fault."""
    try:
        results = read_results(file)
    except (OSError, ValueError) as error:
        return blame_machine(why or str(error))
    if results["status"] in (RUNNING, MACHINE_FAULT) or why:
        results["reason"] = results["reason"] or why or "the grader stopped"
        results["status"], results["complete"] = MACHINE_FAULT, False
    return results


def blame_machine(reason: str) -> Results:
    """Returns the results of a grading that did not come to its first test."""
    return {
        "format": FORMAT, "source": "", "tree": "", "seed": 0, "status": MACHINE_FAULT,
        "reason": reason, "complete": False, "score": 0, "max_score": 0, "cpu_seconds": 0.0,
        "wall_seconds": 0.0, "protections": [], "missing": [], "parts": [], "tests": [],
    }
