"""Runs a lab's tests on a built submission: one machine for each trial, several at a time if wanted."""
from __future__ import annotations

import dataclasses
import importlib
import itertools
import random
import re
import shutil
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Protocol, Sequence

from grader.budget import TEST_SECONDS
from grader.errors import InfraError
from grader.folders import remove
from grader.machine import Built, Machine, Stop
from grader.sandbox import Sandbox

WHERE = re.compile(r"hart \d+: |\(where the harts")  # how the report of where the harts are begins


ONE_HART_TRIALS = 4
ENDLESS = ("limit", "hang", "output")  # kinds of a machine's end


@dataclass(frozen=True)
class Test:
    """A test as the lab's catalogue lists it."""

    id: str
    part: str
    points: int
    shows: str
    cpus: int = 1  # with one hart a run is the same each time
    trials: int = 1
    cpu_seconds: float = 10.0
    only: Optional[int] = None  # run just this trial


class Failure(Exception):
    """Evidence against the submission. `facts` are what the lab's rules for likely causes look at."""

    def __init__(
        self, invariant: str, expected: str, seen: str, *, page: Optional[int] = None, process: str = "",
        **facts: object,
    ) -> None:
        super().__init__(f"expected {expected}, saw {seen}")
        self.invariant = invariant
        self.expected = expected
        self.seen = seen
        self.page = page
        self.process = process
        self.facts = facts


class OneHart(Exception):
    """All was well in a race, but all processes were seen on one hart."""


@dataclass(frozen=True)
class Cause:
    """What is probably wrong in the submission; without a text only simpler tests may know it.

    `simpler` are tests that show the same fault with less around it: what they find is told
    instead.
    """

    name: str
    text: str
    simpler: Sequence[str] = ()


class Play(Protocol):
    """A test being run: the lab's side."""

    def run(self) -> None:
        """Runs the test; Failure is the verdict against the submission."""

    def history(self) -> str:
        """Returns what was done so far, a line for each step."""

    def pages(self) -> str:
        """Returns a map of the pages of the processes that are known."""

    def likely_cause(self, failure: Failure, where: str) -> Optional[Cause]:
        """Returns what probably is wrong in the submission; the machine stands where it failed."""


class Lab(Protocol):
    """What a lab's module labs/NAME/grading/lab.py defines."""

    PARTS: Dict[str, str]
    TESTS: List[Test]
    INVARIANTS: Dict[str, str]
    SIMPLE: Sequence[str]  # tests that may explain others, which may only ask those before them

    def build_probe(self, work: Path) -> Path:
        """Builds the program that plays process 1; returns its ELF file."""

    def breakpoints(self, probe: Path) -> List[int]:
        """Returns the addresses in the probe at which the machine is to stop."""

    def play(self, test: Test, machine: Machine, built: Built, probe: Path, chance: random.Random) -> Play:
        """Prepares a test on a machine that has not run yet."""


@dataclass
class Trial:
    """How one run of a test went; there is no cause and no place if it went well."""

    failure: Optional[Failure] = None
    cause: Optional[Cause] = None
    where: str = ""
    console: str = ""
    history: str = ""
    pages: str = ""
    cpu_seconds: float = 0.0


@dataclass
class Result:
    """A test's verdict."""

    test: Test
    trials: Dict[int, Trial] = field(default_factory=dict)
    wall_seconds: float = 0.0

    @property
    def cpu_seconds(self) -> float:
        """The CPU time of all trials."""
        return sum((trial.cpu_seconds for trial in self.trials.values()), 0.0)

    @property
    def failed(self) -> List[int]:
        """The numbers of the trials that failed."""
        return [number for number, trial in self.trials.items() if trial.failure]

    @property
    def cause(self) -> Optional[Cause]:
        """What probably made it fail."""
        return self.trials[self.failed[0]].cause if self.failed else None

    @property
    def passed(self) -> bool:
        """True if no trial failed."""
        return not self.failed

    @property
    def points(self) -> int:
        """All the test's points or none."""
        return self.test.points if self.passed else 0


@dataclass(frozen=True)
class Setting:
    """What all tests of a run have in common."""

    lab: Lab
    built: Built
    probe: Path
    work: Path
    sandbox: Sandbox
    seed: int
    explains: bool = True  # lets simpler tests explain what others found


def load_lab(folder: Path) -> Lab:
    """Imports the lab's module; its folder is labs/NAME in the project's."""
    root = str(folder.parent.parent)
    if root not in sys.path:
        sys.path.insert(0, root)
    module: Lab = importlib.import_module(f"labs.{folder.name}.grading.lab")
    return module


def failure_of_stop(stop: Stop, doing: str) -> Failure:
    """Returns the verdict on a machine that did not come to the next checkpoint."""
    what = {
        "panic": "the kernel panicked",
        "hang": "nothing runs any more",
        "limit": "the CPU time allowed for the test ran out (an endless loop?)",
        "exit": "the machine was switched off or reset",
        "output": "the console was flooded",
    }.get(stop.kind, stop.kind)
    # Where the harts are is said elsewhere; warnings are QEMU's own.
    lines = itertools.takewhile(lambda line: not WHERE.match(line), stop.detail.split("\n"))
    detail = "\n".join(line for line in lines if ": warning: " not in line).strip()
    seen = f"{what}: {detail}" if detail else what
    return Failure("alive", f"the next checkpoint after: {doing}", seen, kind=stop.kind, doing=doing)


def slowness(built: Built) -> float:
    """Returns how many times the usual CPU time the tree's tests may take."""
    factor = built.traits.get("slowness", 1)
    return float(factor) if isinstance(factor, (int, float)) else 1.0


def harts(built: Built, test: Test) -> int:
    """Returns how many harts the test runs on: not more than the kernel has room for."""
    most = built.traits.get("NCPU", 0)
    return min(test.cpus, most) if isinstance(most, int) and most > 0 else test.cpus


def run_trial(setting: Setting, test: Test, number: int) -> Trial:
    """Runs a test once."""
    chance = random.Random(f"{setting.seed} {test.id} {number}")
    folder = setting.work / f"{test.id}-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    built, lab = setting.built, setting.lab
    image, cpus = folder / "disk", harts(built, test)
    shutil.copyfile(built.image, image)
    with Machine(
        built, image=image, cpus=cpus, icount=cpus == 1, folder=folder, sandbox=setting.sandbox,
        breakpoints=lab.breakpoints(setting.probe), cpu_seconds=test.cpu_seconds * slowness(built),
    ) as machine:
        play = lab.play(test, machine, built, setting.probe, chance)
        try:
            play.run()
            if cpus > 1 and len(machine.harts_seen) < 2:
                raise OneHart
            return Trial(
                console=machine.console(), history=play.history(), pages=play.pages(),
                cpu_seconds=machine.cpu_seconds(),
            )
        except Failure as failure:
            where, console, history = machine.where(), machine.console(), play.history()
            cause = play.likely_cause(failure, where)
            return Trial(failure, cause, where, console, history, play.pages(), machine.cpu_seconds())


def run_limited(setting: Setting, test: Test, number: int) -> Trial:
    """Runs a test once if there is time left for it, and leaves no disk behind."""
    if not setting.sandbox.budget.left:
        seen = "the tests before it used up the time that all together may take"
        return Trial(Failure("alive", "time for the test", seen, kind="limit", doing="earlier tests"))
    start = time.thread_time()
    try:
        trial = run_on_harts(setting, test, number)
        if trial.failure is not None and trial.failure.facts.get("kind") in ENDLESS:
            setting.sandbox.budget.waste(trial.cpu_seconds)
        return trial
    except OSError as error:
        raise InfraError(f"{test.id} cannot be run: {error}") from None
    finally:
        setting.sandbox.budget.spend(time.thread_time() - start)  # it is the kernel that makes us look
        remove(setting.work / f"{test.id}-{number}")


def run_on_harts(setting: Setting, test: Test, number: int) -> Trial:
    """Runs a test again if chance may have kept all processes on one hart. A kernel that lets them
    run nowhere else has no races."""
    for _ in range(ONE_HART_TRIALS):
        try:
            return run_trial(setting, test, number)
        except OneHart:
            continue
    seen = f"all of them on one hart, in {ONE_HART_TRIALS} runs"
    return Trial(Failure("processes run on all harts", f"processes on {test.cpus} harts", seen))


def run_test(setting: Setting, test: Test) -> Result:
    """Runs a test's trials."""
    start = time.monotonic()
    result = Result(test)
    for number in range(test.trials) if test.only is None else [test.only]:
        result.trials[number] = run_limited(setting, test, number)
    result.wall_seconds = time.monotonic() - start
    return result


class Runner:
    """Runs each test once, be it for its points or to explain the failure of another."""

    def __init__(
        self, setting: Setting, tests: Sequence[Test], is_late: Callable[[], bool]
    ) -> None:
        self.setting, self.is_late = setting, is_late
        self.tests = {test.id: test for test in (*setting.lab.TESTS, *tests)}
        self.results: Dict[str, Result] = {}
        self.locks = {name: threading.Lock() for name in self.tests}

    def result(self, name: str) -> Optional[Result]:
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

    def better(self, name: str, cause: Optional[Cause]) -> Optional[Cause]:
        """Returns the cause that a simpler test finds, if there is one."""
        order = list(self.setting.lab.SIMPLE)
        earlier = order[:order.index(name)] if name in order else order
        for other in cause.simpler if cause is not None and self.setting.explains else ():
            result = self.result(other) if other in earlier else None
            if result and result.cause is not None:
                return dataclasses.replace(result.cause, simpler=())
            if result and result.failed:  # others will not know it either
                break
        return cause if cause is not None and cause.text else None


def run_tests(setting: Setting, tests: Sequence[Test], jobs: int, is_late: Callable[[], bool]) -> Iterator[Result]:
    """Yields the tests' results in the order in which they come; no test starts when it is late,
    unless that is the submission's doing, which then loses the tests."""
    setting = dataclasses.replace(setting, sandbox=setting.sandbox.with_budget(TEST_SECONDS))
    budget = setting.sandbox.budget
    runner = Runner(setting, tests, lambda: is_late() and not budget.is_to_blame())
    with ThreadPoolExecutor(jobs) as pool:
        futures: List["Future[Optional[Result]]"] = [
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
