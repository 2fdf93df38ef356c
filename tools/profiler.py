#!/usr/bin/env python3
"""Prints which functions of the kernel execute the instructions of a row of the benchmark.

`make profile BENCH=fork_exit` runs that row of user/tests/bench.c alone. In its third round, when
all is warm, QEMU writes down each instruction between the two places where bench reads the
counter. So firmware, boot and preparations are not in the profile, but what the hart executes while
it waits for the disk, which bench does not count, is. The row "boot" goes from the kernel's entry
to bench's first instructions, and is traced from the machine's start: with -icount, a machine that
was stopped before a timer is set finds the end of time when it continues. Functions that the
compiler has inlined are part of their callers.

With --lines (`make profile BENCH=fork_exit FUNCTION=cow_share`), the function's source and
instructions are printed, with how often each was executed.
"""
from __future__ import annotations

import argparse
import bisect
import os
import re
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench_rows import ROWS, Line, Row, find_row, read_lines
from command import CommandFailure, make
from entry import run_main
from gdbstub import GdbStub, StubGone
from products import product
from qemu import ICOUNT, Guest, GuestFailure
from symbols import Function, read_functions

ROUND = 3  # the one that is profiled
READ_COUNTER = bytes.fromhex("732520c0")  # rdinstret a0, which bench's two places begin with
KERNEL_ENTRY = 0x8020_0000
FIRMWARE = range(0x8000_0000, KERNEL_ENTRY)
USER, IN_FIRMWARE = "(user mode)", "(firmware)"
EXECUTED = re.compile(rb"\[[0-9a-f]+/([0-9a-f]+)/")
ONE_BY_ONE = ("one-insn-per-tb", "singlestep")  # of QEMU 8.1 and later, and before
CHUNK_BYTES = 1 << 20
CONNECT_SECONDS = 60.0
RUN_SECONDS = 1800.0  # of wall time, between two stops: far more than a busy host needs
SHOWN_SHARE = 0.001


@dataclass(frozen=True)
class Profile:
    """How often each address was executed in a round."""

    row: Row
    counts: Counter[int]
    line: Line  # what bench says of its best round


class Trace(threading.Thread):
    """Counts the addresses in what QEMU writes into a pipe, from the first time on that it writes a
    certain one, if one is given."""

    def __init__(self, pipe: Path, first: int | None) -> None:
        super().__init__(daemon=True)
        os.mkfifo(pipe)
        self.pipe = pipe
        self.first = b"" if first is None else b"/%016x/" % first
        self.words: Counter[bytes] = Counter()

    def run(self) -> None:
        """Reads until QEMU closes the pipe."""
        with self.pipe.open("rb", buffering=0) as file:
            rest = b""
            while chunk := file.read(CHUNK_BYTES):
                lines, _, rest = (rest + chunk).rpartition(b"\n")
                start = lines.find(self.first)
                if start >= 0:
                    self.words.update(EXECUTED.findall(lines, max(0, lines.rfind(b"[", 0, start))))
                    self.first = b""

    def finish(self) -> Counter[int]:
        """Returns the counts, once QEMU has ended."""
        try:
            os.close(os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK))  # in case it never began
        except OSError:
            pass  # nobody reads any more
        self.join()
        return Counter({int(word, 16): count for word, count in self.words.items()})


class Machine:
    """A stopped machine, as far as a profile needs it."""

    def __init__(self, guest: Guest, stub: GdbStub) -> None:
        self.guest = guest
        self.stub = stub

    def run_to(self, address: int) -> None:
        """Runs until the instruction at an address is about to be executed, and stops there."""
        self.stub.insert(address)
        self.stub.go()
        if self.stub.stopped(self.stub.wait(RUN_SECONDS)) is None:
            raise GuestFailure("the machine ended before the row did")
        self.stub.remove(address)

    def run_to_counter(self, address: int) -> None:
        """Runs until bench is about to read the counter at an address. Other programs, which have
        other instructions there, pass."""
        self.run_to(address)
        while self.stub.memory(address, len(READ_COUNTER)) != READ_COUNTER:
            self.stub.step(0)
            self.run_to(address)

    def trace_to_counter(self, address: int) -> None:
        """The same, and QEMU writes down each instruction."""
        for command in ONE_BY_ONE:
            if "unknown command" not in self.stub.monitor(f"{command} on"):
                break
        else:
            raise GuestFailure("this QEMU cannot execute instructions one by one")
        self.stub.monitor("log exec,nochain")
        self.run_to_counter(address)
        self.stub.monitor("log none")
        self.stub.monitor(f"{command} off")

    def run_to_end(self) -> None:
        """Lets bench end and the machine power off."""
        self.stub.detach()
        status = self.guest.wait()
        if status != 0:
            raise GuestFailure(f"bench ends with status {status}:\n{self.guest.tail()}")


@contextmanager
def stopped(guest: Guest, path: Path) -> Iterator[Machine]:
    """Starts a machine that waits for its debugger, and ends it."""
    with guest, socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(CONNECT_SECONDS)
        try:
            connection.connect(str(path))
            yield Machine(guest, GdbStub(connection))
        except (StubGone, OSError) as gone:
            raise GuestFailure(f"{gone}; the console ends:\n{guest.tail()}") from None


def addresses(nm: str) -> tuple[int, int]:
    """Returns where bench reads the counter: at the start and at the end of what is counted."""
    variant = product("build/variant.settings").read_text().strip()
    bench = {f.name: f.address for f in read_functions(nm, Path(variant, "user/_bench"))}
    return bench["count_start"], bench["count_end"]


def measure(row: Row, nm: str) -> Profile:
    """Boots, runs the row, and counts."""
    start, end = addresses(nm)
    is_boot = row.name == "boot"
    words = "init=/sh,-c,bench" if is_boot else f"init=/bench,{row.name}"
    with tempfile.TemporaryDirectory() as folder:
        path, pipe = Path(folder, "gdb"), Path(folder, "trace")
        extra = f"{ICOUNT} -D {pipe}"
        guest = Guest("profile", words=words, extra=extra, stub=path, stopped=True)
        trace = Trace(pipe, KERNEL_ENTRY if is_boot else None)
        trace.start()
        try:
            with stopped(guest, path) as machine:
                for address in () if is_boot else (start, end) * (ROUND - 1) + (start,):
                    machine.run_to_counter(address)
                machine.trace_to_counter(end)
                if not is_boot:
                    machine.run_to_end()
        finally:
            counts = trace.finish()
    guest.image.unlink()
    return Profile(row, counts, read_lines(guest.text()).get(row.name, Line(0, row.name, 1)))


def function_counts(counts: Counter[int], functions: list[Function]) -> Counter[str]:
    """Adds up the counts of addresses by function."""
    starts = [function.address for function in functions]
    moved = starts[0] - KERNEL_ENTRY  # until the kernel turns on translation
    found: Counter[str] = Counter()
    for address, count in counts.items():
        if address < FIRMWARE.start:
            found[USER] += count
        elif address in FIRMWARE:
            found[IN_FIRMWARE] += count
        else:
            virtual = address if address >= starts[0] else address + moved
            found[functions[bisect.bisect_right(starts, virtual) - 1].name] += count
    return found


def report(profile: Profile, functions: list[Function]) -> list[str]:
    """Returns the profile's lines: instructions for each unit, their share, the function."""
    line, total, units = profile.line, sum(profile.counts.values()), max(profile.line.units, 1)
    lines = [f"{profile.row.name}: {total / units:,.0f} instructions per {line.unit}"]
    if line.instructions:
        lines[0] += f"; the median of all rounds, without idling, is {line.instructions:,}"
    others, rest = 0, 0
    for function, count in function_counts(profile.counts, functions).most_common():
        if count < SHOWN_SHARE * total:
            others, rest = others + 1, rest + count
            continue
        lines.append(f"{count / units:12,.1f} {count / total:7.1%}  {function}")
    if others:
        lines.append(f"{rest / units:12,.1f} {rest / total:7.1%}  ({others} other functions)")
    return lines


def annotated(counts: Counter[int], function: str, disassembly: str) -> list[str]:
    """Returns the function's source and instructions, with counts before the latter."""
    found = re.search(
        rf"^[0-9a-f]+ <{re.escape(function)}>:\n(.*?)(?=^[0-9a-f]+ <[^>]+>:$|\Z)",
        disassembly, re.MULTILINE | re.DOTALL,
    )
    if found is None:
        raise CommandFailure(f"the kernel has no function {function!r}")
    lines = []
    for line in found.group(1).rstrip().splitlines():
        instruction = re.match(r"\s*([0-9a-f]+):\t", line)
        count = counts[int(instruction.group(1), 16)] if instruction else 0
        lines.append(f"{count or ' ':>10}  {line}".rstrip())
    return lines


def choose(name: str) -> Row:
    """Returns the row with that name; raises CommandFailure with all names if there is none."""
    row = find_row(name)
    if row is None:
        names = " ".join(row.name for row in ROWS)
        problem = f"there is no row {name!r}" if name else "say which row, as in BENCH=fork_exit"
        raise CommandFailure(f"{problem}; the rows are {names}")
    return row


def main() -> int:
    """Measures a row and prints its profile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", metavar="FUNCTION", help="print this function's instructions")
    parser.add_argument("row", help="a row's name, or how it begins, with any separators")
    arguments = parser.parse_args()
    try:
        row = choose(arguments.row)
        nm = make("print-NM").strip()
        profile = measure(row, nm)
        lines = report(profile, read_functions(nm, product("kernel/kernel")))
        if arguments.lines:
            text = product("kernel/kernel.asm").read_text(errors="replace")
            lines = lines[:1] + annotated(profile.counts, arguments.lines, text)
    except CommandFailure as failure:
        print(f"profile: {failure}")
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    run_main(main)
