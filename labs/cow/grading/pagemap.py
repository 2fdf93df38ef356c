"""The page map of all processes."""
from __future__ import annotations

from collections.abc import Sequence

from grader import sv39
from grader.results import PageRow, ProcessPages
from grader.run import Failure
from labs.cow.grading.process import ROOT_BITS, Process

PAGES_MAX = 10_000  # of a process
FLAGS = "VRWXUGAD"


def map_of_pages(processes: Sequence[Process]) -> list[ProcessPages]:
    """Returns each process's pages with frames and flags."""
    return [_pages_of(process) for process in processes]


def _pages_of(process: Process) -> ProcessPages:
    leaves: list[sv39.Entry] = []
    problem = ""
    try:
        leaves = list(process.leaves().values())
    except Failure as failure:
        problem = failure.seen
    return {
        "name": process.name, "pid": process.pid, "root": (process.satp & ROOT_BITS) << 12,
        "pages": [_row(entry) for entry in leaves[:PAGES_MAX]],
        "left_out": max(0, len(leaves) - PAGES_MAX), "problem": problem,
    }


def _row(entry: sv39.Entry) -> PageRow:
    letters = "".join(name for i, name in enumerate(FLAGS) if entry.bits >> i & 1)
    return {"va": entry.va, "pa": entry.pa, "flags": letters, "rsw": entry.rsw}
