"""Tells whether a kernel could know that a process is about to be inspected.

While a process runs from a system call to a loop's first instructions, a right kernel does not run
on its hart. One that wants to deceive may arrange for a trap there, by a page that it keeps from
the process or by changed code, and be honest for just that moment. `sepc` tells: after sret it
still holds the address at which user mode was entered last, and the kernel cannot change it later
(RISC-V Privileged Architecture, supervisor exception program counter).
"""
from __future__ import annotations

from grader.decode import Registers
from grader.machine import Machine
from grader.run import Failure
from labs.cow.grading.probe import Probe

# So many traps in a row may be chance: ticks, which hardly ever come just there where time is
# counted in instructions, but may where a busy host decides how far a process gets between two of
# them. What kind of trap it was cannot be told: the hart may have served other processes since.
CHANCE_MOST = 1
CHANCE_MOST_IN_REAL_TIME = 20


class Surprises:
    """Stops that the kernel must not foresee."""

    def __init__(self, machine: Machine, probe: Probe) -> None:
        self.machine, self.probe = machine, probe
        self.traps = 0  # since the last stop that was a surprise

    def is_one(self, registers: Registers) -> bool:
        """Tells whether the kernel has not run on the hart since the system call before this place;
        Failure if it has run before too many stops in a row to be chance."""
        if registers.sepc in self.probe.entries:
            self.traps = 0
            return True
        if self.machine.places.are_watched and registers.sepc == registers.pc:
            self.machine.places.watch_no_longer()  # a kernel may map the word's page late
            return False
        self.traps += 1
        if self.traps > (CHANCE_MOST_IN_REAL_TIME if self.machine.cpus > 1 else CHANCE_MOST):
            raise foreseen(registers)
        return False


def foreseen(registers: Registers) -> Failure:
    """Returns the failure of a kernel that ran when it had no reason to."""
    expected = "no trap between a system call and the loop that follows it"
    seen = f"a trap again and again, the last one at {registers.sepc:#x}"
    return Failure("steady", expected, seen)
