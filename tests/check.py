#!/usr/bin/env python3
"""Runs all checks, or those that begin with one of the given names, two at a time.

Each check prints `[n/all] name: ok`, or `[n/all] name: FAIL` and why. At the end the names of the
checks that failed are repeated, and the last line is `N passed, M failed`. Logs are in build/check.
With --repeat each check runs several times, and the logs of failed runs are kept in
build/check/failed.
"""
from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from paths import ROOT

from bench import is_plain_build
from command import Done, make
from entry import run_main
from guest.durable import check_durable
from guest.failframe import check_failframe
from guest.panic import check_panic
from guest.runs import RUNS, build_lock, run_guest
from guest.session import check_session
from image import Image
from limits import run_limited
from lint import LINTS
from outcome import Outcome, counts, junit_outcome
from products import make_environment, target
from python_packages import need_packages
from qemu import RESULTS
from runner import Check, Checks

# Some seconds each.
FAILS = re.compile(r"\bFAIL\b|\bFAILED\b")
FUZZ_RUNS = {
    "fuzz_elf": 700_000, "fuzz_fsck": 3_000, "fuzz_machine": 1_000_000, "fuzz_options": 250_000,
    "fuzz_simulator": 5_000,
}
FUZZ_OPTIONS = {"fuzz_simulator": ["-len_control=0", "-max_len=600"]}  # long inputs at once
FUZZ_RUNS_OTHER = 10_000
LONG_UNITS = ("test_log", "test_fs")
CLASS_TESTS = ("classroom", "reports", "platforms")
CHEAP_LINTS = ("layers", "headers")
# Of two at a time, the last one runs alone, so it should be short: after what takes a second, those
# that take minutes, the longest first. The slow disk leaves its processor to others.
FIRST = (
    "lint", "solutions", "usertests-slow-disk", "python", "grader", "class", "mutants",
    "simulator", "fuzz-grader", "mistakes", "usertests", "explore", "failframe",
)


def run_command(
    name: str, command: Sequence[str], cpu_seconds: int = 600
) -> Done:
    """Runs a command in this tree; its output also goes to build/check/NAME.log."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    run = run_limited(command, ROOT, cpu_seconds)
    (RESULTS / f"{name}.log").write_text(run.output)
    return run


def failure(name: str, run: Done) -> str:
    """Returns the message about a command that failed: its first complaint, and how it ends."""
    lines = run.output.splitlines()
    complaint = next((f": {line.strip()}" for line in lines if FAILS.search(line)), "")
    tail = "\n".join(lines[-30:])
    log = f"{target('build/check')}/{name}.log"
    return f"exit status {run.status}{complaint}\n{log} ends:\n{tail}"


def check_lint(part: str) -> Outcome:
    """One of the checks of `make lint`."""
    run = run_command(f"lint-{part}", [sys.executable, "tools/lint.py", part])
    if run.succeeded:
        return Outcome(passed=1)
    return Outcome(failed=1, problems=failure(f"lint-{part}", run))


def check_python(name: str, *tests: str) -> Outcome:
    """Tests that pytest runs: of the python tools, or of the grader."""
    report = RESULTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "--verbose", "--tb=short", f"--junitxml={report}"]
    run = run_command(name, [*command, *tests])
    if not report.exists():
        return Outcome(failed=1, problems=failure(name, run))
    outcome = junit_outcome(report.read_text())
    if run.succeeded and not outcome.failed:
        return outcome
    return Outcome(outcome.passed, max(outcome.failed, 1), outcome.skipped, failure(name, run))


def judge_counts(name: str, run: Done) -> Outcome:
    """Judges a command that ends with "N passed, M failed"."""
    passed, failed, skipped = counts(run.output) or (0, 0, 0)
    if run.succeeded and passed and not failed:
        return Outcome(passed, 0, skipped)
    return Outcome(passed, max(failed, 1), skipped, failure(name, run))


def check_host(name: str) -> Outcome:
    """A unit test of the kernel's files, built for this machine with sanitizers."""
    program = target(f"build/host/{name}")
    with build_lock:
        make("-j2", program)
    return judge_counts(f"host-{name}", run_command(f"host-{name}", [program]))


def check_mutants() -> Outcome:
    """Planted bugs make the host tests fail."""
    with build_lock:
        make(*(target(f"build/host/{name}") for name in make("print-HOST_TESTS").split()))
    return judge_counts("mutants", run_command("mutants", [sys.executable, "tests/mutants.py"]))


def write_images(seeds: Path) -> None:
    """Writes what fuzz_fsck starts from: a small image, and one with records in its log."""
    run_command(
        "fuzz_fsck-seed",
        [target("mkfs/mkfs"), "-s", "512K", "-l", "48", str(seeds / "image"), "LICENSE:a/b"],
    )
    image = Image((seeds / "image").read_bytes())
    areas = image.areas
    homes = [areas[name] for name in ("inode_start", "bitmap_start", "data_start")]
    at = image.write_record(areas["log_start"], 1, {home: image.block(home) for home in homes})
    last = {areas["blocks"] - 1 - i: image.block(areas["data_start"] + i) for i in range(3)}
    image.write_record(at, 2, last, limit=2)
    (seeds / "logged").write_bytes(image.data)


def check_fuzzer(name: str) -> Outcome:
    """A fuzzer, for a fixed number of runs from a fixed seed."""
    if not can_fuzz():
        return Outcome(skipped=1, problems="clang with libFuzzer was not found: run `make setup`")
    program = target(f"build/fuzz/{name}")
    with build_lock:
        make(program)
    seeds = RESULTS / f"{name}-seeds"
    shutil.rmtree(seeds, ignore_errors=True)
    seeds.mkdir(parents=True)
    if name == "fuzz_fsck":
        write_images(seeds)
    # run_command limits the processor time, which ends an endless loop; libFuzzer's own limit is
    # wall time, which a busy host can use up.
    runs = FUZZ_RUNS.get(name, FUZZ_RUNS_OTHER)
    options = ["-seed=1", f"-runs={runs}", "-print_funcs=0", "-timeout=3600", "-rss_limit_mb=2048"]
    options += FUZZ_OPTIONS.get(name, [])
    run = run_command(
        f"fuzz-{name}", [program, *options, f"-artifact_prefix={RESULTS}/{name}-", str(seeds)]
    )
    if run.succeeded and re.search(r"^Done [1-9]\d* runs", run.output, re.MULTILINE):
        return Outcome(passed=1)
    return Outcome(failed=1, problems=failure(f"fuzz-{name}", run))


def check_solutions() -> Outcome:
    """The grader judges some of the known solutions as it should."""
    command = [sys.executable, "tests/grader/matrix.py", "--quick", "--jobs", "2", "--seed", "1"]
    return judge_counts("solutions", run_command("solutions", command, 1800))


def check_mistakes() -> Outcome:
    """cowtest finishes on kernels with the commonest mistakes, and names the mistake."""
    command = [sys.executable, "tests/grader/mistakes.py", "--quick"]
    return judge_counts("mistakes", run_command("mistakes", command, 1800))


def check_explore() -> Outcome:
    """Schedules of the kernel's protocols; `make explore` runs more of them."""
    command = [sys.executable, "tests/simulator/explore_kernel.py", "--quick"]
    return judge_counts("explore", run_command("explore", command))


def check_fuzz_grader() -> Outcome:
    """The grader survives a number of hostile inputs."""
    return judge_counts(
        "fuzz-grader", run_command("fuzz-grader", [sys.executable, "tests/grader/fuzz_grader.py"])
    )


def check_bench() -> Outcome:
    """Nothing has become slower than the saved counts of instructions say."""
    if not is_plain_build():
        return Outcome(skipped=1, problems="the saved counts are of builds without DEBUG and OPT")
    run = run_command("bench", [sys.executable, "tools/bench.py", "--check"])
    return Outcome(passed=1) if run.succeeded else Outcome(failed=1, problems=run.output)


def check_scale() -> Outcome:
    """What is done more often, or beside more of its kind, costs no more each time."""
    if not is_plain_build():
        return Outcome(skipped=1, problems="the limits are those of builds without DEBUG and OPT")
    run = run_command("scale", [sys.executable, "tools/bench_scale.py", "--short"])
    if not run.succeeded:
        return Outcome(failed=1, problems=run.output)
    skipped = [line for line in run.output.splitlines() if line.startswith("skipped: ")]
    return Outcome(1, 0, len(skipped), "\n".join(skipped))


def can_fuzz() -> bool:
    """Tells whether clang is installed and has libFuzzer."""
    source = (
        "int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return !d && n; }"
    )
    command = ["clang", "-fsanitize=fuzzer,address", "-x", "c", "-", "-o", os.devnull]
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, check=False)
        return done.returncode == 0
    except FileNotFoundError:
        return False


def place_of(check: Check) -> int:
    """Returns where among the checks one starts: those that FIRST names, then all others."""
    places = [number for number, name in enumerate(FIRST) if check.name.startswith(name)]
    return min(places, default=len(FIRST))


def all_checks() -> list[Check]:
    """Returns all checks in the order in which they start."""
    units, fuzzers = make("print-HOST_TESTS").split(), make("print-HOST_FUZZERS").split()
    checks = [Check(f"lint-{part}", partial(check_lint, part)) for part in CHEAP_LINTS]
    checks += [Check(run.name, partial(run_guest, run)) for run in RUNS]
    checks += [Check("session", check_session), Check("panic", check_panic)]
    checks += [Check("durable", check_durable), Check("failframe", check_failframe)]
    checks += [Check(f"host-{name}", partial(check_host, name)) for name in units]
    if (ROOT / "tests/mutants.py").exists():  # a student's tree has none
        checks += [Check("mutants", check_mutants)]
    checks += [Check(f"fuzz-{name}", partial(check_fuzzer, name)) for name in fuzzers]
    apart = ["grader", "simulator", *CLASS_TESTS]
    ignored = [f"--ignore=tests/{name}" for name in apart]
    checks += [Check("python", partial(check_python, "python", "tests", *ignored))]
    if (ROOT / "tests/grader").exists():  # a student's tree has no grader, and its sizes are free
        checks += [Check("bench", check_bench), Check("scale", check_scale)]
        checks += [Check("lint-sizes", partial(check_lint, "sizes"))]
        checks += [Check("grader", partial(check_python, "grader", "tests/grader"))]
        of_class = [f"tests/{name}" for name in CLASS_TESTS]
        checks += [Check("class", partial(check_python, "class", *of_class))]
        checks += [Check("fuzz-grader", check_fuzz_grader)]
        checks += [Check("simulator", partial(check_python, "simulator", "tests/simulator"))]
        checks += [Check("explore", check_explore)]
        checks += [Check("solutions", check_solutions), Check("mistakes", check_mistakes)]
    return sorted(checks, key=place_of)


def quick_checks() -> list[Check]:
    """Returns the checks that need no QEMU, the longest first: lint, unit tests, pieces."""
    units = sorted(make("print-HOST_TESTS").split(), key=lambda name: name not in LONG_UNITS)
    parts = LINTS if (ROOT / "tests/grader").exists() else [p for p in LINTS if p != "sizes"]
    lints = sorted(parts, key=lambda part: part not in ("mypy", "cppcheck"))
    checks = [Check(f"host-{name}", partial(check_host, name)) for name in units]
    if (ROOT / "tests/test_pieces.py").exists():  # a student's tree has none
        checks.append(Check("pieces", partial(check_python, "pieces", "tests/test_pieces.py")))
    first = len(LONG_UNITS)
    checks[first:first] = [Check(f"lint-{part}", partial(check_lint, part)) for part in lints]
    return checks


def select(checks: list[Check], names: Sequence[str]) -> list[Check]:
    """Returns the checks that begin with one of the names; exits if a name selects none."""
    for name in names:
        if not any(check.name.startswith(name) for check in checks):
            sys.exit(f"check: there is no check {name!r}; --list shows all")
    return [check for check in checks if not names or check.name.startswith(tuple(names))]


def forget_jobs_of_make() -> None:
    """Drops the jobs of the make that runs this (`make -j8 check`); makes run from here cannot use
    them."""
    os.environ.update(make_environment())


def main() -> int:
    """Selects checks, runs them, and prints the sum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the names of the checks")
    parser.add_argument(
        "--quick", action="store_true", help="lint and the unit tests: what needs no QEMU"
    )
    parser.add_argument(
        "--repeat", type=int, default=1, metavar="TIMES", help="run each check this many times"
    )
    parser.add_argument(
        "names", nargs="*", help="run only the checks whose names begin with one of these"
    )
    arguments = parser.parse_args()
    if arguments.repeat < 1:
        parser.error("--repeat must be at least 1")
    forget_jobs_of_make()
    checks = select(quick_checks() if arguments.quick else all_checks(), arguments.names)
    if arguments.list:
        print("\n".join(check.name for check in checks))
        return 0
    try:
        total = Checks(checks, arguments.repeat).run()
    except KeyboardInterrupt:
        print("\ninterrupted")
        return 130
    skipped = f", {total.skipped} skipped" if total.skipped else ""
    print(f"{total.passed} passed, {total.failed} failed{skipped}")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    need_packages()
    run_main(main)
