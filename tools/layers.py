#!/usr/bin/env python3
"""Checks who includes whom.

kernel/LAYERS lists the kernel's folders, lowest first; a file includes only headers of its own folder
and of earlier ones, always as "folder/file.h". Every .c but main.c has a header of its own name (the
system calls share one, made from their list) and includes it first; no header is unused. User programs
and mkfs include of the kernel only abi/; user programs also lib/format.h and lib/string.h, which their
library is built from.
"""
from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Set

from litter import is_litter

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
FREESTANDING = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h"}
SHARED_WITH_USER = {"lib/format.h", "lib/lineedit.h", "lib/string.h", "lib/utf8.h"}


class Include(NamedTuple):
    """An #include line."""

    line: int
    name: str
    is_system: bool


def read_layers(root: Path) -> List[str]:
    """Returns the kernel's folders, lowest first."""
    lines = (root / "kernel" / "LAYERS").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def read_includes(file: Path) -> List[Include]:
    """Returns the file's #include lines in order."""
    text = file.read_text()
    return [
        Include(text.count("\n", 0, match.start(2)) + 1, match.group(2), match.group(1) == "<")
        for match in INCLUDE.finditer(text)
    ]


def source_files(folder: Path) -> List[Path]:
    """Returns the C and assembly files below a folder."""
    found = [file for file in folder.rglob("*") if file.suffix in (".c", ".h", ".S")]
    return sorted(file for file in found if not is_litter(file.relative_to(folder)))


def check_kernel_include(root: Path, layers: List[str], file: Path, include: Include) -> Iterator[str]:
    """Complains of what a kernel file may not include."""
    if include.is_system:
        if include.name not in FREESTANDING:
            yield f"<{include.name}> is not a header of the compiler's own"
        return
    folder, _, _ = include.name.partition("/")
    if folder not in layers or not (root / "kernel" / include.name).is_file():
        yield f'"{include.name}" is no "folder/file.h" of the kernel'
    elif file.parent.name in layers and layers.index(folder) > layers.index(file.parent.name):
        yield f'"{include.name}" lies above layer {file.parent.name}'


def check_own_header(root: Path, file: Path, includes: List[Include]) -> Iterator[str]:
    """Complains if a .c file of the kernel does not begin with the header of its name."""
    if file.suffix != ".c" or file == root / "kernel" / "main.c":
        return
    own = file.relative_to(root / "kernel").with_suffix(".h").as_posix()
    if own.startswith("sys/") and any(include.name == "sys/syscall.h" for include in includes):
        return
    if not (root / "kernel" / own).is_file():
        yield f"it has no header {own}"
    elif not includes or includes[0].name != own:
        yield f'its first include is not "{own}"'


def check_outsider(root: Path, allowed: Set[str], folders: List[Path], include: Include) -> Iterator[str]:
    """Complains if a file outside of the kernel includes what it may not."""
    if include.is_system or any((folder / include.name).is_file() for folder in folders):
        return
    if not (root / "kernel" / include.name).is_file():
        yield f'"{include.name}" does not exist'
    elif not include.name.startswith("abi/") and include.name not in allowed:
        yield f'"{include.name}" is a matter of the kernel, which only abi/ shares'


def unused_headers(root: Path, users: List[Path]) -> Iterator[str]:
    """Complains of kernel headers that nothing but their own .c includes."""
    used = {
        (include.name, file.with_suffix(""))
        for file in users for include in read_includes(file) if not include.is_system
    }
    for header in source_files(root / "kernel"):
        if header.suffix != ".h":
            continue
        name = header.relative_to(root / "kernel").as_posix()
        if not any(name == used_name and user != header.with_suffix("") for used_name, user in used):
            yield f"kernel/{name}: nothing includes it"


def check_layers(root: Path) -> List[str]:
    """Returns a line for each violation in the tree."""
    layers = read_layers(root)
    problems: List[str] = []

    def add(file: Path, line: int, complaints: Iterator[str]) -> None:
        problems.extend(f"{file.relative_to(root)}:{line}: {complaint}" for complaint in complaints)

    kernel = source_files(root / "kernel")
    for file in kernel:
        includes = read_includes(file)
        add(file, 1, check_own_header(root, file, includes))
        for include in includes:
            add(file, include.line, check_kernel_include(root, layers, file, include))
    outsiders: Dict[str, Set[str]] = {"user": SHARED_WITH_USER, "mkfs": set()}
    for folder, allowed in outsiders.items():
        for file in source_files(root / folder):
            folders = [file.parent, root, root / "user" / "lib"] if folder == "user" else [file.parent, root]
            for include in read_includes(file):
                add(file, include.line, check_outsider(root, allowed, folders, include))
    users = kernel + source_files(root / "user") + source_files(root / "mkfs") + source_files(root / "tests")
    problems.extend(unused_headers(root, users))
    return problems


def main() -> int:
    """Prints what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, nargs="?", default=Path(__file__).resolve().parents[1])
    problems = check_layers(parser.parse_args().root)
    print("\n".join(problems) or "layers: ok")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
