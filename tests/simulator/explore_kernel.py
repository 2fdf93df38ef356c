#!/usr/bin/env python3
"""Explores schedules of the kernel's protocols, and of the tests in which processes race.

Each row is a scenario (tests/simulator/explore) or a test, on a number of harts that have store
buffers and TLBs that are not kind. Prints a row for each: how many schedules there were, how many
failed, how many instructions they took; and for one that failed the command that repeats it. The
last line is `N passed, M failed`.

With --faults, the same is done with kernels in which a fault is planted, each in the scenario that
must find it: there, a row passes if a schedule fails, and fails again when it is repeated.
"""
from __future__ import annotations

import argparse
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from paths import ROOT  # noqa: E402

from command import make  # noqa: E402
from entry import run_main  # noqa: E402
from limits import run_limited  # noqa: E402
from pieces import Piece, make_piece, read_sections, read_source  # noqa: E402
from products import product, target  # noqa: E402

SCENARIOS = (
    "cow_break", "break_exit", "fork_break", "leaf_table", "fork_flush", "shared_page",
    "stop_world", "exit_wait", "sleep_wake", "kill", "vfork_exec", "pipe", "log_commit", "append",
    "cache",
)
HARTS, SCHEDULES = (2, 3, 4, 8), 100_000
PROCESSES_MAX = 6  # so that some of 8 harts are idle, or serve those that come later
QUICK_HARTS, QUICK_SCHEDULES = (2, 3, 4), 2_000
# Tests of cowtest, and into how many parts of all schedules one of them goes: they take long.
RACES = {
    "tree_of_processes": 500, "fork_and_exec_storm": 500, "many_break_the_same_pages": 10_000,
    "sharers_exit_together": 10_000, "both_owners_write_at_once": 10_000,
    "counts_change_on_all_harts": 10_000, "kernel_and_parent_write_at_once": 10_000,
    "sharers_drop_pages_in_every_way": 10_000,
}
RACE_HARTS = 3
LIMIT, RACE_LIMIT = 30_000_000, 200_000_000  # instructions of a schedule
CPU_SECONDS = 4 * 3600
FAULTS = Path(__file__).with_name("explore") / "faults.ini"
FAULT_TREE = product("build/explore/faults")
SUMMARY = re.compile(r"^sim: (\d+) schedules, (\d+) failed; (\d+) instructions", re.MULTILINE)
FAILED = re.compile(r"^sim: schedule (\d+) .*$", re.MULTILINE)
ENDS_EARLY = "--from: the machine ends before that"  # the guest has failed before the schedules
SHOWN = 3


@dataclass(frozen=True)
class Row:
    """A scenario or a test, on a number of harts."""

    name: str
    harts: int
    schedules: int
    kernel: str = target("kernel/kernel")

    def command(self, seed: int, *last: object) -> list[str]:
        """Returns the command that runs schedules of it."""
        is_race = self.name in RACES
        processes = min(self.harts, PROCESSES_MAX)
        init = f"/cowtest,{self.name}" if is_race else f"/explore,{self.name},{processes}"
        return [
            target("sim/sim"), self.kernel, target("fs.img" if is_race else "build/explore.img"),
            "--harts", str(self.harts), "--mem", "128" if is_race else "64",
            "--append", f"init={init}", "--profile", "tlb,stores", "--from", "sys_uptime",
            "--limit", str(RACE_LIMIT if is_race else LIMIT), "--seed", str(seed),
            *map(str, last),
        ]


@dataclass(frozen=True)
class Explored:
    """What came of a row."""

    row: Row
    failed: dict[int, str]  # by number: what is said of a schedule that failed
    instructions: int
    problem: str = ""  # why there are no schedules at all

    @property
    def is_good(self) -> bool:
        """Tells whether all schedules ended as they should."""
        return not self.failed and not self.problem


def explore(row: Row, seed: int) -> Explored:
    """Runs the schedules of a row."""
    done = run_limited(row.command(seed, "--explore", row.schedules), ROOT, CPU_SECONDS)
    summary = SUMMARY.search(done.output)
    if summary is None:
        return Explored(row, {}, 0, done.output.strip() or f"exit status {done.status}")
    failed = {int(match[1]): match[0] for match in FAILED.finditer(done.output)}
    return Explored(row, failed, int(summary[3]))


def rows_of(schedules: int, harts: Sequence[int], names: Sequence[str]) -> Iterator[Row]:
    """Yields all rows, or those of these names; schedules: of all together."""
    each = max(1, schedules // (len(SCENARIOS) * len(harts)))
    for name in SCENARIOS:
        for count in harts:
            if not names or name in names:
                yield Row(name, count, each)
    for name, parts in RACES.items():
        if name in names or not names and schedules >= parts:
            yield Row(name, RACE_HARTS, max(1, schedules // parts))


def show(explored: Explored, seed: int) -> None:
    """Prints a row, and how what failed in it is repeated."""
    row = explored.row
    print(
        f"{row.name:34} {row.harts} harts {row.schedules:7} schedules "
        f"{len(explored.failed):6} failed {explored.instructions:14,} instructions",
        flush=True,
    )
    if explored.problem:
        print(f"    FAIL {explored.problem}")
    for number, what in list(explored.failed.items())[:SHOWN]:
        print(f"    FAIL {what}\n    {shlex.join(row.command(seed, '--schedule', number))}")


def run_rows(rows: Sequence[Row], seed: int, jobs: int) -> bool:
    """Runs all rows; returns whether all passed."""
    make(*map(target, ("sim/sim", "kernel/kernel", "fs.img", "build/explore.img")))
    passed = failed = schedules = 0
    with ThreadPoolExecutor(jobs) as pool:
        for explored in pool.map(partial(explore, seed=seed), rows):
            show(explored, seed)
            schedules += explored.row.schedules
            passed, failed = passed + explored.is_good, failed + (not explored.is_good)
    print(f"{schedules} schedules\n{passed} passed, {failed} failed")
    return passed > 0 and failed == 0


# ---- Planted faults ----


@dataclass(frozen=True)
class Fault:
    """A planted fault, and the scenario that finds it."""

    name: str
    piece: Piece
    scenario: str


def read_faults(names: Sequence[str]) -> list[Fault]:
    """Reads the list, or those of these names."""
    sections = read_sections(FAULTS)
    return [
        Fault(name, make_piece(FAULTS, name, entry), entry["found_by"])
        for name, entry in sections.items() if not names or name in names
    ]


def copy_tree() -> None:
    """Makes a tree in which kernels are built; what is built there already is kept."""
    for part in ("kernel", "tools", "mkfs", "user"):
        for file in sorted((ROOT / part).rglob("*")):
            if file.suffix in (".c", ".h", ".S", ".ld", ".py", "") and file.is_file():
                put(file.read_bytes(), FAULT_TREE / file.relative_to(ROOT))
    put((ROOT / "Makefile").read_bytes(), FAULT_TREE / "Makefile")


def put(contents: bytes, file: Path) -> None:
    """Writes a file if its contents are others, so that make builds only what has changed."""
    if file.exists() and file.read_bytes() == contents:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(contents)


def build(fault: Fault) -> Path:
    """Builds a kernel with the fault."""
    original = read_source(fault.piece.file)
    file = FAULT_TREE / fault.piece.file
    put(fault.piece.apply(original).encode(), file)
    try:
        make("build/kernel/kernel", tree=FAULT_TREE)
        kernel = FAULT_TREE / f"build/kernel-{fault.name}"
        shutil.copyfile(FAULT_TREE / "build/kernel/kernel", kernel)
    finally:
        put(original.encode(), file)
    return kernel


def is_repeated(row: Row, seed: int, number: int, what: str) -> bool:
    """Runs a schedule that has failed once more."""
    done = run_limited(row.command(seed, "--schedule", number), ROOT, CPU_SECONDS)
    return done.status == 1 and what in done.output


def find_fault(fault: Fault, rows: Sequence[Row], seed: int) -> bool:
    """Looks for a fault in the rows; prints where it was found first."""
    kernel = str(build(fault))
    for row in rows:
        if row.name != fault.scenario:
            continue
        row = Row(row.name, row.harts, row.schedules, kernel)
        explored = explore(row, seed)
        if explored.problem:
            is_guest = ENDS_EARLY in explored.problem
            verdict = "ok, before the schedules" if is_guest else f"FAIL {explored.problem}"
            print(f"{fault.name}: {verdict} ({row.name}, {row.harts} harts)", flush=True)
            return is_guest
        if not explored.failed:
            continue
        number, what = next(iter(explored.failed.items()))
        if is_repeated(row, seed, number, what):
            print(
                f"{fault.name}: ok ({row.name}, {row.harts} harts: {len(explored.failed)} of "
                f"{row.schedules}; {what.removeprefix('sim: ')})", flush=True,
            )
            return True
        print(f"{fault.name}: FAIL this did not come back: {what}", flush=True)
        return False
    print(f"{fault.name}: FAIL no schedule of {fault.scenario} failed", flush=True)
    return False


def run_faults(faults: Sequence[Fault], rows: Sequence[Row], seed: int) -> bool:
    """Looks for all faults; returns whether each was found."""
    make(*map(target, ("sim/sim", "build/explore.img")))
    copy_tree()
    found = sum([find_fault(fault, rows, seed) for fault in faults])
    print(f"{found} passed, {len(faults) - found} failed")
    return 0 < found == len(faults)


def main() -> int:
    """Explores all scenarios, or those that are named; or looks for planted faults."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, help="of all rows together; 100,000")
    parser.add_argument("--quick", action="store_true", help="2,000, on 2, 3 and 4 harts only")
    parser.add_argument("--seed", type=int, default=1, help="of the first schedule of each row")
    parser.add_argument("--jobs", type=int, default=1, help="how many rows at a time")
    parser.add_argument("--faults", action="store_true", help="look for planted faults")
    parser.add_argument("names", nargs="*", help="only these scenarios, tests or faults")
    arguments = parser.parse_args()
    harts = QUICK_HARTS if arguments.quick else HARTS
    named = read_faults(arguments.names) if arguments.faults else []
    known = {*SCENARIOS, *RACES, *(fault.name for fault in named)}
    for name in arguments.names:
        if name not in known:
            parser.error(f"there is no {name}")
    names = () if arguments.faults else arguments.names
    schedules = arguments.schedules or (QUICK_SCHEDULES if arguments.quick else SCHEDULES)
    rows = list(rows_of(schedules, harts, names))
    if arguments.faults:
        return 0 if run_faults(named, rows, arguments.seed) else 1
    return 0 if run_rows(rows, arguments.seed, arguments.jobs) else 1


if __name__ == "__main__":
    run_main(main)
