#!/usr/bin/env python3
"""Runs the public riscv-tests on the simulator: those of RV64IMAC, of machine and supervisor mode.

They are not part of this tree. docs/simulator.md says where they come from. Their environment ends
a test by a write that a debugger sees; in a copy of it, that is a write to the test finisher.
"""
from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "tests"), str(ROOT / "tools")]

from command import run
from entry import run_main
from limits import run_limited
from products import product
from toolchain import find_prefix

GROUPS = ("rv64ui", "rv64um", "rv64ua", "rv64uc", "rv64mi", "rv64si")
EXPECTED_TO_FAIL = {  # what the simulator leaves out
    "rv64mi-breakpoint": "debug triggers",
    "rv64mi-pmpaddr": "physical memory protection",
}
INSTRUCTIONS = 50_000_000
CPU_SECONDS = 60
FLAGS = (
    "-march=rv64gc_zicsr_zifencei", "-mabi=lp64", "-static", "-mcmodel=medany", "-nostdlib",
    "-nostartfiles", "-fvisibility=hidden", "-Wl,--build-id=none",
)
OLD_END = re.compile(r"^ *write_tohost:.*?j write_tohost; *\\\n", re.MULTILINE | re.DOTALL)
NEW_END = """\
  write_tohost:                   \\
        li t5, 1;                 \\
        li t6, 0x5555;            \\
        beq TESTNUM, t5, 1f;      \\
        slli t6, TESTNUM, 16;     \\
        li t5, 0x3333;            \\
        or t6, t6, t5;            \\
1:      li t5, 0x100000;          \\
        sw t6, 0(t5);             \\
        j 1b;                     \\
"""


class Tests:
    """The tests, with a copy of their environment that ends them through the finisher."""

    def __init__(self, tests: Path, environment: Path, folder: Path) -> None:
        self.isa, self.folder = tests / "isa", folder
        shutil.copytree(environment / "p", folder / "p")
        shutil.copyfile(environment / "encoding.h", folder / "encoding.h")
        header = folder / "p/riscv_test.h"
        text, count = OLD_END.subn(lambda _: NEW_END, header.read_text())
        if count != 1:
            sys.exit(f"{environment}/p/riscv_test.h: its write_tohost is not as expected")
        header.write_text(text)
        prefix = find_prefix("gcc")
        if prefix is None:
            sys.exit("no RISC-V gcc was found: run `make setup`")
        self.compiler = f"{prefix}gcc"

    def names(self) -> list[tuple[str, str]]:
        """Returns group and name of each test."""
        files = {group: sorted((self.isa / group).glob("*.S")) for group in GROUPS}
        return [(group, file.stem) for group in GROUPS for file in files[group]]

    def run(self, group: str, name: str) -> str:
        """Builds a test and runs it; returns what is wrong, or ""."""
        program = self.folder / f"{group}-{name}"
        built = run([
            self.compiler, *FLAGS, f"-I{self.folder}/p", f"-I{self.folder}",
            f"-I{self.isa}/macros/scalar", f"-T{self.folder}/p/link.ld", "-o", program,
            self.isa / group / f"{name}.S",
        ])
        if not built.succeeded:
            return f"cannot be built: {built.output.splitlines()[0]}"
        words = [str(product("sim/sim")), str(program), "--stop-at", str(INSTRUCTIONS)]
        done = run_limited(words, ROOT, CPU_SECONDS)
        if "the guest has ended" not in done.output:
            return "does not end"
        return f"fails in case {done.status >> 1}" if done.status else ""


def main() -> int:
    """Runs the tests; returns 1 if one fails that should pass, or the other way round."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tests", type=Path, help="a tree of riscv-tests")
    parser.add_argument("environment", type=Path, help="a tree of riscv-test-env")
    arguments = parser.parse_args()
    passed = failed = skipped = 0
    with tempfile.TemporaryDirectory() as folder:
        tests = Tests(arguments.tests, arguments.environment, Path(folder))
        for group, name in tests.names():
            full, wrong = f"{group}-{name}", tests.run(group, name)
            missing = EXPECTED_TO_FAIL.get(full)
            if wrong and missing:
                skipped += 1
                print(f"{full}: {wrong}, as the simulator has no {missing}")
            elif wrong or missing:
                failed += 1
                print(f"{full}: FAIL {wrong or 'passes, although it should not'}")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    run_main(main)
