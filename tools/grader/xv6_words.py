"""Words and brackets in a Makefile's text (see xv6_makefile.py)."""
from __future__ import annotations

import fnmatch
import posixpath
import re
import shlex
from collections.abc import Callable

MACRO = re.compile(r"[A-Za-z_]\w*(?:=[^$\n]*)?")
OF_WORDS: dict[str, Callable[[list[str]], list[str]]] = {
    "strip": lambda words: words,
    "notdir": lambda words: [posixpath.basename(word) for word in words],
    "basename": lambda words: [posixpath.splitext(word)[0] for word in words],
    "sort": lambda words: sorted(set(words)),
    "firstword": lambda words: words[:1],
    "lastword": lambda words: words[-1:],
    "dir": lambda words: [word[:word.rfind("/") + 1] or "./" for word in words],
}


class Unreadable(Exception):
    """The text is not a Makefile that can be understood."""


def links_kernel(words: list[str]) -> bool:
    """Tells whether a command has a linker script that is not for programs."""
    scripts = list_options(words, "-T")
    if any(script.rpartition("/")[2] == "user.ld" for script in scripts):
        return False
    return any("kernel" in script or ".ld" in script for script in scripts)


def list_options(words: list[str], option: str) -> list[str]:
    """What follows an option of two characters in a command, with or without a space."""
    return [
        after if word == option else word[2:]
        for word, after in zip(words, [*words[1:], ""]) if word[:2] == option
    ]


def list_objects(text: str) -> list[str]:
    """The words that end in .o, without it, each once."""
    return list(dict.fromkeys(word[:-2] for word in text.split() if word.endswith(".o")))


def fits_wildcard(path: str, pattern: str) -> bool:
    """Tells whether $(wildcard) finds the path: * stands for no slash."""
    return path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern)


def list_macros(text: str) -> list[str]:
    """What follows the -D options in a command, without its quotes."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    return [name for name in list_options(words, "-D") if MACRO.fullmatch(name)]


def find_closing(text: str, opening: int) -> int:
    """Where the bracket at `opening` is closed."""
    pair = {"(": ")", "{": "}"}[text[opening]]
    depth = 0
    for position in range(opening, len(text)):
        depth += (text[position] == text[opening]) - (text[position] == pair)
        if depth == 0:
            return position
    raise Unreadable("a bracket is not closed")


def split_commas(text: str) -> list[str]:
    """The parts between commas that are in no brackets."""
    parts: list[str] = []
    depth = start = 0
    for position, character in enumerate(text):
        depth += (character in "({") - (character in ")}")
        if character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]


def match_stem(pattern: str, word: str) -> str | None:
    """What % stands for if the pattern fits the word, else None."""
    before, percent, after = pattern.partition("%")
    if not percent:
        return "" if pattern == word else None
    stem = len(word) - len(before) - len(after)
    fits = word.startswith(before) and word.endswith(after) and stem >= 0
    return word[len(before) : len(before) + stem] if fits else None
