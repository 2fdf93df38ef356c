"""A hart's registers, and what they mean in words: mode, source line, last trap."""
from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.display import display_name
from grader.errors import InfraError
from grader.sandbox import Limits, Sandbox
from toolchain import find_prefix

MODES = {0: "user mode", 1: "supervisor mode", 3: "machine mode"}
INTERRUPT = 1 << 63
EXCEPTIONS = {
    0: "misaligned jump", 1: "fetch access fault", 2: "illegal instruction", 3: "breakpoint",
    4: "misaligned load", 5: "load access fault", 6: "misaligned store", 7: "store access fault",
    8: "system call", 9: "call of the firmware", 12: "fetch page fault", 13: "load page fault",
    15: "store page fault",
}
INTERRUPTS = {1: "software interrupt", 5: "timer interrupt", 9: "device interrupt"}
WITH_ADDRESS = {0, 1, 4, 5, 6, 7, 12, 13, 15}
ADDR2LINE = ("addr2line", "-f", "-e")
LLVM_SYMBOLIZERS = (
    ("llvm-addr2line", "-f", "-e"),
    ("llvm-symbolizer", "--output-style=GNU", "--no-inlines", "--functions", "-e"),
)
KERNEL_MIN = 1 << 20  # lower addresses are programs'
CALLED_FROM, TRAP_FROM = "    called from ", "a trap was reported from "
SOURCE_FOLDER = re.compile(r"^.*/(?=kernel/)|^\./")
DISCRIMINATOR = re.compile(r" \(discriminator \d+\)$")
SYMBOLIZER_LIMITS = Limits(cpu_seconds=10, output_bytes=1 << 16)


@dataclass(frozen=True)
class Registers:
    """A hart's registers at a stop."""

    hart: int
    pc: int
    x: Sequence[int]  # x0 to x31
    satp: int
    priv: int  # 0 user, 1 supervisor, 3 machine
    scause: int = 0
    stval: int = 0
    sepc: int = 0

    def argument(self, number: int) -> int:
        """Returns a0 to a7."""
        return self.x[10 + number]


def trap_name(scause: int) -> str:
    """Returns the name of a trap's cause."""
    names, code = (INTERRUPTS, scause & ~INTERRUPT) if scause & INTERRUPT else (EXCEPTIONS, scause)
    return names.get(code, f"cause {scause:#x}")


def describe(
    states: Sequence[Registers], calls: Sequence[Sequence[int]], traps: Sequence[int],
    symbols: Path | None, sandbox: Sandbox,
) -> str:
    """Returns a line for each hart, each of its calls, and each place of a reported trap."""
    addresses = [address for state in states for address in (state.pc, state.sepc)]
    addresses += [address for chain in (*calls, traps) for address in chain]
    known = [address for address in addresses if address >= KERNEL_MIN]
    lines = source_lines(symbols, known, sandbox) if symbols is not None else {}
    shown = []
    for state, chain in zip(states, calls):
        shown.append(describe_one(state, lines))
        shown += [f"{CALLED_FROM}{place(call, lines)}" for call in chain if call in lines]
    shown += [f"{TRAP_FROM}{place(trap, lines)}" for trap in traps if trap in lines]
    return "\n".join(shown)


def describe_one(state: Registers, lines: dict[int, str]) -> str:
    """Says where a hart is, and what its last trap was."""
    text = f"hart {state.hart}: {MODES.get(state.priv, 'unknown mode')} at {place(state.pc, lines)}"
    if state.scause == 0 and state.sepc == 0:
        return text
    address = f" at address {state.stval:#x}" if state.scause in WITH_ADDRESS else ""
    return (
        f"{text}; last trap: {trap_name(state.scause)}{address} (scause {state.scause:#x}), "
        f"from {place(state.sepc, lines)}"
    )


def place(address: int, lines: dict[int, str]) -> str:
    """Returns an address with its source line, if there is one."""
    return f"{lines[address]} ({address:#x})" if address in lines else f"{address:#x}"


def source_lines(symbols: Path, addresses: Sequence[int], sandbox: Sandbox) -> dict[int, str]:
    """Returns `file:line, in function` for those addresses that the ELF file knows; for none if no
    symbolizer is here."""
    wanted: list[int] = sorted(set(addresses))
    tool = find_symbolizer()
    if tool is None or not wanted:
        return {}
    command = [*tool, str(symbols), *(f"{address:#x}" for address in wanted)]
    try:
        done = sandbox.run(command, cwd=symbols.parent, read=[symbols], limits=SYMBOLIZER_LIMITS)
    except InfraError:
        return {}
    lines = done.output.rstrip("\n").split("\n")
    if done.status != 0 or len(lines) != 2 * len(wanted):
        return {}
    found = {}
    for address, function, line in zip(wanted, lines[::2], lines[1::2]):
        if not line.startswith("??"):
            source = SOURCE_FOLDER.sub("", DISCRIMINATOR.sub("", line))
            found[address] = f"{display_name(source)}, in {display_name(function)}"
    return found


def find_symbolizer() -> Sequence[str] | None:
    """Returns the words of a command that finds source lines: binutils' or LLVM's."""
    prefix = find_prefix(ADDR2LINE[0])
    if prefix is not None:
        return [prefix + ADDR2LINE[0], *ADDR2LINE[1:]]
    return next((words for words in LLVM_SYMBOLIZERS if shutil.which(words[0])), None)
