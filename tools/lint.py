#!/usr/bin/env python3
"""The checks of `make lint`, which read the sources and run nothing: layers, headers, format, static analysis.

Each check prints `name: ok`, or what it found. Names on the command line pick checks. With --fix, the check `format`
lets clang-format rewrite the files.
"""
from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Dict, List, Optional, Sequence

from layers import check_layers
from litter import is_litter
from products import ROOT, make_environment, target
from python_packages import need_packages

PYTHON_COLUMNS_MAX = 120
C_FOLDERS = ("kernel", "user", "mkfs", "tests/host", "tests/foreign", "labs/cow/grading")


def run(command: Sequence[str]) -> str:
    """Runs a command; returns what it prints if it fails, "" if it succeeds."""
    environment = {**os.environ, "MYPYPATH": "tests:tools"}
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, check=False
    )
    return "" if done.returncode == 0 else done.stdout.strip() or f"{command[0]}: exit status {done.returncode}"


def make_variable(name: str) -> List[str]:
    """Returns the words of one of the Makefile's variables."""
    command = ["make", "--no-print-directory", "-s", f"print-{name}"]
    done = subprocess.run(command, cwd=ROOT, env=make_environment(), capture_output=True, text=True, check=True)
    return shlex.split(done.stdout)


def need(*programs: str) -> str:
    """Returns the first of the programs that is installed: on the path, or beside this python."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), os.path.dirname(sys.executable)])
    for program in programs:
        found = shutil.which(program, path=places)
        if found:
            return found
    raise FileNotFoundError(f"{programs[0]} was not found: run `make setup`")


def files(folders: Sequence[str], *suffixes: str) -> List[str]:
    """Returns the files with these suffixes below the folders."""
    found = [file.relative_to(ROOT) for folder in folders for file in (ROOT / folder).rglob("*")]
    return sorted(str(file) for file in found if file.suffix in suffixes and not is_litter(file))


def present(*paths: str) -> List[str]:
    """Returns those of the files that are there; a student's tree has not all."""
    return [path for path in paths if (ROOT / path).exists()]


def python_files() -> List[str]:
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
    }

    def compile_alone(header: str) -> str:
        compiler = compilers[header.split("/", maxsplit=1)[0]]
        include = ["-include", header, "-include", header]
        return run([*compiler, "-fsyntax-only", *include, "-x", "c", os.devnull])

    headers = files(list(compilers), ".h")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return "\n".join(text for text in pool.map(compile_alone, headers) if text)


def lint_format() -> str:
    """clang-format would change nothing."""
    return run([need("clang-format"), "--dry-run", "-Werror", *files(C_FOLDERS, ".c", ".h")])


def fix_format() -> str:
    """Lets clang-format rewrite the files."""
    return run([need("clang-format"), "-i", *files(C_FOLDERS, ".c", ".h")])


def lint_columns() -> str:
    """No line of the python code is too long; C code is clang-format's matter."""
    sources = [*python_files(), *files(["tools/gdb"], ".py"), *present("grade-cow")]
    return "\n".join(
        f"{file}:{number}: longer than {PYTHON_COLUMNS_MAX} columns"
        for file in sources
        for number, line in enumerate((ROOT / file).read_text().splitlines(), 1) if len(line) > PYTHON_COLUMNS_MAX
    )


def lint_cppcheck() -> str:
    """Static analysis of the C code."""
    common = [
        need("cppcheck"), "-q", "--error-exitcode=1", "--enable=warning,performance,portability", "--inline-suppr",
        "--std=c11", f"-j{os.cpu_count()}", "--suppressions-list=tools/cppcheck-suppressions",
    ]
    target = ["--platform=unix64", "-D__riscv", "-D__riscv_xlen=64", "-D__GNUC__=12"]
    parts = [
        run([*common, *target, "-Ikernel", *files(["kernel"], ".c")]),
        run([*common, *target, "-Ikernel", "-Iuser/lib", "-Iuser/tests", *files(["user"], ".c")]),
        run([*common, "-I.", "-Ikernel", *files(["mkfs"], ".c")]),
    ]
    return "\n".join(part for part in parts if part)


def lint_mypy() -> str:
    """Types of the python tools, as pyproject.toml asks for them."""
    options = ["--no-error-summary", "--python-executable", sys.executable, "--cache-dir", target("build/mypy")]
    return run([need("mypy"), *options, *python_files()])


def lint_pyflakes() -> str:
    """Mistakes in the python tools."""
    return run([need("pyflakes3", "pyflakes"), *python_files()])


def lint_shell() -> str:
    """Mistakes in the shell scripts; skipped without shellcheck."""
    scripts = present("tools/setup", "tools/check-qemu", "tools/find-gdb", ".ci/run")
    return run(["shellcheck", *scripts]) if shutil.which("shellcheck") else ""


LINTS: Dict[str, Callable[[], str]] = {
    "layers": lint_layers,
    "headers": lint_headers,
    "format": lint_format,
    "columns": lint_columns,
    "cppcheck": lint_cppcheck,
    "mypy": lint_mypy,
    "pyflakes": lint_pyflakes,
    "shell": lint_shell,
}


FIXES: Dict[str, Callable[[], str]] = {"format": fix_format}


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs the checks that are named, all if none is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fix", action="store_true", help="of the checks named, run those that can mend what they find")
    parser.add_argument("names", nargs="*", help="of " + ", ".join(LINTS))
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in LINTS]
    if unknown:
        parser.error(f"no such check: {', '.join(unknown)}")
    need_packages()
    checks = FIXES if options.fix else LINTS
    failed = False
    for name in [name for name in options.names or checks if name in checks]:
        try:
            problems = checks[name]()
        except (FileNotFoundError, subprocess.CalledProcessError) as error:
            problems = str(error)
        print(f"{name}: FAIL\n{problems}" if problems else f"{name}: ok", flush=True)
        failed = failed or bool(problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
