"""What the recipes (cow6.py, xv6.py) make of a submission, and what there is to know about it."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from grader.elf import Layout


@dataclass(frozen=True)
class Traits:
    """What tests must know of a kernel to be fair to it."""

    processes: int = 64  # it has room for so many (NPROC)
    harts: int = 0  # it runs on so many at most (NCPU); 0: on any number
    memory_end: int = 0  # it uses RAM up to this address (PHYSTOP); 0: all there is
    # Its races are run on the simulator, with this profile; "": only if that is asked for.
    race_profile: str = ""
    slowness: int = 1  # its tests may take so many times the usual CPU time
    # With fewer free pages than this, but not with none, its fork panics for a fault of the base.
    fork_panics_below: int = 0


@dataclass(frozen=True)
class Built:
    """A submission's kernel with our disk image: what a Machine runs."""

    dialect: str  # "cow6" or "xv6"
    kernel: Path
    image: Path
    # What the dialect needs besides kernel, harts, memory and disk: ["-bios", "none", ...]
    qemu_args: list[str]
    symbols: Path | None = None  # ELF file with debug information, for source lines
    memory: int = 128 << 20
    layout: Layout = field(default_factory=Layout)
    traits: Traits = field(default_factory=Traits)
    notes: list[str] = field(default_factory=list)  # what was noticed about the submission
