#!/usr/bin/env python3
"""Shows that the tests on the host notice planted bugs.

Each entry of tests/mutants/*.ini is a small change to one source file or header that breaks the
kernel. The change is made in a copy under build/mutants, and the host test that must notice it is
built with that copy and run. Prints `name: ok` with the test that failed, or `name: FAIL` and why;
the last line is `N passed, M failed`.
"""
from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from paths import ROOT

from command import CommandFailure, Done, make
from entry import run_main
from limits import run_limited
from pieces import Piece, PieceError, make_piece, read_sections, read_source
from products import make_environment, product, target

LISTS = ROOT / "tests/mutants"
WORK = product("build/mutants")
AT_A_TIME = 2
CPU_SECONDS = 300  # of one process; ends a program in which the fault is an endless loop


class Survived(Exception):
    """No test noticed a planted bug, or it could not be planted; the message says why."""


@dataclass(frozen=True)
class Mutant:
    """A planted bug."""

    name: str
    breaks: str
    piece: Piece
    program: str
    test: str

    @property
    def file(self) -> str:
        """The source file with the fault."""
        return self.piece.file


@dataclass(frozen=True)
class Build:
    """How the host tests are built."""

    compiler: list[str]
    sources: dict[str, list[str]]
    flags: dict[str, list[str]]


def read_mutants() -> list[Mutant]:
    """Reads all lists."""
    mutants = []
    for path in sorted(LISTS.glob("*.ini")):
        for name, entry in read_sections(path).items():
            program, test = entry["caught_by"].split()
            piece = make_piece(path, name, entry)
            mutants.append(Mutant(name, entry["breaks"], piece, program, test))
    return mutants


def run(command: Sequence[str]) -> Done:
    """Runs a command in the project's folder."""
    return run_limited(command, ROOT, CPU_SECONDS, make_environment())


def read_build(programs: Sequence[str]) -> Build:
    """Builds the programs without faults, and asks make how it builds them."""
    make(*(target(f"build/host/{program}") for program in programs))
    wanted = [f"print-{program}_{what}" for program in programs for what in ("SOURCES", "FLAGS")]
    lines = [shlex.split(line) for line in make("print-TEST_CC", *wanted).splitlines()]
    return Build(lines[0], dict(zip(programs, lines[1::2])), dict(zip(programs, lines[2::2])))


def plant(mutant: Mutant) -> Path:
    """Writes the changed copy of the file, where `#include "folder/file.h"` finds it if its root is
    searched first; returns that root."""
    try:
        changed = mutant.piece.apply(read_source(mutant.file))
    except PieceError as error:
        raise Survived(str(error)) from error
    root = WORK / mutant.name
    path = root / Path(mutant.file).relative_to("kernel")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(changed)
    return root


def object_of(program: str, source: str) -> Path:
    """Returns the object that make has built from a source of the program."""
    return Path(target(f"build/host/{program}.objects/{source}.o"))


def affected(mutant: Mutant, program: str, build: Build) -> list[str]:
    """Returns the program's sources that must be compiled again: those that are, or include, the
    file with the fault."""
    includes = re.compile(rf"(^|\s){re.escape(mutant.file)}(\s|$)")
    return [
        source
        for source in build.sources[program]
        if includes.search((ROOT / object_of(program, source)).with_suffix(".d").read_text())
    ]


def build_with(mutant: Mutant, root: Path, program: str, build: Build) -> Path:
    """Links the program with the changed file; the objects that it does not affect are there."""
    compiler = [build.compiler[0], f"-I{root}", *build.compiler[1:], *build.flags[program]]
    again = affected(mutant, program, build)
    objects = []
    for source in build.sources[program]:
        built = object_of(program, source)
        if source in again:
            text = root / Path(source).relative_to("kernel") if source == mutant.file else source
            built = root / f"{program}.{source.replace('/', '.')}.o"
            done = run([*compiler, "-w", "-g0", "-c", "-o", str(built), str(text)])
            if not done.succeeded:
                raise Survived(f"expected it to compile, saw\n{done.output}")
        objects.append(str(built))
    new_program = root / program
    linker = [word for word in compiler if word != "-fsanitize=thread"]  # see tests/host/observed.h
    linked = run([*linker, "-Wl,--strip-debug", "-o", str(new_program), *objects])
    if not linked.succeeded:
        raise Survived(f"expected it to link, saw\n{linked.output}")
    return new_program


def failing_test(program: Path, *tests: str) -> str | None:
    """Runs the program, or some tests of it; returns the first test that failed."""
    result = run([str(program), *tests])
    if result.succeeded:
        return None
    failed = re.search(r"^(\w+): FAIL", result.output, re.MULTILINE)
    return failed.group(1) if failed else "a crash"


def expect_no_failure(mutants: Sequence[Mutant], build: Build) -> None:
    """Raises CommandFailure unless all tests that are to notice a planted bug pass without one."""

    def check_program(program: str) -> None:
        tests = sorted({mutant.test for mutant in mutants if mutant.program == program})
        failed = failing_test(product("build/host") / program, *tests)
        if failed is not None:
            raise CommandFailure(f"{program} {failed}: fails without a planted bug")

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(check_program, build.sources))


def check(mutant: Mutant, build: Build) -> str:
    """Returns the test that noticed; raises Survived if it is not the expected one."""
    if not affected(mutant, mutant.program, build):
        raise Survived(f"{mutant.program} does not contain {mutant.file}")
    root = plant(mutant)
    program = build_with(mutant, root, mutant.program, build)
    if failing_test(program, mutant.test) == mutant.test:
        return f"{mutant.program} {mutant.test}"
    for other in sorted(build.sources):
        if not affected(mutant, other, build):
            continue
        caught = failing_test(build_with(mutant, root, other, build))
        if caught is not None:
            raise Survived(f"survived {mutant.program} {mutant.test}; {other} {caught} noticed")
    raise Survived(f"survived all tests: {mutant.breaks}")


def report(mutant: Mutant, build: Build) -> bool:
    """Checks a planted bug and prints its line; returns whether it was noticed."""
    try:
        line, noticed = f"{mutant.name}: ok ({check(mutant, build)})", True
    except Survived as why:
        line, noticed = f"{mutant.name}: FAIL {why}", False
    print(line, flush=True)
    return noticed


def main() -> int:
    """Plants all faults, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the names and what each breaks")
    parser.add_argument("names", nargs="*", help="only these")
    arguments = parser.parse_args()
    mutants = [m for m in read_mutants() if not arguments.names or m.name in arguments.names]
    if arguments.list:
        print("\n".join(f"{mutant.name}: {mutant.breaks}" for mutant in mutants))
        return 0
    try:
        build = read_build(sorted({mutant.program for mutant in mutants}))
        expect_no_failure(mutants, build)
    except CommandFailure as failure:
        print(f"mutants: FAIL {failure}\n0 passed, {len(mutants)} failed")
        return 1
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        noticed = list(pool.map(lambda mutant: report(mutant, build), mutants))
    print(f"{sum(noticed)} passed, {len(noticed) - sum(noticed)} failed")
    return 0 if noticed and all(noticed) else 1


if __name__ == "__main__":
    run_main(main)
