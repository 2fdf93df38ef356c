"""A guest whose harts run in step, and what its programs mark (tools/plugin/lockstep.c)."""
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from command import make, run
from products import ROOT, product, target
from qemu import RESULTS, Guest

PLUGIN = "build/plugin/lockstep.so"
QUANTUM = 200  # instructions of a round
MARK = re.compile(r"^mark (\d+) hart (\d+) time (\d+) executed (.*)$", re.MULTILINE)
SLIPS = re.compile(r"^end slips (\d+)$", re.MULTILINE)


class Mark(NamedTuple):
    """A place that a hart passed: the time in instructions of one hart, and what each hart has
    executed."""

    number: int
    hart: int
    time: int
    executed: tuple[int, ...]


@dataclass(frozen=True)
class Marks:
    """All marks of a run in their order. A slip is a round in which a hart that did not come was
    no longer waited for."""

    marks: list[Mark]
    slips: int


def plugin_problem() -> str:
    """Says why QEMU cannot load the plugin; "" if it can, as its complaint about an argument that
    it does not know shows."""
    make(target(PLUGIN))
    qemu = make("print-QEMU").split()
    tried = run([*qemu, "-machine", "none", "-plugin", f"{product(PLUGIN)},no-such-argument=1"])
    return "" if "lockstep: there is no argument" in tried.output else tried.output.strip()


def lockstep_guest(
    name: str, *, words: str, cpus: int, mem: str = "128M", quantum: int = QUANTUM
) -> Guest:
    """Returns a guest (see qemu.Guest) whose harts run in step."""
    make(target(PLUGIN))
    RESULTS.mkdir(parents=True, exist_ok=True)
    option = f"-plugin {product(PLUGIN)},quantum={quantum},out={marks_file(name)}"
    guest = Guest(name, words=words, cpus=cpus, mem=mem, extra=option, tree=ROOT)
    guest.command[:0] = ["env", f"LD_PRELOAD={product(PLUGIN)}"]  # tools/plugin/clock.c
    return guest


def marks_file(name: str) -> Path:
    """Returns where the plugin writes what it sees in that guest."""
    return RESULTS / f"{name}.marks"


def read_marks(name: str) -> Marks:
    """Returns what was marked in a guest that has ended."""
    text = marks_file(name).read_text(encoding="utf-8")
    marks = [
        Mark(int(number), int(hart), int(time), tuple(map(int, executed.split())))
        for number, hart, time, executed in MARK.findall(text)
    ]
    return Marks(marks, sum(map(int, SLIPS.findall(text))))
