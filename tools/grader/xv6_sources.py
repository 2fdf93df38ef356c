"""What is changed in an xv6 kernel's sources, so that our build decides some of its constants.

A definition of NPROC, whatever its spelling and place, becomes `#define NPROC LIMITED_NPROC(...)`.
The build gives LIMITED_NPROC a meaning on the command line: the compiler itself finds out what the
definition comes to, and replaces it where it is not what tests need (xv6_limits.py).
"""
from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

PREFIX = "LIMITED_"
CONSTANTS = ("FSSIZE", "NCPU", "NPROC", "PHYSTOP")
COMMENT_OR_QUOTE = re.compile(r"""//|/\*|["']""")
QUOTED = re.compile(r'''"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?''')
DIRECTIVE = re.compile(r"^[ \t\f\v]*(?:#|%:)[ \t\f\v]*define[ \t\f\v]+(\w+)(?![\w(])", re.MULTILINE)
ASSIGNED = re.compile(r"\b(FSSIZE|NCPU|NPROC)\s*=(?!=)([^,;}\n]+)")  # in an enum, or a const
TICK = re.compile(r"\b1000000(?:[uU]?[lL]{0,2})\b")
TICK_FILES = ("start.c", "trap.c")
# The usual memory as a number: harmless as a table's size, not where memory is listed or mapped.
FIXED_MEMORY = re.compile(
    r"\b0x88000000|\b128 *\* *1024 *\* *1024|\b0x8000000\b|\b1 *<< *27\b|\b134217728\b"
)
USE_OF_MEMORY = re.compile(r"freerange|kvm|mappages|\bfor\b|\bwhile\b")
WORD = re.compile(r"\w+")


def join_lines(text: str) -> str:
    """The text with lines joined that end in a backslash; later lines keep their numbers."""
    parts: List[str] = []
    joined = 0
    for line in text.split("\n"):
        end = line.rstrip(" \t\f\v\r")
        if end.endswith("\\"):
            parts.append(end[:-1])
            joined += 1
        else:
            parts.append(line + "\n" * (1 + joined))
            joined = 0
    return "".join(parts)


def without_comments(text: str, quotes: bool = True) -> str:
    """C code of the same length, comments made blank; and what is in quotes, unless that is to be kept."""
    parts: List[str] = []
    position = 0
    while True:
        found = COMMENT_OR_QUOTE.search(text, position)
        if found is None:
            return "".join([*parts, text[position:]])
        start, mark = found.start(), found.group()
        if mark in "\"'":
            quoted = QUOTED.match(text, start)
            end = quoted.end() if quoted else start + 1
        else:
            end = text.find("\n" if mark == "//" else "*/", start + 2)
            end = len(text) if end < 0 else end if mark == "//" else end + 2
        kept = mark in "\"'" and quotes
        parts += [text[position:start], text[start:end] if kept else " " * (end - start)]
        position = end


def definitions(code: str) -> Iterator[Tuple[str, int, int]]:
    """The macros that code without comments defines: name, and where the body begins and ends."""
    for found in DIRECTIVE.finditer(code):
        end = code.find("\n", found.end())
        body = code[found.end() : len(code) if end < 0 else end]
        start = found.end() + len(body) - len(body.lstrip())
        yield found.group(1), start, start + len(body.strip())


def adapt(text: str, prefix: str, has_ticks: bool) -> str:
    """The text with its constants, and the time between clock ticks, left to the build."""
    code = without_comments(text, quotes=False)
    places: Dict[Tuple[int, int], str] = {}
    for name, start, end in definitions(code):
        if name in CONSTANTS:
            places[start, end] = f"{prefix}{name}({{}})"
    for found in ASSIGNED.finditer(code):
        start = found.end() - len(found.group(2).lstrip())
        places[start, start + len(found.group(2).strip())] = f"{prefix}{found.group(1)}({{}})"
    if has_ticks:
        for found in TICK.finditer(code):
            places[found.span()] = f"{prefix}TICK"
    parts, position = [], 0
    for (start, end), form in sorted(places.items()):
        if start >= position and is_whole(code[start:end]):
            parts += [text[position:start], form.replace("{}", text[start:end])]
            position = end
    return "".join([*parts, text[position:]])


def is_whole(body: str) -> bool:
    """Whether a macro's body can be an argument: it is not empty, and every bracket is closed."""
    depth = 0
    for character in body:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0 and body.strip() != ""


def choose_prefix(texts: Dict[Path, str]) -> str:
    """What our macros' names begin with: nothing that the sources could undo."""
    prefix = PREFIX
    while any(prefix in text for text in texts.values()):
        prefix += "X"
    return prefix


def is_memory_fixed(texts: Dict[Path, str]) -> bool:
    """Whether memory may be listed or mapped by a number other than PHYSTOP."""
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


def adapt_all(texts: Dict[Path, str]) -> Tuple[Dict[Path, str], str, bool]:
    """The sources as our build wants them, the prefix of the macros in them, and whether the build
    may choose how much memory there is."""
    joined = {path: join_lines(text) for path, text in texts.items()}
    prefix = choose_prefix(joined)
    adapted = {
        path: adapt(text, prefix, path.name in TICK_FILES) for path, text in joined.items()
    }
    return adapted, prefix, not is_memory_fixed(joined)
