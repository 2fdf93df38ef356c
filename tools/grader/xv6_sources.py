"""What is changed in an xv6 kernel's sources: less memory and a quicker clock, room for the tests' harts and processes."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Mapping

from grader.machine import RAM_BASE
from grader.xv6_tree import Tree

TICK = re.compile(r"\b1000000\b")
SHORT_TICK = "50000"
# Constants of param.h: the least and the most that a tree keeps, and what it gets otherwise.
USUAL_SIZES = (("FSSIZE", 0, 20_000, 2000), ("NCPU", 3, 64, 8), ("NPROC", 16, 1024, 64))
DEFINE = r"^([ \t]*#[ \t]*define[ \t]+%s[ \t]+)"
PHYSTOP = re.compile(DEFINE % "PHYSTOP" + r".*$", re.MULTILINE)
# The usual memory as a number: harmless as a table's size or a bound, not where memory is listed or mapped.
FIXED_MEMORY = r"\b0x88000000|\b128 *\* *1024 *\* *1024|\b0x8000000\b|\b1 *<< *27\b|\b134217728\b"
FIXED_NAME = re.compile(rf"#[ \t]*define[ \t]+(\w+)\b.*(?:{FIXED_MEMORY})")
USE_OF_MEMORY = re.compile(r"freerange|kvm|mappages|\bfor\b|\bwhile\b")


def read_source(path: Path) -> str:
    """A source as it is, whatever its encoding."""
    return path.read_text(encoding="utf-8", errors="surrogateescape")


def write_source(path: Path, text: str) -> None:
    """Puts back what _read gave, changed or not."""
    path.write_text(text, encoding="utf-8", errors="surrogateescape")


def shrink(originals: Mapping[Path, str], size: int) -> bool:
    """Gives the kernel less memory, if its sources leave no doubt how; says whether they do."""
    headers = [path for path, text in originals.items() if PHYSTOP.search(text)]
    rest = without_comments("\n".join(PHYSTOP.sub("", text) for text in originals.values()))
    fixed = re.compile("|".join([FIXED_MEMORY, *(rf"\b{name}\b" for name in FIXED_NAME.findall(rest))]))
    if not headers or any(USE_OF_MEMORY.search(line) and fixed.search(line) for line in rest.splitlines()):
        return False
    for path in headers:
        write_source(path, PHYSTOP.sub(lambda match: f"{match.group(1)}({RAM_BASE:#x}L + {size}L)", originals[path]))
    return True


def quicken(tree: Tree) -> None:
    """Shortens the time between clock ticks."""
    for path in tree.kernel.rglob("*.c"):
        if path.name in ("start.c", "trap.c"):
            write_source(path, TICK.sub(SHORT_TICK, read_source(path)))


def without_comments(text: str) -> str:
    """C code without its comments."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)


def make_usual(tree: Tree) -> None:
    """Reduces a file system of hundreds of megabytes (the file system lab's) to a usual size; gives races their harts
    and tests their processes."""
    for path in [found for found in tree.code() if found.name == "param.h"]:
        text = read_source(path)
        for name, least, most, usual in USUAL_SIZES:

            def limited(match: "re.Match[str]", least: int = least, most: int = most, usual: int = usual) -> str:
                return match.group(0) if least <= int(match.group(2)) <= most else f"{match.group(1)}{usual}"

            text = re.sub(DEFINE % name + r"(\d{1,9})\b", limited, text, flags=re.MULTILINE)
        write_source(path, text)
