"""Gives C files another look and the same meaning, as if other students had written them.

Functions that a file keeps to itself are renamed, and all functions change places. This works on
sources that clang-format has laid out: a function begins at the margin and ends with a brace there.
"""
from __future__ import annotations

import random
import re

HEAD = re.compile(
    r"^(?P<type>[A-Za-z_][\w ]*?[ *]+)(?P<name>[a-z_]\w*)\([^;{}]*?\)(?: __attribute__\(\(\w+\)\))?"
    r" \{(?P<body> .* \})?$", re.MULTILINE,
)
TOKENS = re.compile(r"//.*|/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|\w+|.", re.DOTALL)
WORDS = ("page", "share", "work", "step", "my", "do", "impl", "core", "part", "really")


def disguise(text: str, chance: random.Random) -> str:
    """Returns a C file with its own functions renamed and all its functions in another order."""
    return rename(shuffle(text, chance), chance)


def rename(text: str, chance: random.Random) -> str:
    """Renames the functions that are static in the file."""
    own = [m["name"] for m in HEAD.finditer(text) if m["type"].startswith("static ")]
    names = {name: f"{chance.choice(WORDS)}_{name}_{chance.randrange(100)}" for name in own}
    return "".join(names.get(token, token) for token in TOKENS.findall(text))


def shuffle(text: str, chance: random.Random) -> str:
    """Moves the functions to the end of the file, in another order; what they need of each other is
    declared before them."""
    functions, rest = split(text)
    if len(functions) < 2 or any(line.startswith("#if") for line in text.split("\n")):
        return text
    declarations = [HEAD.search(function) for function in functions]
    lines = [found[0].partition(" {")[0] + ";" for found in declarations if found]
    chance.shuffle(functions)
    return "\n".join([*with_declarations(rest, lines), "", "\n\n".join(functions), ""])


def split(text: str) -> tuple[list[str], list[str]]:
    """Returns the functions of a file with the comments before them, and the other lines."""
    functions, rest, current = [], [], []
    inside = False
    for line in text.rstrip("\n").split("\n"):
        current.append(line)
        may_begin = not inside and line.endswith((" {", " }"))
        head = HEAD.search("\n".join(current)) if may_begin else None
        inside = inside or head is not None
        if inside and (line == "}" or head is not None and head["body"]):
            functions.append("\n".join(current).strip("\n"))
            current, inside = [], False
        elif not inside and not is_head(line):
            rest += current
            current = []
    return functions, rest + current


def is_head(line: str) -> bool:
    """Tells whether a line may belong to a function that begins later: a comment, or the first
    lines of a long head."""
    return line.startswith(("//", "    ")) or line.endswith((",", "("))


def with_declarations(rest: list[str], declarations: list[str]) -> list[str]:
    """Returns the lines with the declarations in them: after all types and macros, and before the
    variables, which may name functions."""
    paragraphs = "\n".join(rest).split("\n\n")
    data = [text for text in paragraphs if re.search(r"^(?!enum)\w.* = ", text, re.MULTILINE)]
    others = [text for text in paragraphs if text not in data]
    return ["\n\n".join([*others, "\n".join(declarations), *data])]
