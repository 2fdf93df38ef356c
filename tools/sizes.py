#!/usr/bin/env python3
"""Checks what keeps the sources readable: sizes and air.

- A function of C or python has at most 40 lines, from its first line to its last.
- A file of C, assembly or python has at most 300 lines, in tests/ 600. gradelib.py may be longer:
  grading scripts take it along as one file.
- A line has at most 100 columns, in scripts, makefiles, texts and web pages as well. Exceptions are
  lines without a space at which they could be wrapped and, in texts, tables and code.
- In C, a line has one statement; a guard `if (x) return y;` counts as one.
- In headers, a blank line stands before each comment that is not indented: the contracts.

What students hand in (labs/*/solutions) is left as it is.
"""
from __future__ import annotations

import argparse
import ast
import re
from pathlib import Path
from typing import Callable, Iterator

from entry import run_main
from litter import is_litter

FUNCTION_LINES_MAX = 40
FILE_LINES_MAX = 300
TEST_FILE_LINES_MAX = 600
COLUMNS_MAX = 100
ONE_FILE = "gradelib.py"
SUFFIXES = {
    ".c": "c", ".h": "c", ".S": "assembly", ".ld": "assembly",
    ".py": "python", ".md": "text", ".mk": "make", "": "script",
    ".css": "web", ".html": "web", ".j2": "web", ".js": "web", ".mjs": "web", ".yml": "web",
}
FOLDERS = ("kernel", "user", "mkfs", "sim", "tests", "tools", "labs", "docs")
Finding = tuple[int, str]  # a line's number, and what is wrong with it


def kind_of(file: Path) -> str:
    """Returns what a file is, "" if it is nothing that is checked."""
    kind = SUFFIXES.get(file.suffix, "")
    if file.name == "Makefile":
        return "make"
    if kind != "script":
        return kind
    with file.open("rb") as opened:
        first = opened.readline()
    if not first.startswith(b"#!"):
        return ""
    return "python" if b"python" in first else "script"


def sources(root: Path) -> Iterator[tuple[str, str]]:
    """Finds the files to check; yields the path of each in the tree, and its kind."""
    found = [file for folder in FOLDERS for file in (root / folder).rglob("*")]
    for file in sorted([*root.iterdir(), *found, root / ".ci" / "run"]):
        path = file.relative_to(root)
        is_left = len(path.parts) > 2 and path.parts[0] == "labs" and path.parts[2] == "solutions"
        if not file.is_file() or is_left or is_litter(path) and path.as_posix() != ".ci/run":
            continue
        kind = kind_of(file)
        if kind:
            yield path.as_posix(), kind


# ---- Lengths ----


def check_file_length(path: str, lines: list[str]) -> Iterator[Finding]:
    """Complains of a file that is too long."""
    most = TEST_FILE_LINES_MAX if path.startswith("tests/") else FILE_LINES_MAX
    if len(lines) > most and path != ONE_FILE:
        yield 1, f"the file has {len(lines)} lines, more than {most}"


def too_long(first: int, last: int, name: str) -> Iterator[Finding]:
    """Complains if a function that has these first and last lines is too long."""
    count = last - first + 1
    if count > FUNCTION_LINES_MAX:
        yield first, f"{name} has {count} lines, more than {FUNCTION_LINES_MAX}"


def check_c_functions(lines: list[str]) -> Iterator[Finding]:
    """Complains of long functions. clang-format lets each begin and end in the first column."""
    first = 0
    for number, line in enumerate(lines, 1):
        if re.match(r"[A-Za-z_].*\w\(", line) and not line.startswith("typedef"):
            first = number
        elif line == "}" and first:
            name, argument = re.findall(r"(\w+)\((\w*)", lines[first - 1])[0]
            yield from too_long(first, number, argument if name == "TEST" else name)
            first = 0
        elif line.startswith(("};", "} ")) or line.endswith(";") and line[:1].isalpha():
            first = 0


def check_python_functions(text: str) -> Iterator[Finding]:
    """Complains of long functions."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from too_long(node.lineno, node.end_lineno or node.lineno, node.name)


# ---- Lines ----


def can_be_wrapped(line: str) -> bool:
    """Tells whether a space comes early enough, after what marks a comment or an item of a list."""
    start = re.match(r"\s*(?:(?://|#|[-*]|\d+\.)\s+)?", line)
    return " " in line[start.end() if start else 0 : COLUMNS_MAX]


def check_columns(lines: list[str]) -> Iterator[Finding]:
    """Complains of long lines that can be wrapped."""
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX and can_be_wrapped(line):
            yield number, f"longer than {COLUMNS_MAX} columns"


def prose(lines: list[str]) -> list[str]:
    """Returns the lines of a text, with those of tables, code and commands empty."""
    kept, is_code = [], False
    for line in lines:
        fence = line.lstrip().startswith("```")
        is_code = is_code != fence
        is_kept = not is_code and not fence and not line.lstrip().startswith(("|", "<!-- run "))
        kept.append(line if is_kept and not line.startswith("    ") else "")
    return kept


def bare_c(text: str) -> str:
    """Returns C text without comments, and without what is in quotes or parentheses."""

    def line_ends(match: re.Match[str]) -> str:
        return "\n" * match.group().count("\n")

    text = re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', '""', text)
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r"/\*.*?\*/", line_ends, text, flags=re.DOTALL)
    before = ""
    while before != text:
        before = text
        text = re.sub(r"\([^()]*\)", line_ends, text)
    return text


def check_statements(text: str) -> Iterator[Finding]:
    """Complains of lines with several statements."""
    for number, line in enumerate(bare_c(text).split("\n"), 1):
        if line.count(";") > 1:
            yield number, "several statements in a line"


def check_air(lines: list[str]) -> Iterator[Finding]:
    """Complains of a header's comments that have no blank line before them."""
    for number, line in enumerate(lines[1:], 2):
        is_contract = line.startswith("//") and not line.startswith("// clang-format")
        if is_contract and lines[number - 2] and not lines[number - 2].startswith("//"):
            yield number, "no blank line before this comment"


# ---- The tree ----


def check_c(path: str, lines: list[str]) -> Iterator[Finding]:
    """Checks a file of C."""
    yield from check_file_length(path, lines)
    yield from check_c_functions(lines)
    yield from check_columns(lines)
    yield from check_statements("\n".join(lines))
    if path.endswith(".h"):
        yield from check_air(lines)


def check_python(path: str, lines: list[str]) -> Iterator[Finding]:
    """Checks a file of python."""
    yield from check_file_length(path, lines)
    yield from check_python_functions("\n".join(lines))
    yield from check_columns(lines)


def check_assembly(path: str, lines: list[str]) -> Iterator[Finding]:
    """Checks an assembly file or a linker script."""
    yield from check_file_length(path, lines)
    yield from check_columns(lines)


CHECKS: dict[str, Callable[[str, list[str]], Iterator[Finding]]] = {
    "c": check_c,
    "python": check_python,
    "assembly": check_assembly,
    "make": lambda _path, lines: check_columns(lines),
    "web": lambda _path, lines: check_columns(lines),
    "script": lambda _path, lines: check_columns(lines),
    "text": lambda _path, lines: check_columns(prose(lines)),
}


def check_sizes(root: Path) -> list[str]:
    """Returns a line for each thing in the tree that is too large, or has too little air."""
    problems = []
    for path, kind in sources(root):
        lines = (root / path).read_text(encoding="utf-8").splitlines()
        findings = sorted(CHECKS[kind](path, lines))
        problems += [f"{path}:{number}: {what}" for number, what in findings]
    return problems


def main() -> int:
    """Prints what is too large, or has too little air."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, nargs="?", default=Path(__file__).resolve().parents[1])
    problems = check_sizes(parser.parse_args().root)
    print("\n".join(problems) or "sizes: ok")
    return 1 if problems else 0


if __name__ == "__main__":
    run_main(main)
