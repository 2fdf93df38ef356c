#!/usr/bin/env python3
"""Runs every test there is, or those whose names are given, two at a time.

Each check prints `[n/all] name: ok` or `[n/all] name: FAIL` and why; before the last line, `N passed, M failed`, the
names of those that failed stand once more. Logs are in build/check. A name given on the command line selects all checks
that begin with it. With --repeat each is run so often, and the logs of failed runs are kept in build/check/failed.
"""
from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from paths import ROOT

from guest.breakdown import check_panic
from guest.durable import check_durable
from guest.failframe import check_failframe
from guest.runs import RUNS, build_lock, run_guest
from guest.session import check_session
from image import Image
from limits import run_limited
from lint import LINTS
from outcome import Outcome, counts, junit_outcome
from products import target
from python_packages import need_packages
from qemu import RESULTS, GuestFailure, make


# Some seconds each.
FUZZ_RUNS = {
    "fuzz_elf": 700_000,
    "fuzz_fsck": 3_000,
    "fuzz_machine": 1_000_000,
    "fuzz_options": 250_000,
}
FUZZ_RUNS_OTHER = 10_000
LONG_UNITS = ("test_log", "test_fs")
CHEAP_LINTS = ("layers", "headers")
AT_A_TIME = 2
SILENCE_SECONDS = 20.0
FAILED = RESULTS / "failed"


@dataclass(frozen=True)
class Check:
    """Something that `make check` runs."""

    name: str
    run: Callable[[], Outcome]


def run_command(
    name: str, command: Sequence[str], cpu_seconds: int = 600
) -> subprocess.CompletedProcess[str]:
    """Runs a command in the project's folder; its output also goes to build/check/NAME.log."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    run = run_limited(command, ROOT, cpu_seconds)
    (RESULTS / f"{name}.log").write_text(run.stdout)
    return run


def failure(name: str, run: subprocess.CompletedProcess[str]) -> str:
    """Returns what is to be said about a command that failed."""
    tail = "\n".join(run.stdout.splitlines()[-30:])
    return f"exit status {run.returncode}; {target('build/check')}/{name}.log ends:\n{tail}"


def check_lint(part: str) -> Outcome:
    """One of the checks of `make lint`."""
    run = run_command(f"lint-{part}", [sys.executable, "tools/lint.py", part])
    return (
        Outcome(failed=1, problems=failure(f"lint-{part}", run))
        if run.returncode
        else Outcome(passed=1)
    )


def check_python(name: str, folder: str) -> Outcome:
    """The tests of the python tools, or of the grader."""
    report = RESULTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "--verbose", "--tb=short", f"--junitxml={report}"]
    command += [folder] if folder != "tests" else [folder, "--ignore=tests/grader"]
    run = run_command(name, command)
    if not report.exists():
        return Outcome(failed=1, problems=failure(name, run))
    outcome = junit_outcome(report.read_text())
    if run.returncode == 0 and not outcome.failed:
        return outcome
    return Outcome(outcome.passed, max(outcome.failed, 1), outcome.skipped, failure(name, run))


def judge_counts(name: str, run: subprocess.CompletedProcess[str]) -> Outcome:
    """Judges a command that ends with "N passed, M failed"."""
    passed, failed, skipped = counts(run.stdout) or (0, 0, 0)
    if run.returncode == 0 and passed and not failed:
        return Outcome(passed, 0, skipped)
    return Outcome(passed, max(failed, 1), skipped, failure(name, run))


def check_host(name: str) -> Outcome:
    """A unit test that is built for this machine, with the sanitizers."""
    program = target(f"build/host/{name}")
    with build_lock:
        make("-j2", program)
    return judge_counts(f"host-{name}", run_command(f"host-{name}", [program]))


def check_mutants() -> Outcome:
    """The host tests notice planted faults."""
    with build_lock:
        make(*(target(f"build/host/{name}") for name in make("print-HOST_TESTS").split()))
    return judge_counts("mutants", run_command("mutants", [sys.executable, "tests/mutants.py"]))


def write_images(seeds: Path) -> None:
    """Writes a small image, and one with records in its log, for fuzz_fsck to start from."""
    run_command(
        "fuzz_fsck-seed",
        [target("mkfs/mkfs"), "-s", "512K", "-l", "48", str(seeds / "image"), "LICENSE:a/b"],
    )
    image = Image((seeds / "image").read_bytes())
    inodes, bitmap, data = (
        image.areas[name] for name in ("inode_start", "bitmap_start", "data_start")
    )
    at = image.write_record(
        image.areas["log_start"], 1, {n: image.block(n) for n in (inodes, bitmap, data)}
    )
    image.write_record(at, 2, {image.areas["blocks"] - 1: image.block(data)}, escaped=0x81)
    (seeds / "logged").write_bytes(image.data)


def check_fuzzer(name: str) -> Outcome:
    """A fuzzer, a number of runs and always from the same seed."""
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
    # An endless loop is ended by the processor time that run_command allows: libFuzzer's own limit is in wall time.
    runs = FUZZ_RUNS.get(name, FUZZ_RUNS_OTHER)
    options = ["-seed=1", f"-runs={runs}", "-print_funcs=0", "-timeout=3600", "-rss_limit_mb=2048"]
    run = run_command(
        f"fuzz-{name}", [program, *options, f"-artifact_prefix={RESULTS}/{name}-", str(seeds)]
    )
    if run.returncode == 0 and re.search(r"^Done [1-9]\d* runs", run.stdout, re.MULTILINE):
        return Outcome(passed=1)
    return Outcome(failed=1, problems=failure(f"fuzz-{name}", run))


def check_solutions() -> Outcome:
    """The grader judges a bounded part of the known solutions as it should."""
    command = [sys.executable, "tests/grader/matrix.py", "--quick", "--jobs", "2", "--seed", "1"]
    return judge_counts("solutions", run_command("solutions", command, 1800))


def check_mistakes() -> Outcome:
    """cowtest ends by itself on kernels with the commonest mistakes, and says what they are."""
    command = [sys.executable, "tests/grader/mistakes.py", "--quick"]
    return judge_counts("mistakes", run_command("mistakes", command, 1800))


def check_fuzz_grader() -> Outcome:
    """The grader holds out against a bounded number of hostile inputs."""
    return judge_counts(
        "fuzz-grader", run_command("fuzz-grader", [sys.executable, "tests/grader/fuzz_grader.py"])
    )


def can_fuzz() -> bool:
    """Tells whether clang is here and has the fuzzer's library."""
    source = (
        "int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return !d && n; }"
    )
    command = ["clang", "-fsanitize=fuzzer,address", "-x", "c", "-", "-o", os.devnull]
    try:
        return (
            subprocess.run(
                command, input=source.encode(), capture_output=True, check=False
            ).returncode
            == 0
        )
    except FileNotFoundError:
        return False


def all_checks() -> list[Check]:
    """Returns the checks in the order in which they start: long ones early, so that none is left over."""
    units, fuzzers = make("print-HOST_TESTS").split(), make("print-HOST_FUZZERS").split()
    checks = [Check(f"lint-{part}", partial(check_lint, part)) for part in CHEAP_LINTS]
    checks += [Check(run.name, partial(run_guest, run)) for run in RUNS]
    checks += [Check("session", check_session), Check("panic", check_panic)]
    checks += [Check("durable", check_durable), Check("failframe", check_failframe)]
    checks += [Check(f"host-{name}", partial(check_host, name)) for name in units]
    if (ROOT / "tests/mutants.py").exists():  # a student's tree has none
        checks += [Check("mutants", check_mutants)]
    checks += [Check(f"fuzz-{name}", partial(check_fuzzer, name)) for name in fuzzers]
    checks += [Check("python", partial(check_python, "python", "tests"))]
    if (ROOT / "tests/grader").exists():  # a student's tree has no grader
        checks += [Check("grader", partial(check_python, "grader", "tests/grader"))]
        checks += [Check("fuzz-grader", check_fuzz_grader)]
        checks += [Check("solutions", check_solutions), Check("mistakes", check_mistakes)]
    return checks


def quick_checks() -> list[Check]:
    """Returns all of `make lint` and the unit tests, the longest first: what needs no QEMU."""
    units = sorted(make("print-HOST_TESTS").split(), key=lambda name: name not in LONG_UNITS)
    lints = sorted(LINTS, key=lambda part: part not in ("mypy", "cppcheck"))
    checks = [Check(f"host-{name}", partial(check_host, name)) for name in units]
    first = len(LONG_UNITS)
    return (
        checks[:first]
        + [Check(f"lint-{part}", partial(check_lint, part)) for part in lints]
        + checks[first:]
    )


def select(checks: list[Check], names: Sequence[str]) -> list[Check]:
    """Returns the checks that a name begins; ends the program if a name begins none."""
    for name in names:
        if not any(check.name.startswith(name) for check in checks):
            sys.exit(f"check: there is no check {name!r}; --list shows all")
    return [check for check in checks if not names or check.name.startswith(tuple(names))]


def guarded(check: Check) -> Outcome:
    """Runs the check; whatever goes wrong in it makes it fail, and so does a check that tests nothing."""
    try:
        outcome = check.run()
    except GuestFailure as error:
        return Outcome(failed=1, problems=str(error))
    except Exception as error:  # pylint: disable=broad-except
        return Outcome(failed=1, problems=f"{type(error).__name__}: {error}")
    if not outcome.passed and not outcome.failed and not outcome.skipped:
        return Outcome(failed=1, problems="expected tests, saw none run")
    return outcome


def keep_logs(name: str, number: int, since: float, problems: str) -> Path:
    """Copies what a failed run has written to build/check; returns the folder."""
    folder = FAILED / f"{name}.{number}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "problems").write_text(problems)
    for file in RESULTS.iterdir():
        if file.is_file() and file.name.startswith(name) and file.stat().st_mtime >= since:
            shutil.copy2(file, folder)
    return folder


class Checks:
    """Runs checks, several at a time and each so many times, and tells how it goes."""

    def __init__(self, checks: list[Check], times: int) -> None:
        self.checks, self.times = checks, times
        self.total = Outcome()
        self.failed: list[str] = []
        self.started: dict[str, float] = {}  # what runs now
        self.repeats: dict[str, str] = {}  # of it, how far it is
        self.stopping = threading.Event()

    def run(self) -> Outcome:
        """Runs all and returns the sum of their outcomes."""
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            waiting = {pool.submit(self._run_check, check): check.name for check in self.checks}
            try:
                self._wait(waiting)
            except KeyboardInterrupt:
                self.stopping.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        for line in self.failed:
            print(f"failed: {line}")
        return self.total

    def _wait(self, waiting: dict["Future[Outcome]", str]) -> None:
        """Reports checks as they end; when that takes long, says what still runs."""
        left = set(waiting)
        while left:
            ended, left = wait(left, SILENCE_SECONDS, FIRST_COMPLETED)
            for future in ended:
                self._report(waiting[future], future.result(), len(waiting) - len(left))
            if not ended:
                now = time.monotonic()
                running = [
                    f"{n} ({now - t:.0f} s{self.repeats.get(n, '')})"
                    for n, t in list(self.started.items())
                ]
                print(f"    still running: {', '.join(running)}", flush=True)

    def _run_check(self, check: Check) -> Outcome:
        """Runs a check as often as wanted; keeps the logs of the runs that fail."""
        self.started[check.name] = time.monotonic()
        if self.times == 1:
            return guarded(check)
        total, problems, bad = Outcome(), [], 0
        for number in range(1, self.times + 1):
            if self.stopping.is_set():
                break
            self.repeats[check.name] = f", run {number} of {self.times}, {bad} failed"
            since = time.time()
            outcome = guarded(check)
            total += Outcome(outcome.passed, outcome.failed, outcome.skipped)
            if outcome.failed:
                bad += 1
                folder = keep_logs(check.name, number, since, outcome.problems)
                problems += [
                    f"run {number}, kept in {folder.relative_to(ROOT)}:",
                    *outcome.problems.splitlines(),
                ]
        lines = [f"{bad} of {self.times} runs failed", *problems] if bad else []
        return Outcome(total.passed, total.failed, total.skipped, "\n".join(lines))

    def _report(self, name: str, outcome: Outcome, number: int) -> None:
        """Prints an ended check's lines and counts it."""
        seconds = time.monotonic() - self.started.pop(name)
        runs = f", {self.times} runs" if self.times > 1 else ""
        verdict, count = "ok", f"{outcome.passed} passed{runs}, {seconds:.0f} s"
        if outcome.failed:
            verdict, count = "FAIL", f"{outcome.failed} failed, {count}"
            self.failed.append(f"{name}: {(outcome.problems.splitlines() or [''])[0]}")
        elif outcome.skipped and not outcome.passed:
            verdict = "skipped"
        print(f"[{number}/{len(self.checks)}] {name}: {verdict} ({count})")
        for line in outcome.problems.splitlines():
            print(f"    {line}")
        sys.stdout.flush()
        self.total += Outcome(outcome.passed, outcome.failed, outcome.skipped)


def forget_jobs_of_make() -> None:
    """The makes that are run here have no part in the jobs of the one that runs this (`make -j8 check`)."""
    words = os.environ.get("MAKEFLAGS", "").split(" ")
    kept = [word for word in words if not re.match(r"-j\d*$|--jobserver-", word)]
    os.environ["MAKEFLAGS"] = " ".join(kept)


def main() -> int:
    """Selects, runs, sums up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the names of the checks")
    parser.add_argument(
        "--quick", action="store_true", help="lint and the unit tests: what needs no QEMU"
    )
    parser.add_argument(
        "--repeat", type=int, default=1, metavar="TIMES", help="run each check so often"
    )
    parser.add_argument("names", nargs="*", help="run only checks that begin so")
    arguments = parser.parse_args()
    if arguments.repeat < 1:
        parser.error("--repeat: at least once")
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
    sys.exit(main())
