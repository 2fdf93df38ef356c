#!/usr/bin/env python3
"""Writes the kernel's table of functions as assembly, and compares two links of the kernel.

The table is in section .rodata.symbols. kernel_symbols is an array of pairs (address, pointer to
the name), sorted by address; after the last function comes a pair (end of its code, 0).
kernel_symbol_count is the number of functions. Without an ELF file the table is empty.
"""
from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple


class Function(NamedTuple):
    """A function of the kernel: its address, its size (0: unknown), its name."""

    address: int
    size: int
    name: str


def read_functions(nm: str, elf: Path) -> list[Function]:
    """Returns the functions of an ELF file sorted by address, one for each address."""
    command = [nm, "--print-size", "--numeric-sort", str(elf)]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    functions: list[Function] = []
    for line in listing.splitlines():
        fields = line.split()
        kind, name = fields[-2], fields[-1]
        if kind not in "tT" or name.startswith((".L", "$")):
            continue
        address = int(fields[0], 16)
        size = int(fields[1], 16) if len(fields) == 4 else 0
        if functions and functions[-1].address == address:
            if functions[-1].size >= size:
                continue
            functions.pop()
        functions.append(Function(address, size, name))
    return functions


def table(functions: list[Function]) -> str:
    """Returns the assembly text of the table."""
    lines = ['.section .rodata.symbols, "a"', ".balign 8", ".globl kernel_symbol_count"]
    lines += [f"kernel_symbol_count: .quad {len(functions)}"]
    lines += [".globl kernel_symbols", "kernel_symbols:"]
    for number, function in enumerate(functions):
        lines.append(f".quad {function.address:#x}, name{number}")
    end = functions[-1].address + max(functions[-1].size, 4) if functions else 0
    lines.append(f".quad {end:#x}, 0")
    for number, function in enumerate(functions):
        lines.append(f'name{number}: .string "{function.name}"')
    return "\n".join(lines) + "\n"


def differences(nm: str, first: Path, second: Path) -> list[str]:
    """Returns a line for each function that is not at the same place in both files."""
    before = {f.name: f.address for f in read_functions(nm, first)}
    after = {f.name: f.address for f in read_functions(nm, second)}
    return [
        f"{name}: {before.get(name, 0):#x} in {first}, {after.get(name, 0):#x} in {second}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def main() -> int:
    """Writes or compares, as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nm", required=True, help="the toolchain's nm")
    parser.add_argument("--out", type=Path, help="write the table of the ELF file here")
    parser.add_argument(
        "--same", action="store_true", help="compare the functions of two ELF files"
    )
    parser.add_argument("elf", type=Path, nargs="*")
    arguments = parser.parse_args()
    if arguments.same:
        moved = differences(arguments.nm, *arguments.elf)
        for line in moved:
            print(f"symbols: the second link moved {line}", file=sys.stderr)
        return 1 if moved else 0
    functions = read_functions(arguments.nm, arguments.elf[0]) if arguments.elf else []
    arguments.out.write_text(table(functions))
    return 0


if __name__ == "__main__":
    sys.exit(main())
