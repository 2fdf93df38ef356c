"""Tests of tools/sizes.py: it finds each kind of violation, and nothing where all just fits."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sizes import check_sizes

WIDE = "x" * 60 + " " + "y" * 40  # 101 columns
TOO_WIDE = "longer than 100 columns"
TABLE = "int (*table[])(void) = {\n" + "    f,\n" * 50 + "};\n"
STRUCT = "int f(int a,\n      int b);\nstruct s {\n" + "    int i;\n" * 50 + "};\n"
Complain = Callable[[str, str], list[str]]


def c_function(lines: int, head: str = "int f(void)") -> str:
    """Returns a function that has so many lines."""
    return f"{head} {{\n" + "    g();\n" * (lines - 2) + "}\n"


def python_function(lines: int, indentation: str = "") -> str:
    """Returns a function that has so many lines."""
    return f"{indentation}def f() -> None:\n" + f"{indentation}    g()\n" * (lines - 1)


@pytest.fixture(name="complain")
def fixture_complain(tmp_path: Path) -> Complain:
    """Returns what is said about a tree of one file, without the file's name."""

    def complain(path: str, text: str) -> list[str]:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        said = check_sizes(tmp_path)
        file.unlink()
        return [line.replace(f"{path}:", "", 1) for line in said]

    return complain


@pytest.mark.parametrize("path, function, name", [
    ("kernel/a.c", c_function, "f"),
    ("kernel/a.h", lambda n: c_function(n, "static inline int f(void)"), "f"),
    ("tests/host/a.c", lambda n: c_function(n, "TEST(long_one)"), "long_one"),
    ("tools/a.py", python_function, "f"),
    ("gradelib.py", lambda n: "class C:\n" + python_function(n, "    "), "f"),
    ("grade-cow", lambda n: "#!/usr/bin/env python3\n" + python_function(n), "f"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_functions(
    complain: Complain, path: str, function: Callable[[int], str], name: str
) -> None:
    """40 lines fit, 41 do not."""
    assert complain(path, function(40)) == []
    first = function(41).count("\n") - 40
    assert complain(path, function(41)) == [f"{first}: {name} has 41 lines, more than 40"]


@pytest.mark.parametrize(
    "text", [TABLE, STRUCT, TABLE + STRUCT + c_function(40)], ids=["table", "struct", "all"]
)
def test_no_functions(complain: Complain, text: str) -> None:
    """Tables, prototypes and structs are no functions."""
    assert complain("kernel/a.c", text) == []


@pytest.mark.parametrize("path, most", [
    ("kernel/a.c", 300), ("kernel/a.S", 300), ("user/tests/a.c", 300), ("tools/a.py", 300),
    ("tests/host/a.c", 600), ("tests/a.py", 600),
])
def test_files(complain: Complain, path: str, most: int) -> None:
    """Tests on the host may be twice as long."""
    assert complain(path, "\n" * most) == []
    longer = [f"1: the file has {most + 1} lines, more than {most}"]
    assert complain(path, "\n" * (most + 1)) == longer


def test_gradelib(complain: Complain) -> None:
    """It travels as one file, so it may have any length."""
    assert complain("gradelib.py", "\n" * 1000) == []


@pytest.mark.parametrize("path, start", [
    ("kernel/a.c", "// "),
    ("kernel/a.h", "// "),
    ("kernel/a.S", "# "),
    ("tools/a.py", "# "),
    ("Makefile", "# "),
    ("labs/cow/a.mk", "# "),
    ("README.md", ""),
    ("docs/a.md", "- "),
    ("tools/setup", "#!/bin/sh\n# "),
    (".ci/run", "#!/usr/bin/env bash\n# "),
    ("tools/a.css", ""), ("tools/a.html", ""), ("tools/a.html.j2", ""), ("tools/a.js", ""),
    ("tools/a.yml", "# "),
])
def test_columns(complain: Complain, path: str, start: str) -> None:
    """100 columns fit, 101 do not; a line without a place to wrap it may be longer."""
    number = start.count("\n") + 1
    mark = start.split("\n")[-1]
    assert complain(path, start + WIDE[len(mark) + 1 :] + "\n") == []
    assert complain(path, start + WIDE[len(mark) :] + "\n") == [f"{number}: {TOO_WIDE}"]
    assert complain(path, start + WIDE.replace(" ", "") + "\n") == []


def test_texts(complain: Complain) -> None:
    """Tables and code keep their lines."""
    assert complain("docs/a.md", f"| {WIDE} |\n\n    {WIDE}\n\n```\n{WIDE}\n```\n") == []
    assert complain("docs/a.md", f"```\n```\n- {WIDE}\n") == [f"3: {TOO_WIDE}"]


@pytest.mark.parametrize("line, is_one", [
    ("if (x) return y; // a; b;", True),
    ("for (int i = 0; i < 3; i++)", True),
    ("print(\";;\", ';');", True),
    ("/* ; ; */", True),
    ("a(); b();", False),
    ("if (x) { a(); b(); }", False),
    ("for (int i = 0; i < 3; i++) a(); b();", False),
])
def test_statements(complain: Complain, line: str, is_one: bool) -> None:
    """One in a line; strings, comments and the head of a loop do not count."""
    said = complain("kernel/a.c", f"int f(void) {{\n    {line}\n}}\n")
    assert said == ([] if is_one else ["2: several statements in a line"])


@pytest.mark.parametrize("before, is_enough", [
    ("", True),
    ("// What it is.\n// And more.\n\n", True),
    ("// The comment's first line.\n", True),
    ("#pragma once\n", False),
    ("int f(void);\n", False),
    ("};\n", False),
])
def test_air(complain: Complain, before: str, is_enough: bool) -> None:
    """A blank line goes before a contract in a header."""
    contract = "// Does it.\nint g(void); // and that\n"
    number = before.count("\n") + 1
    wanted = [] if is_enough else [f"{number}: no blank line before this comment"]
    assert complain("kernel/a.h", before + contract) == wanted
    assert complain("kernel/a.c", before + contract) == []


@pytest.mark.parametrize("path", [
    "labs/cow/solutions/right/a/kernel/a.c",
    "kernel/.a.c",
    "kernel/a.c~",
    "build/a.c",
    "LICENSE",
])
def test_left_alone(complain: Complain, path: str) -> None:
    """What students hand in, what editors leave behind, what is no source."""
    assert complain(path, c_function(50) + WIDE) == []
