#!/usr/bin/env python3
"""Checks which files include which, or draws it.

kernel/LAYERS lists the kernel's folders, lowest first. A file includes only headers of its own
folder and of earlier ones, always as "folder/file.h". Inside a folder, files form no circle: a
file and its header count as one. Every .c but main.c has a header of its own name and includes it
first (the system calls share one header, made from their list); no header is unused. User programs
and mkfs include only abi/ of the kernel; user programs may also include the headers that their
library shares with it. The simulator's files and folders form no circle either.
"""
from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from entry import run_main
from litter import is_litter

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
FREESTANDING = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h"}
SHARED_WITH_USER = {"lib/format.h", "lib/lineedit.h", "lib/string.h", "lib/utf8.h"}

# For each name, the names that it needs.
Graph = dict[str, set[str]]


class Include(NamedTuple):
    """An #include line."""

    line: int
    name: str
    is_system: bool


def read_layers(root: Path) -> list[str]:
    """Returns the kernel's folders, lowest first."""
    lines = (root / "kernel" / "LAYERS").read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def read_includes(file: Path) -> list[Include]:
    """Returns the file's #include lines in order."""
    text = file.read_text()
    return [
        Include(text.count("\n", 0, match.start(2)) + 1, match.group(2), match.group(1) == "<")
        for match in INCLUDE.finditer(text)
    ]


def source_files(folder: Path) -> list[Path]:
    """Returns the C and assembly files below a folder."""
    found = [file for file in folder.rglob("*") if file.suffix in (".c", ".h", ".S")]
    return sorted(file for file in found if not is_litter(file.relative_to(folder)))


# ---- Single includes ----


def check_kernel_include(
    root: Path, layers: list[str], file: Path, include: Include
) -> Iterator[str]:
    """Yields what is wrong with an include of a kernel file."""
    if include.is_system:
        if include.name not in FREESTANDING:
            yield f"<{include.name}> is not a header of the compiler's own"
        return
    folder, _, _ = include.name.partition("/")
    if folder not in layers or not (root / "kernel" / include.name).is_file():
        yield f'"{include.name}" is not a "folder/file.h" of the kernel'
    elif file.parent.name in layers and layers.index(folder) > layers.index(file.parent.name):
        yield f'"{include.name}" is in a layer above {file.parent.name}'


def check_own_header(root: Path, file: Path, includes: list[Include]) -> Iterator[str]:
    """Yields what is wrong if a .c file of the kernel does not include its own header first."""
    if file.suffix != ".c" or file == root / "kernel" / "main.c":
        return
    own = file.relative_to(root / "kernel").with_suffix(".h").as_posix()
    if own.startswith("sys/") and any(include.name == "sys/syscall.h" for include in includes):
        return
    if not (root / "kernel" / own).is_file():
        yield f"it has no header {own}"
    elif not includes or includes[0].name != own:
        yield f'its first include is not "{own}"'


def check_outsider(
    root: Path, allowed: set[str], folders: list[Path], include: Include
) -> Iterator[str]:
    """Yields what is wrong with an include of a file outside the kernel."""
    if include.is_system or any((folder / include.name).is_file() for folder in folders):
        return
    if not (root / "kernel" / include.name).is_file():
        yield f'"{include.name}" does not exist'
    elif not include.name.startswith("abi/") and include.name not in allowed:
        yield f'"{include.name}" belongs to the kernel, which shares only abi/'


def unused_headers(root: Path, users: list[Path]) -> Iterator[str]:
    """Yields the kernel's headers that only their own .c files include."""
    used = {
        (include.name, file.with_suffix(""))
        for file in users for include in read_includes(file) if not include.is_system
    }
    for header in (file for file in source_files(root / "kernel") if file.suffix == ".h"):
        name = header.relative_to(root / "kernel").as_posix()
        own = header.with_suffix("")
        if not any(name == used_name and user != own for used_name, user in used):
            yield f"kernel/{name}: nothing includes it"


# ---- The graph ----


def folder_of(module: str) -> str:
    """Returns the folder of a module, "" for main."""
    return module.rpartition("/")[0]


def read_modules(program: Path) -> Graph:
    """Returns which modules ("folder/file": a .c file with its header) of a program need which."""
    modules: Graph = {}
    for file in source_files(program):
        module = file.relative_to(program).with_suffix("").as_posix()
        needed = {
            Path(include.name).with_suffix("").as_posix()
            for include in read_includes(file)
            if not include.is_system and (program / include.name).is_file()
        }
        modules.setdefault(module, set()).update(needed - {module})
    return modules


def reachable(graph: Graph, start: str) -> set[str]:
    """Returns the names to which one or more steps lead."""
    seen: set[str] = set()
    left = [start]
    while left:
        new = graph.get(left.pop(), set()) - seen
        seen |= new
        left.extend(new)
    return seen


def find_circles(graph: Graph) -> list[list[str]]:
    """Returns the groups of names that need each other (strongly connected components)."""
    reach = {name: reachable(graph, name) for name in graph}
    groups = {
        frozenset(other for other in reach[name] if name in reach.get(other, set()))
        for name in graph if name in reach[name]
    }
    return sorted(sorted(group) for group in groups)


def circles_of_files(root: Path) -> Iterator[str]:
    """Yields a complaint for each circle of files in a folder."""
    inside = {
        module: {other for other in needed if folder_of(other) == folder_of(module)}
        for module, needed in read_modules(root / "kernel").items()
    }
    for circle in find_circles(inside):
        lines = [
            f"    {file.relative_to(root)}:{include.line} includes {include.name}"
            for file in source_files(root / "kernel")
            if file.relative_to(root / "kernel").with_suffix("").as_posix() in circle
            for include in read_includes(file)
            if Path(include.name).with_suffix("").as_posix() in circle
            and Path(include.name).stem != file.stem
        ]
        yield f"a circle of files: {', '.join(circle)}\n" + "\n".join(lines)


def circles_of_simulator(root: Path) -> Iterator[str]:
    """Yields a complaint for each circle of the simulator's files, or of its folders."""
    modules = read_modules(root / "sim")
    folders: Graph = {}
    for module, needed in modules.items():
        folder, others = folder_of(module) or module, {folder_of(o) or o for o in needed}
        folders.setdefault(folder, set()).update(others - {folder})
    yield from (f"sim: a circle of files: {', '.join(circle)}" for circle in find_circles(modules))
    yield from (f"sim: a circle of folders: {', '.join(found)}" for found in find_circles(folders))


def reduce_graph(graph: Graph) -> Graph:
    """Leaves out what is needed only by way of others; the graph has no circles."""
    return {
        name: {
            other for other in needed
            if not any(other in reachable(graph, third) for third in needed - {other})
        }
        for name, needed in graph.items()
    }


# ---- The picture ----


def folder_edges(modules: Graph) -> Iterator[str]:
    """Yields the arrows between folders, each from a lowest file to a highest one."""
    folders: Graph = {folder_of(module): set() for module in modules}
    inside: dict[str, Graph] = {folder: {} for folder in folders}
    for module, needed in sorted(modules.items()):
        folder = folder_of(module)
        folders[folder] |= {folder_of(other) for other in needed} - {folder}
        inside[folder][module] = {other for other in needed if folder_of(other) == folder}

    def height(module: str) -> int:
        """Returns how many files of its folder a file needs."""
        return len(reachable(inside[folder_of(module)], module))

    def depth(module: str) -> int:
        """Returns how many files of its folder need a file."""
        graph = inside[folder_of(module)]
        return sum(module in reachable(graph, other) for other in graph)

    for folder, lower_folders in sorted(reduce_graph(folders).items()):
        for lower in sorted(lower_folders):
            lowest = max(inside[folder], key=lambda module: depth(module) - height(module))
            highest = max(inside[lower], key=lambda module: height(module) - depth(module))
            tail = f'ltail="cluster_{folder}", ' if folder else ""
            yield f'    "{lowest}" -> "{highest}" [{tail}lhead="cluster_{lower}"];'


def draw(root: Path) -> Iterator[str]:
    """Yields the lines of a graph for graphviz.

    Folders are clusters. An arrow from a file to one of its folder, or from folder to folder, says
    that the upper one includes the lower one; arrows that follow from others are left out.
    """
    modules = read_modules(root / "kernel")
    yield "digraph kernel {"
    yield "    compound=true;"
    yield "    node [shape=box, fontname=sans];"
    yield '    "main";'
    for folder in reversed(read_layers(root)):
        inside = {module for module in modules if folder_of(module) == folder}
        graph = {module: modules[module] & inside for module in sorted(inside)}
        yield f'    subgraph "cluster_{folder}" {{'
        yield f'        label="{folder}"; fontname="sans bold";'
        for module in graph:
            yield f'        "{module}" [label="{module.rpartition("/")[2]}"];'
        for module, needed in reduce_graph(graph).items():
            yield from (f'        "{module}" -> "{other}";' for other in sorted(needed))
        yield "    }"
    yield from folder_edges(modules)
    yield "}"


# ---- The program ----


def check_layers(root: Path) -> list[str]:
    """Returns a line for each violation in the tree."""
    layers = read_layers(root)
    problems: list[str] = []

    def add(file: Path, line: int, complaints: Iterator[str]) -> None:
        place = f"{file.relative_to(root)}:{line}"
        problems.extend(f"{place}: {complaint}" for complaint in complaints)

    kernel = source_files(root / "kernel")
    for file in kernel:
        includes = read_includes(file)
        add(file, 1, check_own_header(root, file, includes))
        for include in includes:
            add(file, include.line, check_kernel_include(root, layers, file, include))
    outsiders: dict[str, set[str]] = {"user": SHARED_WITH_USER, "mkfs": set()}
    for folder, allowed in outsiders.items():
        for file in source_files(root / folder):
            folders = [file.parent, root]
            if folder == "user":
                folders.append(root / "user" / "lib")
            for include in read_includes(file):
                add(file, include.line, check_outsider(root, allowed, folders, include))
    others = [file for name in ("user", "mkfs", "tests") for file in source_files(root / name)]
    problems.extend(unused_headers(root, [*kernel, *others]))
    problems.extend(circles_of_files(root))
    problems.extend(circles_of_simulator(root))
    return problems


def main() -> int:
    """Prints what is wrong, or the graph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, nargs="?", default=Path(__file__).resolve().parents[1])
    parser.add_argument("--dot", action="store_true", help="print the includes for graphviz")
    options = parser.parse_args()
    if options.dot:
        print("\n".join(draw(options.root)))
        return 0
    problems = check_layers(options.root)
    print("\n".join(problems) or "layers: ok")
    return 1 if problems else 0


if __name__ == "__main__":
    run_main(main)
