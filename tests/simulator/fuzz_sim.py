#!/usr/bin/env python3
"""Runs random programs on the simulator and on QEMU, which must end in the same state.

A program is machine code of some hundred bytes with registers and page tables; its number says
which one it is. The guest (fuzz/guest.c) runs many of them, each from the same beginning, and
prints a hash of all that has happened: each trap with its registers, and the state at the end. What
differs is run alone, and the first line in which the two reports differ is printed.

A program that does not end on the simulator, or that touches a device that only QEMU's machine has,
is not compared.
"""
from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "tests"), str(ROOT / "tools")]

from entry import run_main
from fuzz_tables import MEMORY_END, MEMORY_START, RECORDS, make_program
from limits import run_limited
from products import product

BATCH = 100
INSTRUCTIONS = 1_000_000  # for one program, most of them to fill and to hash memory
CPU_SECONDS = 20
ABSENT = (
    "f", "d", "h", "v", "pmp", "zba", "zbb", "zbc", "zbs", "svinval", "svnapot", "svpbmt",
    "debug", "zawrs", "svadu", "zicbom", "zicboz", "zfa", "smstateen",
)
PRESENT = ("sstc", "Zicsr", "Zifencei")
# Without these, QEMU takes the interrupt with the lowest number first.
PRIORITIES = ("x-smaia", "x-ssaia", "smaia", "ssaia")
IDS = ("mvendorid=0", "marchid=0", "mimpid=0", "pmu-num=0")
LINE = re.compile(r"^start ([0-9a-f]+)( .*)? hash=([0-9a-f]+)$", re.MULTILINE)

CRASH = "Assertion `"  # QEMU's own, about instructions in devices
STARTED = re.compile(r"^start ([0-9a-f]+?)(?=sim:|qemu| |$)", re.MULTILINE)


@dataclass(frozen=True)
class End:
    """How a program has ended."""

    hash: str
    is_wild: bool


def qemu_command() -> list[str]:
    """Returns QEMU's command, without the guest: a processor that has what the simulator has, and
    that looks for interrupts after each instruction."""
    known = subprocess.run(
        ["qemu-system-riscv64", "-machine", "virt", "-device", "rv64-riscv-cpu,help"],
        capture_output=True, text=True, check=True,
    ).stdout
    names = re.findall(r"^ +(\w[\w-]*)=", known, re.MULTILINE)
    numbers = [f"{name}={value}" for name, value in (pair.split("=") for pair in IDS)
               if name in names]
    switches = [f"{name}=off" for name in ABSENT if name in names]
    switches += [f"{name}=on" for name in PRESENT + PRIORITIES if name in names]
    version = subprocess.run(
        ["qemu-system-riscv64", "--version"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"version (\d+)\.(\d+)", version)
    assert found, version
    is_new = (int(found[1]), int(found[2])) >= (8, 1)
    single = ["-accel", "tcg,one-insn-per-tb=on"] if is_new else ["-accel", "tcg", "-singlestep"]
    return [
        "qemu-system-riscv64", "-machine", "virt", "-cpu", ",".join(["rv64", *numbers, *switches]),
        *single, "-smp", "2", "-m", f"{MEMORY_END - MEMORY_START >> 20}M", "-bios", "none",
        "-global", "virtio-mmio.force-legacy=false", "-nographic", "-monitor", "none",
        "-nodefaults", "-serial", "stdio",
    ]


class Machines:
    """The simulator and QEMU, with the guest."""

    def __init__(self, simulator: Path, folder: Path) -> None:
        self.simulator, self.folder = simulator, folder
        self.qemu = qemu_command()
        self.guest = product("build/fuzz-sim/guest.bin").read_bytes()

    def image(self, numbers: Sequence[int], is_shown: bool) -> Path:
        """Writes the guest with these programs."""
        records = b"".join(make_program(number).record(is_shown) for number in numbers)
        contents = self.guest.ljust(RECORDS - MEMORY_START, b"\0") + records + bytes(8)
        image = self.folder / "image"
        image.write_bytes(contents)
        return image

    def simulate(self, numbers: Sequence[int], is_shown: bool = False) -> str:
        """Runs programs on the simulator; returns what the guest prints."""
        end = INSTRUCTIONS * (len(numbers) + 1) * (10 if is_shown else 1)
        words = [str(self.simulator), str(self.image(numbers, is_shown)), "--mem",
                 str(MEMORY_END - MEMORY_START >> 20), "--harts", "2", "--stop-at", str(end)]
        return run_limited(words, ROOT, CPU_SECONDS).output

    def emulate(self, numbers: Sequence[int], is_shown: bool = False) -> str:
        """Runs programs in QEMU; returns what the guest prints."""
        words = [*self.qemu, "-kernel", str(self.image(numbers, is_shown))]
        return run_limited(words, ROOT, CPU_SECONDS).output


def ends(printed: str) -> dict[int, End]:
    """Returns how the programs have ended that have."""
    return {
        int(number, 16): End(last, " wild=1" in (between or ""))
        for number, between, last in LINE.findall(printed)
    }


def not_started(numbers: Sequence[int], printed: str) -> list[int]:
    """Returns the programs behind the last one that has been started; without one, none."""
    places = {number: place for place, number in enumerate(numbers)}
    started = [places.get(int(number, 16), 0) for number in STARTED.findall(printed)]
    return list(numbers[max(started, default=len(numbers)) + 1:])


class Fuzzer:
    """Compares programs, and counts."""

    def __init__(self, machines: Machines) -> None:
        self.machines = machines
        self.passed, self.skipped = 0, 0
        self.failed: list[int] = []

    def run_here(self, numbers: Sequence[int]) -> dict[int, End]:
        """Runs programs on the simulator; those that do not end are left out."""
        found: dict[int, End] = {}
        left = list(numbers)
        while left:
            printed = self.machines.simulate(left)
            found.update(ends(printed))
            left = not_started(left, printed)
        return found

    def compare(self, numbers: Sequence[int]) -> None:
        """Compares programs on both."""
        here = self.run_here(numbers)
        compared = [number for number, end in here.items() if not end.is_wild]
        self.skipped += len(numbers) - len(compared)
        left = compared
        while left:
            left = self.compare_some(left, here)

    def compare_some(self, numbers: Sequence[int], here: Mapping[int, End]) -> list[int]:
        """Compares programs with one run of QEMU. Returns those that are left: behind the first
        that differs, or with which QEMU ended."""
        printed = self.machines.emulate(numbers)
        there = ends(printed)
        for place, number in enumerate(numbers):
            if number in there and there[number].hash == here[number].hash:
                self.passed += 1
                continue
            if number not in there and CRASH in printed:
                self.skipped += 1
            elif place > 0 and self.is_same_alone(number):
                self.passed += 1  # one before it has left something behind
            else:
                self.report(number)
            return list(numbers[place + 1:])
        return []

    def is_same_alone(self, number: int) -> bool:
        """Tells whether a program ends the same on both when no other has run before it."""
        here, there = (ends(run([number])) for run in (self.machines.simulate,
                                                       self.machines.emulate))
        return number in here and here == there

    def report(self, number: int) -> None:
        """Runs a program alone and says where the reports differ first."""
        self.failed.append(number)
        ours = self.machines.simulate([number], is_shown=True).splitlines()
        theirs = self.machines.emulate([number], is_shown=True).splitlines()
        print(f"program {number}: FAIL")
        for i, (here, there) in enumerate(zip(ours, theirs)):
            if here != there:
                print(f"  line {i}, after:  {ours[i - 1]}")
                print(f"  simulator: {here}\n  QEMU:      {there}")
                return
        print(f"  QEMU's report has {len(theirs)} lines, the simulator's {len(ours)}, all the same")


def main() -> int:
    """Runs programs; returns 1 if one differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1, help="the first program's number; 1")
    parser.add_argument("--count", type=int, default=1000, help="how many programs; 1000")
    parser.add_argument("--simulator", type=Path, default=product("sim/sim"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(Machines(arguments.simulator, Path(folder)))
        last = arguments.seed + arguments.count
        for first in range(arguments.seed, last, BATCH):
            fuzzer.compare(range(first, min(first + BATCH, last)))
    skipped = f", {fuzzer.skipped} skipped" if fuzzer.skipped else ""
    print(f"{fuzzer.passed} passed, {len(fuzzer.failed)} failed{skipped}")
    return 1 if fuzzer.failed or not fuzzer.passed else 0


if __name__ == "__main__":
    run_main(main)
