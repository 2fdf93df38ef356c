#!/usr/bin/env python3
"""Runs cow6's two test programs under each profile of the simulator, on 1, 3 and 8 harts."""
from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "tests"), str(ROOT / "tools")]

from entry import run_main
from outcome import counts
from simulated import run_kernel

PROFILES = ("kind", "tlb", "tlb,svade", "icache", "stores", "timing", "all", "all,svade")
HARTS = (1, 3, 8)
PROGRAMS = {"cowtest": "ALL COW TESTS PASSED", "usertests": "ALL TESTS PASSED"}
TAIL = 2000  # bytes of the console


def run_tests(program: str, profile: str, harts: int, seed: int, folder: Path) -> str:
    """Returns what is wrong, or ""."""
    ran = run_kernel(
        "--harts", harts, "--profile", profile, "--seed", seed, "--append", f"init=/{program}",
        folder=folder,
    )
    if ran.status == 0 and PROGRAMS[program] in ran.console:
        passed = (counts(ran.console) or (0,))[0]
        print(f"{program} {profile} {harts}: ok, {passed} tests, {ran.time} instructions")
        return ""
    return f"{ran.reason}, status {ran.status}\n{ran.console[-TAIL:]}"


def main() -> int:
    """Runs them all; returns 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", action="append", help="only this one, or these")
    parser.add_argument("--harts", type=int, action="append", help="only this number, or these")
    arguments = parser.parse_args()
    passed = failed = 0
    for profile in arguments.profile or PROFILES:
        for harts in arguments.harts or HARTS:
            for program in PROGRAMS:
                with tempfile.TemporaryDirectory() as folder:
                    wrong = run_tests(program, profile, harts, arguments.seed, Path(folder))
                passed += not wrong
                failed += bool(wrong)
                if wrong:
                    print(f"{program} {profile} {harts}: FAIL {wrong}")
                sys.stdout.flush()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    run_main(main)
