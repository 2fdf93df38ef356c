"""Runs a lab's tests on a built submission: all their trials, several tests at a time if wanted,
within the time that all together may take."""
from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Optional

from grader.budget import TEST_SECONDS
from grader.errors import InfraError
from grader.folders import remove
from grader.run import (
    Cause, Failure, OneHart, Result, Setting, Test, Trial, is_repeatable, run_trial,
)

ONE_HART_TRIALS = 4
ONE_HART = Cause(
    "one-hart",
    "no two harts ever run processes at the same time: every hart must enter the scheduler's loop."
)
ENDLESS = ("limit", "hang", "output")  # kinds of a machine's end


def run_limited(setting: Setting, test: Test, number: int) -> Trial:
    """Runs a test once if there is time left for it, and removes its disk."""
    if not setting.sandbox.budget.left:
        seen = "earlier tests used up the time that all tests together may take"
        return Trial(
            Failure("alive", "time for the test", seen, kind="limit", doing="earlier tests")
        )
    start = time.thread_time()
    try:
        trial = run_on_harts(setting, test, number)
        if trial.failure is not None and trial.failure.facts.get("kind") in ENDLESS:
            setting.sandbox.budget.waste(trial.cpu_seconds)
        return trial
    except OSError as error:
        raise InfraError(f"{test.id} cannot be run: {error}") from None
    finally:
        # looking at memory costs time because of what the kernel does
        setting.sandbox.budget.spend(time.thread_time() - start)
        remove(setting.work / f"{test.id}-{number}")


def run_on_harts(setting: Setting, test: Test, number: int) -> Trial:
    """Runs a test, and again if processes happened to run on one hart at a time. A kernel on which
    they always do has no races to test."""
    for attempt in range(ONE_HART_TRIALS):
        try:
            return run_trial(setting, test, number, attempt)
        except OneHart:
            continue
    seen = f"one hart at a time, in {ONE_HART_TRIALS} runs"
    expected = f"processes to run on {test.cpus} harts at the same time"
    return Trial(Failure("processes run on all harts", expected, seen), ONE_HART)


def run_test(setting: Setting, test: Test) -> Result:
    """Runs a test's trials."""
    start = time.monotonic()
    result = Result(test)
    trials = 1 if is_repeatable(setting, test) else test.trials
    for number in range(trials) if test.only is None else [test.only]:
        result.trials[number] = run_limited(setting, test, number)
    if 0 < len(result.failed) < len(result.trials):  # a verdict must not depend on one trial
        for number in range(test.trials, test.trials + test.more_trials):
            result.trials[number] = run_limited(setting, test, number)
    result.wall_seconds = time.monotonic() - start
    return result


class Runner:
    """Runs each test once, whether for its points or to explain the failure of another."""

    def __init__(
        self, setting: Setting, tests: Sequence[Test], is_late: Callable[[], bool]
    ) -> None:
        self.setting, self.is_late = setting, is_late
        self.tests = {test.id: test for test in (*setting.lab.TESTS, *tests)}
        self.results: dict[str, Result] = {}
        self.locks = {name: threading.Lock() for name in self.tests}

    def result(self, name: str) -> Result | None:
        """Returns a test's result with the causes that are known now; None if it is late."""
        with self.locks[name]:
            if name not in self.results:
                if self.is_late():
                    return None
                self.results[name] = run_test(self.setting, self.tests[name])
        result = self.results[name]
        for number in result.failed:
            result.trials[number].cause = self.better(name, result.trials[number].cause)
        return result

    def better(self, name: str, cause: Cause | None) -> Cause | None:
        """Returns the cause that a simpler test finds, if there is one.

        Hidden tests explain only hidden ones: students see the same causes as their instructor.
        """
        order = list(self.setting.lab.SIMPLE)
        earlier = order[:order.index(name)] if name in order else order
        known = {test for test in earlier if test in self.tests}
        if name not in self.setting.hidden:
            known -= self.setting.hidden
        for other in cause.simpler if cause is not None and self.setting.explains else ():
            result = self.result(other) if other in known else None
            if result and result.cause is not None:
                return dataclasses.replace(result.cause, simpler=())
            if result and result.failed:  # the other tests will not know either
                break
        return cause if cause is not None and cause.text else None


def run_tests(
    setting: Setting, tests: Sequence[Test], jobs: int, is_late: Callable[[], bool]
) -> Iterator[Result]:
    """Yields the tests' results in the order in which they end. No test starts when it is late; if
    the submission is to blame for that, it loses those tests."""
    setting = dataclasses.replace(setting, sandbox=setting.sandbox.with_budget(TEST_SECONDS))
    budget = setting.sandbox.budget
    runner = Runner(setting, tests, lambda: is_late() and not budget.end_if_wasted())
    with ThreadPoolExecutor(jobs) as pool:
        futures: list[Future[Optional[Result]]] = [
            pool.submit(runner.result, test.id) for test in tests
        ]
        try:
            for future in as_completed(futures):
                result = future.result()
                if result is not None:
                    yield result
        finally:
            for future in futures:
                future.cancel()
