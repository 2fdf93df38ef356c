"""What is between a submission's programs and the rest of the machine: which protections are in
force, by what means, and which are missing."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# In the order in which they are told.
FILES = "files"  # a command sees no files but the system's and its own
NETWORK = "network"  # it cannot reach any
PROCESSES = "processes"  # it can neither see into other processes nor signal them
USER = "user"  # it has not the rights of the user who grades
CALLS = "system calls"  # it cannot make those that it does not need
END = "end"  # nothing that it has started outlives it
LIMITS = "limits"  # time, memory, processes and disk are limited
QEMU = "QEMU"  # QEMU gives up what it does not need by its own option -sandbox
NAMES = (FILES, NETWORK, PROCESSES, USER, CALLS, END, LIMITS, QEMU)


@dataclass(frozen=True)
class Protections:
    """The means by which protections are in force, and the reasons why others are missing, each by
    the protection's name."""

    means: Mapping[str, str]
    reasons: Mapping[str, str]

    @property
    def in_force(self) -> list[str]:
        """A line for each protection in force: `name: means`."""
        return [f"{name}: {self.means[name]}" for name in NAMES if name in self.means]

    @property
    def missing(self) -> list[str]:
        """A line for each that is missing: `name: reason`."""
        return [
            f"{name}: {self.reasons.get(name, 'nothing here does this')}"
            for name in NAMES if name not in self.means
        ]

    def adding(self, name: str, means: str, otherwise: str) -> Protections:
        """Returns these and one more, which is missing if there are no means."""
        if means:
            return Protections({**self.means, name: means}, self.reasons)
        return Protections(self.means, {**self.reasons, name: otherwise})
