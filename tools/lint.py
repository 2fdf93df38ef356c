#!/usr/bin/env python3
"""The checks of `make lint`: they read the sources and run nothing.

Each check prints `name: ok`, or what it found. Names on the command line pick checks. With --fix,
the check `format` lets clang-format rewrite the files.
"""
from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Optional, Sequence

from command import CommandFailure, make, run
from entry import run_main
from layers import check_layers
from litter import is_litter
from products import ROOT, target
from python_packages import need_packages
from sizes import check_sizes

C_FOLDERS = (
    "kernel", "user", "mkfs", "sim", "tests/host", "tests/foreign", "tests/simulator",
    "labs/cow/grading", "tools/plugin",
)
SHELL_SCRIPTS = (
    "tools/setup", "tools/check-qemu", "tools/check-variables", "tools/find-gdb",
    "tools/find-python", "tools/platforms/packages/github/fetch.sh",
    "tools/platforms/packages/gradescope/run_autograder",
    "tools/platforms/packages/gradescope/setup.sh",
    "tools/platforms/packages/vpl/vpl_evaluate.sh", ".ci/run",
)


def complaints(words: Sequence[str]) -> str:
    """Runs a command; returns what it prints if it fails, "" if it succeeds."""
    done = run(words, cwd=ROOT, seconds=None)
    if done.succeeded:
        return ""
    return done.output.strip() or f"{words[0]}: exit status {done.status}"


def make_variable(name: str) -> list[str]:
    """Returns the words of one of the Makefile's variables."""
    return shlex.split(make(f"print-{name}"))


def need(*programs: str) -> str:
    """Returns the first of the programs that is installed: on the path, or beside this python."""
    path = os.environ.get("PATH", os.defpath)
    places = os.pathsep.join([path, os.path.dirname(sys.executable)])
    for program in programs:
        found = shutil.which(program, path=places)
        if found:
            return found
    raise FileNotFoundError(f"{programs[0]} was not found: run `make setup`")


def files(folders: Sequence[str], *suffixes: str) -> list[str]:
    """Returns the files with these suffixes below the folders."""
    every = [file for folder in folders for file in (ROOT / folder).rglob("*")]
    found = [file.relative_to(ROOT) for file in every if file.suffix in suffixes]
    return sorted(str(file) for file in found if not is_litter(file))


def present(*paths: str) -> list[str]:
    """Returns those of the files that exist; a student's tree does not have all."""
    return [path for path in paths if (ROOT / path).exists()]


def python_files() -> list[str]:
    """Returns the project's python files; tools/gdb runs inside gdb, which has its own modules."""
    found = files(["tools", "tests", "labs"], ".py")
    return present("gradelib.py") + [file for file in found if not file.startswith("tools/gdb/")]


def lint_layers() -> str:
    """Includes point downwards."""
    return "\n".join(check_layers(ROOT))


def lint_headers() -> str:
    """Every header compiles alone, and twice."""
    compilers = {
        "kernel": make_variable("KERNEL_CC"),
        "user": make_variable("USER_CC"),
        "mkfs": make_variable("MKFS_CC"),
        "sim": make_variable("SIM_CC"),
    }

    def compile_alone(header: str) -> str:
        compiler = compilers[header.split("/", maxsplit=1)[0]]
        include = ["-include", header, "-include", header]
        return complaints([*compiler, "-fsyntax-only", *include, "-x", "c", os.devnull])

    headers = files(list(compilers), ".h")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return "\n".join(text for text in pool.map(compile_alone, headers) if text)


def lint_format() -> str:
    """clang-format would change nothing."""
    return complaints([need("clang-format"), "--dry-run", "-Werror", *files(C_FOLDERS, ".c", ".h")])


def fix_format() -> str:
    """Lets clang-format rewrite the files."""
    return complaints([need("clang-format"), "-i", *files(C_FOLDERS, ".c", ".h")])


def lint_sizes() -> str:
    """Functions, files and lines are short, and there is air between them."""
    return "\n".join(check_sizes(ROOT))


def lint_cppcheck() -> str:
    """Static analysis of the C code."""
    common = [
        need("cppcheck"), "-q", "--error-exitcode=1", "--enable=warning,performance,portability",
        "--inline-suppr", "--std=c11", f"-j{os.cpu_count()}",
        "--suppressions-list=tools/cppcheck-suppressions",
    ]
    riscv = ["--platform=unix64", "-D__riscv", "-D__riscv_xlen=64", "-D__GNUC__=12"]
    user = ["-Ikernel", "-Iuser/lib", "-Iuser/tests"]
    parts = [
        complaints([*common, *riscv, "-Ikernel", *files(["kernel"], ".c")]),
        complaints([*common, *riscv, *user, *files(["user"], ".c")]),
        complaints([*common, "-I.", "-Ikernel", *files(["mkfs"], ".c")]),
        complaints([*common, "-Isim", "-Isim/wasm/include", *files(["sim"], ".c")]),
        complaints([*common, *files(["tools/plugin"], ".c")]),
    ]
    return "\n".join(part for part in parts if part)


def lint_mypy() -> str:
    """Types of the python tools, as pyproject.toml asks for them."""
    options = ["--no-error-summary", "--python-executable", sys.executable]
    options += ["--cache-dir", target("build/mypy")]
    return complaints([need("mypy"), *options, *python_files()])


def lint_pyflakes() -> str:
    """Mistakes in the python tools."""
    return complaints([need("pyflakes3", "pyflakes"), *python_files()])


def lint_shell() -> str:
    """Mistakes in the shell scripts; skipped without shellcheck."""
    if not shutil.which("shellcheck"):
        return ""
    return complaints(["shellcheck", *present(*SHELL_SCRIPTS)])


LINTS: dict[str, Callable[[], str]] = {
    "layers": lint_layers,
    "headers": lint_headers,
    "format": lint_format,
    "sizes": lint_sizes,
    "cppcheck": lint_cppcheck,
    "mypy": lint_mypy,
    "pyflakes": lint_pyflakes,
    "shell": lint_shell,
}
FIXES: dict[str, Callable[[], str]] = {"format": fix_format}


def run_checks(checks: dict[str, Callable[[], str]], names: Sequence[str]) -> bool:
    """Runs the checks that are named and says what each found; returns whether all are content."""
    content = True
    for name in names:
        try:
            problems = checks[name]()
        except (FileNotFoundError, CommandFailure) as error:
            problems = str(error)
        print(f"{name}: FAIL\n{problems}" if problems else f"{name}: ok", flush=True)
        content = content and not problems
    return content


def main(arguments: Optional[list[str]] = None) -> int:
    """Runs the checks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--fix", action="store_true", help="let a tool rewrite the files: " + ", ".join(FIXES)
    )
    parser.add_argument("names", nargs="*", help="run only these: " + ", ".join(LINTS))
    options = parser.parse_args(arguments)
    checks = FIXES if options.fix else LINTS
    names = options.names or list(checks)
    unknown = [name for name in names if name not in checks]
    if unknown:
        parser.error(f"no such check: {', '.join(unknown)}")
    need_packages()
    return 0 if run_checks(checks, names) else 1


if __name__ == "__main__":
    run_main(main)
