#!/usr/bin/env python3
"""Runs the benchmarks of user/tests/bench.c and prints them beside those of other systems.

All numbers are executed instructions, on one hart with 128 MiB, as QEMU counts them with -icount;
they are the same on every run but for what waits for the disk. The machine boots with the shell as
process 1, which runs `bench`; the row "boot" is what was executed until bench's first instruction,
less what the firmware had executed when the kernel was entered.
"""
from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
from pathlib import Path

from bench_rows import ROWS, K, M, Row, read_lines
from command import CommandFailure
from entry import run_main
from qemu import ICOUNT, Guest, GuestFailure

WANTED_FACTOR = 5.0
BOOT_LIMIT = 1_000_000


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


def measure() -> dict[str, int]:
    """Boots, runs all benchmarks, and returns the counts by row."""
    guest = Guest("bench", words="init=/sh,-c,bench", extra=ICOUNT)
    firmware = firmware_instructions(guest.command)
    with guest:
        status = guest.wait()
    if status != 0:
        raise GuestFailure(f"bench ends with status {status}:\n{guest.tail()}")
    guest.image.unlink()
    counts = {name: line.instructions for name, line in read_lines(guest.text()).items()}
    if "start" in counts:
        counts["boot"] = counts.pop("start") - firmware
    return counts


def factor(row: Row, counts: dict[str, int]) -> float | None:
    """Returns how many times more instructions xv6 executes, if both numbers are known."""
    count = counts.get(row.name)
    return None if row.xv6 is None or count is None else row.xv6 / max(count, 1)


def print_table(counts: dict[str, int]) -> None:
    """Prints all rows side by side."""
    layout = "{:<40} {:>9} {:>9} {:>10} {:>14} {:>13} {:>9}"
    print(
        layout.format(
            "executed instructions", "cow6", "xv6", "COW labs", "Linux", "bound", "xv6/cow6"
        )
    )
    for row in ROWS:
        times = factor(row, counts)
        own = short(counts[row.name]) if row.name in counts else "missing"
        xv6 = "-" if row.xv6 is None else short(row.xv6)
        print(
            layout.format(
                row.title,
                own,
                xv6,
                row.students,
                row.linux,
                row.bound,
                f"{times:,.1f}" if times else "-",
            )
        )


def problems(counts: dict[str, int], check: bool) -> list[str]:
    """Returns what is wrong: missing rows and, with `check`, rows that are too slow."""
    found = [f"no line `bench {row.name} ...`" for row in ROWS if row.name not in counts]
    if check:
        for row in ROWS:
            times = factor(row, counts)
            if times is not None and times < WANTED_FACTOR:
                found.append(
                    f"{row.title}: expected {WANTED_FACTOR:.0f} times fewer than xv6, "
                    f"saw {times:.1f}"
                )
        if counts.get("boot", 0) > BOOT_LIMIT:
            found.append(
                f"boot: expected at most {BOOT_LIMIT:,} instructions, saw {counts['boot']:,}"
            )
    return found


def main() -> int:
    """Measures, prints the table, and judges it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the counts to a file")
    parser.add_argument(
        "--check",
        action="store_true",
        help=f"fail if a row is not {WANTED_FACTOR:.0f} times better than xv6's",
    )
    arguments = parser.parse_args()
    try:
        counts = measure()
    except CommandFailure as failure:
        print(f"bench: {failure}")
        return 1
    print_table(counts)
    if arguments.json:
        arguments.json.write_text(json.dumps(counts, indent=2) + "\n")
    found = problems(counts, arguments.check)
    for problem in found:
        print(f"bench: {problem}")
    return 1 if found else 0


if __name__ == "__main__":
    run_main(main)
