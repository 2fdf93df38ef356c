"""A lab's tests and their verdicts, and one run of a test on a machine of its own."""
from __future__ import annotations

import importlib
import itertools
import random
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from grader.built import Built
from grader.emulator import QEMU_KIND, Kind
from grader.machine import Machine, Stop
from grader.places import Place
from grader.results import ProcessPages
from grader.sandbox import Sandbox

WHERE = re.compile(r"hart \d+: |\(where the harts")  # how the report of where the harts are begins


RACE_PROFILE = "tlb,stores"
MACHINES = QEMU_AND_SIM, ONLY_QEMU, ONLY_SIM = ("both", "qemu", "sim")


@dataclass(frozen=True)
class Test:
    """A test as the lab's catalogue lists it."""

    __test__ = False  # not one for pytest

    id: str
    part: str
    points: int
    shows: str
    cpus: int = 1  # with one hart a run is the same each time
    trials: int = 1
    more_trials: int = 0  # if those do not agree
    cpu_seconds: float = 10.0
    only: int | None = None  # run just this trial


class Failure(Exception):
    """Evidence against the submission. The lab's rules for likely causes look at the `facts`."""

    def __init__(
        self, invariant: str, expected: str, seen: str, *, page: int | None = None,
        process: str = "",
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
    """A race went well, but no two harts were seen to run processes at the same time."""


@dataclass(frozen=True)
class Cause:
    """What is probably wrong in the submission; without a text, only the simpler tests can tell.

    `simpler` are tests that show the same fault with less around it: the cause that they find is
    given instead.
    """

    name: str
    text: str
    simpler: Sequence[str] = ()


class Play(Protocol):
    """A test being run: the lab's side."""

    def run(self) -> None:
        """Runs the test; Failure is the verdict against the submission."""

    def history(self) -> str:
        """Returns what has been done so far, a line for each step."""

    def pages(self) -> list[ProcessPages]:
        """Returns the pages of the processes that are known."""

    def likely_cause(self, failure: Failure, where: str) -> Cause | None:
        """Returns what is probably wrong; the machine is stopped where the test failed."""


class Lab(Protocol):
    """What a lab's module labs/NAME/grading/lab.py defines."""

    PARTS: dict[str, str]
    TESTS: list[Test]
    HIDDEN: dict[str, int]  # the points, by part, of tests that this tree does not have
    INVARIANTS: dict[str, str]
    # Tests that may explain others; each of them may be explained only by those before it.
    SIMPLE: Sequence[str]

    def build_probe(self, work: Path) -> Path:
        """Builds the program that plays process 1; returns its ELF file."""

    def breakpoints(self, probe: Path) -> list[Place]:
        """Returns where in the probe the machine is to stop."""

    def play(
        self, test: Test, machine: Machine, built: Built, probe: Path, chance: random.Random
    ) -> Play:
        """Prepares a test on a machine that has not run yet."""


@dataclass
class Trial:
    """How one run of a test went; there is no cause and no place if it went well."""

    failure: Failure | None = None
    cause: Cause | None = None
    where: str = ""
    console: str = ""
    history: str = ""
    pages: Sequence[ProcessPages] = ()
    cpu_seconds: float = 0.0


@dataclass
class Result:
    """A test's verdict."""

    test: Test
    trials: dict[int, Trial] = field(default_factory=dict)
    wall_seconds: float = 0.0

    @property
    def cpu_seconds(self) -> float:
        """The CPU time of all trials."""
        return sum((trial.cpu_seconds for trial in self.trials.values()), 0.0)

    @property
    def failed(self) -> list[int]:
        """The numbers of the trials that failed."""
        return [number for number, trial in self.trials.items() if trial.failure]

    @property
    def cause(self) -> Cause | None:
        """What probably made it fail."""
        return self.trials[self.failed[0]].cause if self.failed else None

    @property
    def passed(self) -> bool:
        """Tells whether no trial failed."""
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
    hidden: frozenset[str] = frozenset()  # the ids of tests that students do not get
    machine: str = QEMU_AND_SIM  # one of MACHINES


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
        "hang": "the machine hangs",
        "limit": "the test used up its CPU time (an endless loop?)",
        "exit": "the machine was switched off or reset",
        "output": "the console was flooded",
    }.get(stop.kind, stop.kind)
    # Where the harts are is on the card anyway; warnings are QEMU's own.
    lines = itertools.takewhile(lambda line: not WHERE.match(line), stop.detail.split("\n"))
    detail = "\n".join(line for line in lines if ": warning: " not in line).strip()
    seen = f"{what}: {detail}" if detail else what
    return Failure(
        "alive", f"the next checkpoint after: {doing}", seen, kind=stop.kind, doing=doing
    )


def harts(built: Built, test: Test) -> int:
    """Returns how many harts the test runs on: at most as many as the kernel supports."""
    return min(test.cpus, built.traits.harts or test.cpus)


def kind_of_machine(setting: Setting, test: Test, number: int) -> Kind:
    """Returns what runs a trial of a test."""
    is_race, wanted = test.cpus > 1, setting.built.traits.race_profile
    suits = is_race and bool(wanted)
    if setting.machine == ONLY_QEMU or (setting.machine == QEMU_AND_SIM and not suits):
        return QEMU_KIND
    return Kind(True, (wanted or RACE_PROFILE) if is_race else "kind", number + 1)


def is_repeatable(setting: Setting, test: Test) -> bool:
    """Tells whether a trial goes the same way each time, so that one which fails decides."""
    return kind_of_machine(setting, test, 0).is_simulated


def run_trial(setting: Setting, test: Test, number: int, attempt: int = 0) -> Trial:
    """Runs a test once. Each attempt differs by chance."""
    again = f" {attempt}" if attempt else ""
    chance = random.Random(f"{setting.seed} {test.id} {number}{again}")
    folder = setting.work / f"{test.id}-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    built, lab = setting.built, setting.lab
    image, cpus = folder / "disk", harts(built, test)
    shutil.copyfile(built.image, image)
    seconds = test.cpu_seconds * built.traits.slowness
    with Machine(
        built, image=image, cpus=cpus, icount=cpus == 1, folder=folder, sandbox=setting.sandbox,
        breakpoints=lab.breakpoints(setting.probe), cpu_seconds=seconds,
        kind=kind_of_machine(setting, test, number),
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
            return Trial(
                failure, cause, where, console, history, play.pages(), machine.cpu_seconds()
            )
