"""Runs checks, several at a time and each as often as wanted, and says how it goes."""
from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from command import CommandFailure
from outcome import Outcome
from products import ROOT
from qemu import RESULTS

AT_A_TIME = 2
SILENCE_SECONDS = 20.0
FAILED = RESULTS / "failed"


@dataclass(frozen=True)
class Check:
    """Something that `make check` runs."""

    name: str
    run: Callable[[], Outcome]


def guarded(check: Check) -> Outcome:
    """Runs the check; any exception makes it fail, and so does a check that tests nothing."""
    try:
        outcome = check.run()
    except CommandFailure as error:
        return Outcome(failed=1, problems=str(error))
    except Exception as error:  # pylint: disable=broad-except
        return Outcome(failed=1, problems=f"{type(error).__name__}: {error}")
    if not outcome.passed and not outcome.failed and not outcome.skipped:
        return Outcome(failed=1, problems="expected tests, saw none run")
    return outcome


def keep_logs(name: str, number: int, since: float, problems: str) -> Path:
    """Copies what a failed run wrote to build/check; returns the folder."""
    folder = FAILED / f"{name}.{number}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "problems").write_text(problems)
    for file in RESULTS.iterdir():
        if file.is_file() and file.name.startswith(name) and file.stat().st_mtime >= since:
            shutil.copy2(file, folder)
    return folder


class Checks:
    """A run of checks, each of them so many times."""

    def __init__(self, checks: Sequence[Check], times: int) -> None:
        self.checks, self.times = checks, times
        self.total = Outcome()
        self.failed: list[str] = []
        self.started: dict[str, float] = {}  # the checks that are running, and since when
        self.repeats: dict[str, str] = {}  # how far each of them is
        self.stopping = threading.Event()

    def run(self) -> Outcome:
        """Runs all; returns the sum of their outcomes."""
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            waiting = {pool.submit(self._run_check, check): check.name for check in self.checks}
            try:
                self._wait(waiting)
            except (KeyboardInterrupt, BrokenPipeError):
                self.stopping.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        for line in self.failed:
            print(f"failed: {line}")
        return self.total

    def _wait(self, waiting: dict["Future[Outcome]", str]) -> None:
        """Reports checks as they end; while that takes long, says what is still running."""
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
        """Runs a check as often as wanted, and keeps the logs of runs that fail."""
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
        """Prints the lines of a check that has ended, and counts it."""
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
