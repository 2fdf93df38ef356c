#!/usr/bin/env python3
"""Runs the benchmarks of user/tests/bench.c and prints them beside those of other systems.

Numbers are executed instructions, on one hart with 128 MiB, as QEMU counts them with -icount; they
are the same on every run, but for a few in a thousand where a row waits for the disk. QEMU serves
the disk in threads of its own: if they run beside the hart, a request may be done before the
interrupt for the one before it has ended, which saves an interrupt, and 5 % of a row. So QEMU is
kept on one processor. The machine boots with the shell as process 1, which runs `bench`; the row
"boot" is what was executed until bench's first instructions, less what the firmware had executed
when the kernel was entered.

Beside them are the ratio to the saved numbers (tests/bench.json), the target, and the processor
time that QEMU used for the row, preparations included, which is shown only. With --check, nothing
but differences to the saved numbers is printed, and a row with more instructions makes it fail.
"""
from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench_rows import ROWS, K, M, read_lines
from bench_saved import SAVED, Numbers, SavedProblem, compare, read_saved, write_saved
from command import CommandFailure, make, run
from entry import run_main
from products import product
from qemu import ICOUNT, Guest, GuestFailure
from usage import running_seconds

ROW_END = r"^bench (?P<name>\S+) \d+ .*\n"
LAYOUT = "{:<42} {:>7} {:>6} {:>7} {:>6} {:>9} {:>13} {:>8}"
COMPILER = re.compile(r"\b(gcc|clang)\b.*?(\d+\.\d+\.\d+)(?!.*\d+\.\d+\.\d+)")
QEMU = re.compile(r"\b(QEMU)\b.*?(\d+\.\d+)")


def short(number: float) -> str:
    """Formats a count for the table: 1,080 or 12.3K or 188M."""
    for unit, name in ((M, "M"), (K, "K")):
        if number >= 10 * K and number >= unit:
            return f"{number / unit:.3g}{name}"
    return f"{number:,.0f}"


def firmware_instructions(command: list[str]) -> int:
    """Measures what the firmware executes before it enters the kernel: in the same machine, with a
    kernel that only reads the counter."""
    probe = bytes.fromhex("7325 20c0" "6f00 0000")  # rdinstret a0; j .
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "probe")
        image.write_bytes(probe)
        machine = list(command)
        machine[machine.index("-kernel") + 1] = str(image)
        machine.remove("-nographic")
        machine += ["-display", "none", "-serial", "null", "-monitor", "stdio"]
        with subprocess.Popen(
            machine, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as qemu:
            assert qemu.stdin is not None and qemu.stdout is not None
            try:
                return ask_for_counter(qemu)
            finally:
                qemu.kill()


def ask_for_counter(qemu: subprocess.Popen[str]) -> int:
    """Asks QEMU's monitor for the registers until the probe has run; returns its a0."""
    assert qemu.stdin is not None and qemu.stdout is not None
    at_probe = False
    qemu.stdin.write("info registers\n")
    qemu.stdin.flush()
    for line in qemu.stdout:
        if re.search(r"\bpc\s+0*80200004\b", line):
            at_probe = True
        elif re.search(r"\bpc\s+[0-9a-f]+", line):
            qemu.stdin.write("info registers\n")
            qemu.stdin.flush()
        counter = re.search(r"\ba0\s+([0-9a-f]+)", line)
        if at_probe and counter:
            return int(counter.group(1), 16)
    raise GuestFailure("QEMU ended while the firmware was measured")


@dataclass(frozen=True)
class Measured:
    """Instructions by row, and the processor time of QEMU in seconds."""

    numbers: Numbers
    seconds: dict[str, float]


def tools() -> str:
    """Names what numbers depend on: the compiler that makes the code, and QEMU with its firmware,
    which serves the kernel."""
    names = []
    for variable, pattern in (("CC", COMPILER), ("QEMU", QEMU)):
        said = run([*make(f"print-{variable}").split(), "--version"]).output.partition("\n")[0]
        found = pattern.search(said)
        names.append(" ".join(found.groups()) if found else said)
    return ", ".join(names)


def is_plain_build() -> bool:
    """Tells whether neither DEBUG nor another OPT was given when the kernel was built."""
    variant = product("build/variant.settings").read_text().strip()
    return product(variant) in (product("build"), product("build/llvm"))


def read_marks(guest: Guest) -> list[tuple[str, float]]:
    """Reads the console until bench has ended; returns the rows, each with the processor time that
    QEMU had used when its line was there."""
    marks: list[tuple[str, float]] = []
    while True:
        try:
            seen = guest.expect(ROW_END)
        except GuestFailure:
            return marks
        name = re.findall(ROW_END, seen, re.MULTILINE)[-1]
        marks.append(("boot" if name == "start" else name, running_seconds(guest.process.pid)))


def seconds_between(marks: list[tuple[str, float]], total: float) -> dict[str, float]:
    """Returns the processor time of each row. QEMU may have ended before it was asked about the
    last one, so how much it has used in all is given, too."""
    seconds, before = {}, 0.0
    for name, mark in marks:
        now = mark if mark > before else total
        seconds[name], before = max(now - before, 0.0), now
    return seconds


def seconds_of_ended() -> float:
    """Returns the processor time of all processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def on_one_processor() -> Iterator[None]:
    """Processes that are started in the block stay on one processor, if the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, [min(processors)])
    try:
        yield
    finally:
        os.sched_setaffinity(0, processors)


def measure() -> Measured:
    """Boots, runs all benchmarks, and counts."""
    guest = Guest("bench", words="init=/sh,-c,bench", extra=ICOUNT)
    firmware = firmware_instructions(guest.command)
    others = seconds_of_ended()
    with ExitStack() as stack:
        with on_one_processor():
            stack.enter_context(guest)
        marks = read_marks(guest)
        status = guest.wait()
    if status != 0:
        raise GuestFailure(f"bench ends with status {status}:\n{guest.tail()}")
    seconds = seconds_between(marks, seconds_of_ended() - others)
    guest.image.unlink()
    counts = {name: line.instructions for name, line in read_lines(guest.text()).items()}
    if "start" in counts:
        counts["boot"] = counts.pop("start") - firmware
    return Measured(Numbers(tools(), counts), seconds)


def table(measured: Measured, saved: Numbers) -> list[str]:
    """Returns all rows side by side."""
    head = ("cow6", "saved", "target", "xv6", "COW labs", "Linux", "CPU")
    lines = [LAYOUT.format("executed instructions", *head)]
    for row in ROWS:
        count, before = (n.instructions.get(row.name) for n in (measured.numbers, saved))
        lines.append(LAYOUT.format(
            row.title,
            "missing" if count is None else short(count),
            "-" if count is None or not before else f"x{count / before:.2f}",
            "-" if row.target is None else short(row.target),
            "-" if row.xv6 is None else short(row.xv6),
            row.students,
            row.linux,
            f"{measured.seconds.get(row.name, 0.0):.3f} s",
        ))
    return lines


def wrong_rows(now: Numbers) -> list[str]:
    """Says which rows bench or tools/bench_rows.py lacks."""
    names = [row.name for row in ROWS]
    lost = [f"no line `bench {name} ...`" for name in names if name not in now.instructions]
    return lost + [
        f"bench prints the row {name}, which tools/bench_rows.py does not have"
        for name in now.instructions if name not in names
    ]


def check() -> int:
    """Compares what is measured with the saved numbers."""
    if not is_plain_build():
        raise SavedProblem("the saved numbers are of builds without DEBUG and OPT")
    saved, now = read_saved(SAVED), measure().numbers
    found = compare(saved, now)
    problems = wrong_rows(now) + found.problems
    for line in found.remarks + problems:
        print(f"bench: {line}")
    if not problems:
        print(f"bench: {len(now.instructions)} rows are as saved, or better")
    return 1 if problems else 0


def show(save: bool, counts_file: Path | None) -> int:
    """Measures and prints the table; writes the counts to a file, and saves them, if wanted."""
    measured = measure()
    try:
        saved = read_saved(SAVED)
    except SavedProblem:
        saved = Numbers("", {})
    print("\n".join(table(measured, saved)))
    if counts_file:
        counts_file.write_text(json.dumps(dict(measured.numbers.instructions), indent=2) + "\n")
    problems = wrong_rows(measured.numbers)
    for problem in problems:
        print(f"bench: {problem}")
    if save and not problems:
        if not is_plain_build():
            raise SavedProblem("only the numbers of a build without DEBUG and OPT can be saved")
        write_saved(measured.numbers, SAVED)
    return 1 if problems else 0


def main() -> int:
    """Measures, and prints the table or judges it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the counts to a file")
    parser.add_argument(
        "--check", action="store_true", help="fail if a row has more instructions than were saved"
    )
    parser.add_argument("--save", action="store_true", help="save the numbers in tests/bench.json")
    arguments = parser.parse_args()
    try:
        return check() if arguments.check else show(arguments.save, arguments.json)
    except (CommandFailure, SavedProblem) as failure:
        print(f"bench: {failure}")
        return 1


if __name__ == "__main__":
    run_main(main)
