"""Changes an xv6 kernel's sources so that our build decides some of its constants
(constants.py)."""
from __future__ import annotations

import re
from pathlib import Path

from grader.constants import (
    DIRECTIVE, Bounds, adapt, choose_prefix, definitions, join_lines, without_comments
)

# Races need harts, tests need processes, and a file system of hundreds of megabytes takes too long.
SIZES: dict[str, Bounds] = {
    "FSSIZE": (0, 20_000, 2000), "NCPU": (3, 64, 8), "NPROC": (16, 256, 64)
}
CONSTANTS: dict[str, Bounds] = {**SIZES, "PHYSTOP": (1, 0, 0)}  # which is never left as it is
TICK = re.compile(r"\b1000000(?:[uU]?[lL]{0,2})\b")
TICK_FILES = ("start.c", "trap.c")
# The usual memory as a number: harmless as the size of a table, not where memory is freed or
# mapped.
FIXED_MEMORY = re.compile(
    r"\b0x88000000|\b128 *\* *1024 *\* *1024|\b0x8000000\b|\b1 *<< *27\b|\b134217728\b"
)
USE_OF_MEMORY = re.compile(r"freerange|kvm|mappages|\bfor\b|\bwhile\b")
WORD = re.compile(r"\w+")


def leave_tick(text: str, prefix: str) -> str:
    """The text with the time between clock ticks left to the build."""
    parts: list[str] = []
    position = 0
    for found in TICK.finditer(without_comments(text, quotes=False)):
        parts += [text[position : found.start()], f"{prefix}TICK"]
        position = found.end()
    return "".join([*parts, text[position:]])


def is_memory_fixed(texts: dict[Path, str]) -> bool:
    """Tells whether memory may be listed or mapped by a number other than PHYSTOP."""
    codes = [without_comments(text, quotes=False) for text in texts.values()]
    names, defines = set(), False
    for code in codes:
        for name, start, end in definitions(code):
            defines = defines or name == "PHYSTOP"
            if name != "PHYSTOP" and FIXED_MEMORY.search(code, start, end):
                names.add(name)
    if not defines:
        return True
    for code in codes:
        for line in code.splitlines():
            defined = DIRECTIVE.match(line)
            if not USE_OF_MEMORY.search(line) or (defined and defined.group(1) == "PHYSTOP"):
                continue
            if FIXED_MEMORY.search(line) or not names.isdisjoint(WORD.findall(line)):
                return True
    return False


def adapt_all(texts: dict[Path, str]) -> tuple[dict[Path, str], str, bool]:
    """The sources as our build wants them, the prefix of the macros in them, and whether the build
    may choose how much memory there is."""
    joined = {path: join_lines(text) for path, text in texts.items()}
    prefix = choose_prefix(joined)
    adapted = {path: adapt(text, prefix, CONSTANTS) for path, text in joined.items()}
    for path in adapted:
        if path.name in TICK_FILES:
            adapted[path] = leave_tick(adapted[path], prefix)
    return adapted, prefix, not is_memory_fixed(joined)
