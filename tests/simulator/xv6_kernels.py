#!/usr/bin/env python3
"""Boots trees of xv6-riscv on the simulator, and lets them run their usertests.

The trees are not part of this one. They are built in a copy, without warnings that are errors to
newer compilers. Kernels of any year need no options but --legacy-disk, where their driver is old.
"""
from __future__ import annotations

import argparse
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "tests"), str(ROOT / "tools")]

from command import CommandFailure, run
from entry import run_main
from products import make_environment, product
from toolchain import find_prefix

PROFILES = ("kind", "tlb")
SLICE = 65536
PASSED, FAILED = b"ALL TESTS PASSED", (b"SOME TESTS FAILED", b"panic", b"FAILED -- lost")
TAIL = 1500  # bytes of the console


def build(tree: Path, folder: Path) -> None:
    """Builds kernel and image in a copy of the tree."""
    prefix = find_prefix("gcc", "ld", "objcopy", "objdump")
    if prefix is None:
        sys.exit("no RISC-V gcc was found: run `make setup`")
    shutil.copytree(tree, folder, ignore=shutil.ignore_patterns(".git", "*.o", "*.d"))
    command = ["make", f"TOOLPREFIX={prefix}", f"CC={prefix}gcc -w", "kernel/kernel", "fs.img"]
    done = run(command, cwd=folder, env=make_environment(folder), seconds=600)
    if not done.succeeded:
        raise CommandFailure(f"cannot be built:\n{done.output[-TAIL:]}")


def words_of(tree: Path) -> tuple[str, list[str]]:
    """Returns what is typed, and what the simulator must be told."""
    tests = (tree / "user/usertests.c").read_text()
    driver = (tree / "kernel/virtio_disk.c").read_text()
    typed = "usertests -q\n" if '"-q"' in tests else "usertests\n"
    return typed, ["--legacy-disk"] if "QUEUE_PFN" in driver else []


def output_of(command: list[str], seconds: float) -> Iterator[bytes]:
    """Yields what a command has printed so far, until it ends, or until that time is over."""
    said, end = b"", time.monotonic() + seconds
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        try:
            while (left := end - time.monotonic()) > 0:
                if not select.select([process.stdout], [], [], left)[0]:
                    break
                part = os.read(process.stdout.fileno(), SLICE)
                if not part:
                    return
                said += part
                yield said
            yield said + b"\n(stopped: this takes too long)"
        finally:
            process.kill()


def run_tests(folder: Path, profile: str, limits: argparse.Namespace) -> str:
    """Runs usertests until they say how they ended; returns what is wrong, or ""."""
    typed, words = words_of(folder)
    keys = folder / "keys"
    keys.write_text(typed)
    command = [
        str(product("sim/sim")), str(folder / "kernel/kernel"), str(folder / "fs.img"),
        "--snapshot", "--harts", str(limits.harts), "--profile", profile, "--input", str(keys),
        *words,
    ]
    said = b""
    for said in output_of(command, limits.seconds):
        if PASSED in said:
            return ""
        if any(word in said for word in FAILED):
            break
    return said[-TAIL:].decode(errors="replace")


def main() -> int:
    """Runs each tree in each profile; returns 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("trees", nargs="+", type=Path, help="trees of xv6-riscv")
    parser.add_argument("--seconds", type=float, default=3600, help="for one run; 3600")
    parser.add_argument("--harts", type=int, default=3, help="those of each machine; 3")
    parser.add_argument("--profiles", default=",".join(PROFILES), help="some of these, or others")
    arguments = parser.parse_args()
    passed = failed = 0
    for tree in arguments.trees:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, "xv6")
            try:
                build(tree, folder)
                problem = ""
            except CommandFailure as failure:
                problem = str(failure)
            for profile in arguments.profiles.split(","):
                start = time.monotonic()
                wrong = problem or run_tests(folder, profile, arguments)
                passed += not wrong
                failed += bool(wrong)
                took = f"ok, {time.monotonic() - start:.0f} s" if not wrong else f"FAIL {wrong}"
                print(f"{tree.name} {profile}: {took}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    run_main(main)
