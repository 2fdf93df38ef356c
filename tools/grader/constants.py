"""Leaves the values of constants in C sources to our build.

A definition of NPROC, however it is written, becomes `#define NPROC LIMITED_NPROC(...)`. The build
defines LIMITED_NPROC on the command line, so that the compiler itself evaluates the definition, and
replaces it if it is out of bounds. Plain numbers within bounds stay.
"""
from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

PREFIX = "LIMITED_"
PREFIXES = re.compile(r"LIMITED([0-9]*)_")
Bounds = tuple[int, int, int]  # the least and the most that is kept, and what replaces others
COMMENT_OR_QUOTE = re.compile(r"""//|/\*|["']""")
QUOTED = re.compile(r'''"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?''')
DIRECTIVE = re.compile(r"^[ \t\f\v]*(?:#|%:)[ \t\f\v]*define[ \t\f\v]+(\w+)(?![\w(])", re.MULTILINE)
ASSIGNED = re.compile(r"\b([A-Z]\w*)\s*=(?!=)([^,;}\n]+)")  # in an enum, or a const
NUMBER = re.compile(r"(\(?)\s*(0|[1-9]\d{0,8})\s*(\)?)")


def join_lines(text: str) -> str:
    """The text with lines joined that end in a backslash; later lines keep their numbers."""
    parts: list[str] = []
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
    """C code of the same length, comments made blank; and what is in quotes, unless that is to be
    kept."""
    parts: list[str] = []
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


def definitions(code: str) -> Iterator[tuple[str, int, int]]:
    """The macros that code without comments defines: name, and where the body begins and ends."""
    for found in DIRECTIVE.finditer(code):
        end = code.find("\n", found.end())
        body = code[found.end() : len(code) if end < 0 else end]
        start = found.end() + len(body) - len(body.lstrip())
        yield found.group(1), start, start + len(body.strip())


def adapt(text: str, prefix: str, constants: Mapping[str, Bounds]) -> str:
    """The text with its definitions of these constants left to the build."""
    code = without_comments(text, quotes=False)
    places: dict[tuple[int, int], str] = {}
    for name, start, end in definitions(code):
        places[start, end] = name
    for found in ASSIGNED.finditer(code):
        start = found.end() - len(found.group(2).lstrip())
        places[start, start + len(found.group(2).strip())] = found.group(1)
    parts, position = [], 0
    for (start, end), name in sorted(places.items()):
        body = code[start:end]
        bounds = constants.get(name)
        if bounds is None or start < position or not is_whole(body):
            continue
        if not fits(body, bounds):
            parts += [text[position:start], f"{prefix}{name}({text[start:end]})"]
            position = end
    return "".join([*parts, text[position:]])


def fits(body: str, bounds: Bounds) -> bool:
    """Tells whether a definition is a plain number within bounds."""
    number = NUMBER.fullmatch(body)
    return number is not None and bounds[0] <= int(number.group(2)) <= bounds[1]


def is_whole(body: str) -> bool:
    """Tells whether a macro's body can be an argument: it is not empty, and every bracket is
    closed."""
    depth = 0
    for character in body:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0 and body.strip() != ""


def choose_prefix(texts: dict[Path, str]) -> str:
    """A short prefix for our macros' names that does not occur in the sources, so they cannot undo
    it."""
    taken = {number for text in texts.values() for number in PREFIXES.findall(text)}
    numbers = itertools.chain([""], map(str, itertools.count(1)))
    return f"LIMITED{next(number for number in numbers if number not in taken)}_"


def limiting_macro(prefix: str, name: str, bounds: Bounds) -> str:
    """Returns the compiler's option that holds a constant to its bounds."""
    least, most, usual = bounds
    given = "(__VA_ARGS__)"
    return f"-D{prefix}{name}(...)=({given}<{least}||{given}>{most}?{usual}:{given})"


def keeping_macro(prefix: str, name: str) -> str:
    """Returns the compiler's option that leaves a constant as it is."""
    return f"-D{prefix}{name}(...)=(__VA_ARGS__)"
