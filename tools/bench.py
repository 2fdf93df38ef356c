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
from dataclasses import dataclass
from pathlib import Path

from command import CommandFailure
from entry import run_main
from qemu import ICOUNT, Guest, GuestFailure

LINE = re.compile(r"^bench (\S+) (\d+) (\S+)$", re.MULTILINE)
WANTED_FACTOR = 5.0
BOOT_LIMIT = 1_000_000
K, M = 1_000, 1_000_000


@dataclass(frozen=True)
class Row:
    """A benchmark, and what it costs elsewhere.

    That is in xv6 (2022), in students' copy-on-write kernels and in Linux 6.12 (in parentheses:
    with transparent huge pages), and a hand count of what a small kernel could reach.
    """

    name: str
    title: str
    xv6: int | None
    students: str
    linux: str
    bound: str


ROWS = [
    Row("getpid", "getpid, per call", 1_080, "1,080", "431", "65-95"),
    Row("dup+close", "dup+close", 3_244, "3,234", "1,392", "250"),
    Row("fork+exit+wait", "fork+exit+wait, no heap", 607 * K, "384K", "112K", "2.5-4K"),
    Row("fork+exit+wait-1MiB", "same, 1 MiB touched heap", 12_300 * K, "553K", "217K", "+5K (+20)"),
    Row("fork+exit+wait-16MiB", "same, 16 MiB", 188 * M, "3.4M", "1.67M (339K)", "+82K (+0.3K)"),
    Row("fork+exit+wait-64MiB", "same, 64 MiB", 751 * M, "12.4M", "7.9M (418K)", "+330K (+1K)"),
    Row("fork-16MiB", "fork() alone, 16 MiB", 136 * M, "1.86M", "627K (142K)", "45K (2K)"),
    Row("fork+exec+exit+wait", "fork+exec+exit+wait", 1_720 * K, "1.46M", "242K", "6-12K"),
    Row("vfork+exit+wait", "vfork+exit+wait", None, "-", "-", "-"),
    Row("vfork+exec+exit+wait", "vfork+exec+exit+wait", None, "-", "-", "-"),
    Row("vfork+exec-16MiB", "same, 16 MiB touched heap", None, "-", "-", "-"),
    Row("cow-break", "COW break, per page", None, "34.1K", "5,473", "1,250"),
    Row("last-owner", "last-owner rewrite, per page", None, "939-46.8K", "1,423", "150"),
    Row("sbrk-1MiB", "sbrk 1 MiB grow+touch+shrink, per page", 37_500, "37.6K", "5.8K", "570-700"),
    Row("mmap-1MiB", "mmap 1 MiB+touch+munmap, per page", None, "-", "-", "-"),
    Row("shared-touch", "first touch of a shared page that is there", None, "-", "-", "-"),
    Row("shared-write", "write to a shared page, per page", None, "-", "-", "-"),
    Row("pipe-same", "pipe write+read, same process", 38_200, "38.1K", "2,961", "300"),
    Row("pipe-round-trip", "pipe round trip, two processes", 90_300, "90.1K", "13.8K", "900"),
    Row("pipe-512B", "pipe 512 B writes, per KiB", 741 * K, "671K", "15.4K", "1.2K"),
    Row("pipe-4KiB", "pipe 4 KiB writes, per KiB", 708 * K, "639K", "3.1K", "670"),
    Row("open+close", "open+close", 168 * K, "168K", "7.3K", "400"),
    Row(
        "create+write+unlink",
        "create+write 1 byte+close+unlink",
        7_300 * K,
        "7.2M",
        "33K (tmpfs)",
        "25K",
    ),
    Row("file-write", "write 64 KiB, per KiB", 897 * K, "897K", "1,674 (tmpfs)", "350"),
    Row("file-read", "read 64 KiB, per KiB", 125 * K, "125K", "693", "330"),
    Row("boot", "boot, beyond the firmware", 427 * M, "426M", "940M", "<1M"),
]


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
    counts = {name: int(count) for name, count, _ in LINE.findall(guest.text())}
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
