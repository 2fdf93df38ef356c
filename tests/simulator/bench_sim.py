#!/usr/bin/env python3
"""Measures how fast the simulator is, in all the ways in which it can run, beside QEMU.

The work is a part of cowtest, on one hart. What is shown are its instructions in a second of
processor time, of all threads of a program, without what it takes to start and to boot: of several
runs, the fastest. What is counted are the simulator's instructions, for QEMU, too. The time to the
prompt is by the clock, from the start of the command, or from the call that makes the machine.
"""
from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "tests"), str(ROOT / "tools")]

from browser import find_browser
from command import CommandFailure, make
from entry import run_main
from modules import Play, built, has_wasm_linker, node_command, play_in_node, worker
from products import product, target
from usage import tree_usage

PART = (
    "simple,three,file,forkfork,fork_and_exec_storm,nearly_all_frames_can_be_shared,"
    "both_owners_write_at_once"
)
SHORT_PART = "simple"
RUNS = 3
EMPTY = "init=/echo"
EXPLORED = ["--harts", "3", "--append", "init=/cowtest,tree_of_processes", "--explore"]
PROFILES = ("kind", "tlb", "svade", "icache", "stores", "timing", "all")
EVENTS = ["trap", "fault", "entry", "fence", "switch"]
# Millions of instructions a second.
TARGETS = {"kind": 80, "all": 30, "Chromium, in a Worker": 40}
BOOTS = ("kind", "all", "QEMU", "Node", "Chromium, in a Worker")
BOOT_TARGET, SIZE_TARGET = 30, 200  # milliseconds, kB
COUNT = re.compile(rb"(\d+) instructions")
LAYOUT = "{:<28} {:>9} {:>8} {:>8}"


@dataclass(frozen=True)
class Row:
    """How fast something is: millions of instructions a second, and milliseconds to the prompt."""

    name: str
    speed: float
    boot: float | None = None


def cpu_seconds(command: Sequence[str]) -> tuple[float, int]:
    """Runs a command to its end. Returns the processor time of all its threads, and how many
    instructions it says it has simulated."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise CommandFailure(f"`{shlex.join(command)}` fails:\n{said.decode(errors='replace')}")
    counts = COUNT.findall(said)
    return usage.ru_utime + usage.ru_stime, int(counts[-1]) if counts else 0


def boot_milliseconds(command: Sequence[str], runs: int) -> float:
    """Returns the shortest time until the shell prints its prompt."""
    times = []
    for _ in range(runs):
        begin = time.monotonic()
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            said = b""
            while not said.endswith(b"$ "):
                piece = os.read(process.stdout.fileno(), 4096)
                if not piece:
                    raise CommandFailure(f"`{shlex.join(command)}` ends before there is a prompt")
                said += piece
            times.append(time.monotonic() - begin)
            process.kill()
    return 1000 * min(times)


class Bench:
    """The measurements, each of so many runs."""

    def __init__(self, folder: Path, part: str, runs: int) -> None:
        self.append, self.runs = f"init=/cowtest,{part}", runs
        make(target("sim/sim"), target("kernel/kernel"), target("fs.img"))
        self.image = folder / "fs.img"
        shutil.copyfile(product("fs.img"), self.image)
        self.instructions = 0

    def simulator(self, *words: str) -> list[str]:
        """Returns a command."""
        files = [product("sim/sim"), product("kernel/kernel"), self.image]
        return [*map(str, files), "--snapshot", *words]

    def qemu(self, append: str) -> list[str]:
        """Returns the command that does the same in QEMU."""
        settings = ["CPUS=1", f"APPEND={append}", f"IMAGE={self.image}", "QEMUEXTRA=-snapshot"]
        return shlex.split(make("print-qemu", *settings))

    def fastest(self, command: Sequence[str]) -> tuple[float, int]:
        """Returns the least time, and the instructions."""
        return min(cpu_seconds(command) for _ in range(self.runs))

    def native(self, name: str, *words: str) -> Row:
        """Measures the command with these options."""
        seconds, instructions = self.fastest(self.simulator("--append", self.append, *words))
        start, booting = self.fastest(self.simulator("--append", EMPTY, *words))
        if name == "kind":
            self.instructions = instructions - booting
        boot = boot_milliseconds(self.simulator(*words), self.runs)
        return Row(name, (instructions - booting) / (seconds - start) / 1e6, boot)

    def exploring(self, schedules: int) -> Row:
        """Measures how fast schedules are run."""
        seconds, instructions = cpu_seconds(self.simulator(*EXPLORED, str(schedules)))
        return Row("exploring schedules", instructions / seconds / 1e6)

    def emulated(self) -> Row:
        """Measures QEMU, after the simulator."""
        seconds = self.fastest(self.qemu(self.append))[0] - self.fastest(self.qemu(EMPTY))[0]
        boot = boot_milliseconds(self.qemu(""), self.runs)
        return Row("QEMU", self.instructions / seconds / 1e6, boot)

    def module(
        self, name: str, play: Play, cpu_of: Callable[..., float], events: Sequence[str] = ()
    ) -> Row:
        """Measures the module; `cpu_of` plays a scenario and returns the processor time."""
        seconds, start = (
            min(cpu_of("runs", append=append, events=list(events)) for _ in range(self.runs))
            for append in (self.append, EMPTY)
        )
        boot = min(play("boots") for _ in range(self.runs))
        return Row(name, self.instructions / max(seconds - start, 0.01) / 1e6, boot)

    def modules(self) -> Iterator[Row]:
        """Measures the module where it can be run."""
        def in_node(scenario: str, **settings: object) -> float:
            return cpu_seconds(node_command(scenario, settings))[0]

        if shutil.which("node"):
            yield self.module("Node", play_in_node, in_node)
            yield self.module("Node, with all events", play_in_node, in_node, EVENTS)
        if find_browser():
            with worker() as (play, pid):
                def in_worker(scenario: str, **settings: object) -> float:
                    before = tree_usage(pid).cpu_seconds
                    play(scenario, **settings)
                    return tree_usage(pid).cpu_seconds - before

                yield self.module("Chromium, in a Worker", play, in_worker)

    def rows(self, schedules: int) -> list[Row]:
        """Measures everything that there is on this computer."""
        rows = [self.native(profile, "--profile", profile) for profile in PROFILES]
        traced = ["--trace", "/dev/null", "--trace-traps"]
        rows += [self.native("kind, tracing traps", *traced), self.exploring(schedules)]
        if shutil.which("qemu-system-riscv64"):
            rows.append(self.emulated())
        return rows + list(self.modules() if has_wasm_linker() else [])


def table(rows: Sequence[Row]) -> list[str]:
    """Returns the lines."""
    qemu = next((row.speed for row in rows if row.name == "QEMU"), None)
    lines = [LAYOUT.format("millions of instructions", "a second", "of QEMU", "target")]
    for row in rows:
        ratio = f"{row.speed / qemu:.2f}" if qemu else "-"
        target_speed = TARGETS.get(row.name, "")
        lines.append(LAYOUT.format(row.name, f"{row.speed:.0f}", ratio, target_speed))
    lines += ["", LAYOUT.format("boot to the prompt", "ms", "", "target")]
    for row in rows:
        if row.name in BOOTS and row.boot is not None:
            wanted = BOOT_TARGET if row.name == "kind" else ""
            lines.append(LAYOUT.format(row.name, f"{row.boot:.0f}", "", wanted))
    return lines


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="less work, once")
    short = parser.parse_args().short
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), SHORT_PART if short else PART, 1 if short else RUNS)
        print("\n".join(table(bench.rows(schedules=2 if short else 20))))
    if has_wasm_linker():
        kilobytes = built()["wasm"].stat().st_size / 1000
        print("\n" + LAYOUT.format("sim.wasm, kB", f"{kilobytes:.0f}", "", SIZE_TARGET))
    return 0


if __name__ == "__main__":
    run_main(main)
