#!/usr/bin/env python3
"""Runs every test there is, or those whose names are given, two at a time.

Each check prints `name: ok` or `name: FAIL` and why; before the last line, `N passed, M failed`, the names of those
that failed stand once more. Logs are in build/check. A name given on the command line selects all checks that begin
with it.
"""
from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, Sequence

from guest.breakdown import check_panic
from guest.durable import check_durable
from guest.failframe import check_failframe
from guest.machine import RESULTS, ROOT, GuestFailure, make
from guest.runs import RUNS, build_lock, run_guest
from guest.session import check_session
from outcome import Outcome, counts
from test_mkfs import Image

FUZZ_SECONDS = 20
AT_A_TIME = 2


@dataclass(frozen=True)
class Check:
    """Something that `make check` runs."""

    name: str
    run: Callable[[], Outcome]


def run_command(name: str, command: Sequence[str], seconds: float) -> "subprocess.CompletedProcess[str]":
    """Runs a command in the project's folder; its output also goes to build/check/NAME.log."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    try:
        run = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=seconds, check=False,
        )
    except subprocess.TimeoutExpired as late:
        seen = late.stdout.decode(errors="replace") if isinstance(late.stdout, bytes) else late.stdout or ""
        run = subprocess.CompletedProcess(command, -1, f"{seen}\nno end after {seconds:.0f} s")
    (RESULTS / f"{name}.log").write_text(run.stdout)
    return run


def failure(name: str, run: "subprocess.CompletedProcess[str]") -> str:
    """Returns what is to be said about a command that failed."""
    tail = "\n".join(run.stdout.splitlines()[-30:])
    return f"exit status {run.returncode}; build/check/{name}.log ends:\n{tail}"


def check_lint(part: str) -> Outcome:
    """One of the checks of `make lint` that are cheap."""
    run = run_command(f"lint-{part}", [sys.executable, "tools/lint.py", part], 120)
    return Outcome(failed=1, problems=failure(f"lint-{part}", run)) if run.returncode else Outcome(passed=1)


def check_python(name: str, folder: str) -> Outcome:
    """The unit tests of the python tools, or of the grader."""
    command = [sys.executable, "-m", "unittest", "discover", "-s", folder, "-p", "test_*.py"]
    run = run_command(name, command, 600)
    ran = re.search(r"^Ran (\d+) tests?", run.stdout, re.MULTILINE)
    number = {key: int(n) for key, n in re.findall(r"(failures|errors|skipped)=(\d+)", run.stdout)}
    if ran is None:
        return Outcome(failed=1, problems=failure(name, run))
    failed = number.get("failures", 0) + number.get("errors", 0)
    skipped = number.get("skipped", 0)
    problems = failure(name, run) if failed else ""
    return Outcome(int(ran.group(1)) - failed - skipped, failed, skipped, problems)


def check_host(name: str) -> Outcome:
    """A unit test that is built for this machine, with the sanitizers."""
    program = f"build/host/{name}"
    with build_lock:
        make(program)
    run = run_command(f"host-{name}", [program], 300)
    passed, failed, skipped = counts(run.stdout) or (0, 0, 0)
    if run.returncode == 0 and passed and not failed:
        return Outcome(passed, 0, skipped)
    return Outcome(passed, max(failed, 1), skipped, failure(f"host-{name}", run))


def check_mutants() -> Outcome:
    """The host tests notice planted faults."""
    with build_lock:
        make(*(f"build/host/{name}" for name in make("print-HOST_TESTS").split()))
    run = run_command("mutants", [sys.executable, "tests/mutants.py"], 600)
    passed, failed, skipped = counts(run.stdout) or (0, 1, 0)
    if run.returncode == 0 and passed and not failed:
        return Outcome(passed, 0, skipped)
    return Outcome(passed, max(failed, 1), skipped, failure("mutants", run))


def write_images(seeds: Path) -> None:
    """Writes a small image, and one with records in its log, for fuzz_fsck to start from."""
    run_command("fuzz_fsck-seed", ["mkfs/mkfs", "-s", "512K", "-l", "48", str(seeds / "image"), "LICENSE:a/b"], 60)
    image = Image((seeds / "image").read_bytes())
    inodes, bitmap, data = (image.areas[name] for name in ("inode_start", "bitmap_start", "data_start"))
    at = image.write_record(image.areas["log_start"], 1, {n: image.block(n) for n in (inodes, bitmap, data)})
    image.write_record(at, 2, {image.areas["blocks"] - 1: image.block(data)}, escaped=0x81)
    (seeds / "logged").write_bytes(image.data)


def check_fuzzer(name: str, seconds: float) -> Outcome:
    """A fuzzer, for a while and always from the same seed."""
    if not can_fuzz():
        return Outcome(skipped=1, problems="clang with libFuzzer was not found: run `make setup`")
    program = f"build/fuzz/{name}"
    with build_lock:
        make(program)
    seeds = RESULTS / f"{name}-seeds"
    shutil.rmtree(seeds, ignore_errors=True)
    seeds.mkdir(parents=True)
    if name == "fuzz_fsck":
        write_images(seeds)
    limits = [f"-max_total_time={seconds:.0f}", "-timeout=10", "-rss_limit_mb=2048"]
    run = run_command(
        f"fuzz-{name}", [program, "-seed=1", *limits, f"-artifact_prefix=build/check/{name}-", str(seeds)],
        seconds + 120,
    )
    return Outcome(failed=1, problems=failure(f"fuzz-{name}", run)) if run.returncode else Outcome(passed=1)


def check_solutions() -> Outcome:
    """The grader judges a bounded part of the known solutions as it should."""
    command = [sys.executable, "tests/grader/matrix.py", "--quick", "--jobs", "2", "--seed", "1"]
    run = run_command("solutions", command, 1800)
    passed, failed, skipped = counts(run.stdout) or (0, 1, 0)
    if run.returncode == 0 and passed and not failed:
        return Outcome(passed, 0, skipped)
    return Outcome(passed, max(failed, 1), skipped, failure("solutions", run))


def can_fuzz() -> bool:
    """Tells whether clang is here and has the fuzzer's library."""
    source = "int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return !d && n; }"
    command = ["clang", "-fsanitize=fuzzer,address", "-x", "c", "-", "-o", os.devnull]
    try:
        return subprocess.run(command, input=source.encode(), capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def all_checks() -> List[Check]:
    """Returns the checks in the order in which they start: long ones early, so that none is left over."""
    units, fuzzers = make("print-HOST_TESTS").split(), make("print-HOST_FUZZERS").split()
    checks = [Check(f"lint-{part}", partial(check_lint, part)) for part in ("layers", "headers")]
    checks += [Check(run.name, partial(run_guest, run)) for run in RUNS]
    checks += [Check("session", check_session), Check("panic", check_panic)]
    checks += [Check("durable", check_durable), Check("failframe", check_failframe)]
    checks += [Check(f"host-{name}", partial(check_host, name)) for name in units]
    if (ROOT / "tests/mutants.py").exists():  # a student's tree has none
        checks += [Check("mutants", check_mutants)]
    checks += [Check(f"fuzz-{name}", partial(check_fuzzer, name, FUZZ_SECONDS / len(fuzzers))) for name in fuzzers]
    checks += [Check("python", partial(check_python, "python", "tests"))]
    if (ROOT / "tests/grader").exists():  # a student's tree has no grader
        checks += [Check("grader", partial(check_python, "grader", "tests/grader"))]
        checks += [Check("solutions", check_solutions)]
    return checks


def select(checks: List[Check], names: Sequence[str]) -> List[Check]:
    """Returns the checks that a name begins; ends the program if a name begins none."""
    for name in names:
        if not any(check.name.startswith(name) for check in checks):
            sys.exit(f"check: there is no check {name!r}; --list shows all")
    return [check for check in checks if not names or check.name.startswith(tuple(names))]


def guarded(check: Check) -> Outcome:
    """Runs the check; whatever goes wrong in it makes it fail."""
    try:
        return check.run()
    except GuestFailure as error:
        return Outcome(failed=1, problems=str(error))
    except Exception as error:  # pylint: disable=broad-except
        return Outcome(failed=1, problems=f"{type(error).__name__}: {error}")


def report(name: str, outcome: Outcome, seconds: float) -> None:
    """Prints a check's lines."""
    count = f"{outcome.passed} passed, {seconds:.0f} s"
    if outcome.failed:
        print(f"{name}: FAIL ({outcome.failed} failed, {count})")
    elif outcome.skipped and not outcome.passed:
        print(f"{name}: skipped")
    else:
        print(f"{name}: ok ({count})")
    for line in outcome.problems.splitlines():
        print(f"    {line}")
    sys.stdout.flush()


def run_checks(checks: List[Check]) -> Outcome:
    """Runs the checks and returns the sum of their outcomes."""
    total = Outcome()
    failed: List[str] = []
    started: Dict[str, float] = {}

    def timed(check: Check) -> Outcome:
        started[check.name] = time.monotonic()
        return guarded(check)

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        waiting: Dict["Future[Outcome]", str] = {pool.submit(timed, check): check.name for check in checks}
        for future in as_completed(waiting):
            outcome = future.result()
            name = waiting[future]
            report(name, outcome, time.monotonic() - started[name])
            total += Outcome(outcome.passed, outcome.failed, outcome.skipped)
            if outcome.failed:
                failed.append(f"{name}: {(outcome.problems.splitlines() or [''])[0]}")
    for line in failed:
        print(f"failed: {line}")
    return total


def main() -> int:
    """Selects, runs, sums up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the names of the checks")
    parser.add_argument("names", nargs="*", help="run only checks that begin so")
    arguments = parser.parse_args()
    checks = select(all_checks(), arguments.names)
    if arguments.list:
        print("\n".join(check.name for check in checks))
        return 0
    total = run_checks(checks)
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
