"""The page map of all processes, as a table."""
from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from grader.run import Failure
from labs.cow.grading.process import ROOT_BITS, Process

PAGES_MAX = 10_000  # of a process


def map_of_pages(processes: Sequence[Process]) -> str:
    """Returns the map: for each process its pages with frames and flags."""
    return "\n".join(line for process in processes for line in _lines(process)) + "\n"


def _lines(process: Process) -> Iterator[str]:
    root = (process.satp & ROOT_BITS) << 12
    yield f"{process.name} (pid {process.pid}), page table at {root:#x}"
    try:
        leaves = process.leaves()
    except Failure as failure:
        yield f"  {failure.seen}"
        return
    for entry in itertools.islice(leaves.values(), PAGES_MAX):
        flags = "VRWXUGAD"
        letters = "".join(name if entry.bits >> i & 1 else "-" for i, name in enumerate(flags))
        yield f"  {entry.va:#014x} -> {entry.pa:#x}  {letters}  rsw {entry.rsw:02b}"
    if len(leaves) > PAGES_MAX:
        yield f"  and {len(leaves) - PAGES_MAX} more"
