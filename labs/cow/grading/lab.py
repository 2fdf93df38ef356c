"""The copy-on-write lab as the grader sees it."""
from __future__ import annotations

import importlib
import random
from pathlib import Path
from types import ModuleType

from grader.built import Built
from grader.machine import Machine
from grader.places import Place
from grader.results import ProcessPages
from grader.run import Cause, Failure, Test
from labs.cow.grading import probe as probe_file
from labs.cow.grading import forks, pagemap
from labs.cow.grading.catalogue import HIDDEN, PARTS, TESTS
from labs.cow.grading.causes import likely_cause
from labs.cow.grading.evidence import INVARIANTS
from labs.cow.grading.rule import SIMPLE
from labs.cow.grading.session import Session
from labs.cow.grading.signs import read_signs

__all__ = [
    "HIDDEN", "PARTS", "TESTS", "INVARIANTS", "SIMPLE", "build_probe", "breakpoints", "play",
]

FOLDER = Path(__file__).parent
MODULES: tuple[ModuleType, ...] = tuple(
    importlib.import_module(f"{__package__}.{path.stem}")
    for path in sorted(FOLDER.glob("tests_*.py"))
)


class Played:
    """A test on a machine."""

    def __init__(self, test: Test, session: Session) -> None:
        self.session, self.test = session, test
        self.body = next(getattr(module, test.id) for module in MODULES if hasattr(module, test.id))

    def run(self) -> None:
        """Runs the test."""
        self.body(self.session)

    def history(self) -> str:
        """Returns the commands that the processes were given."""
        return "\n".join(self.session.lines) + "\n"

    def pages(self) -> list[ProcessPages]:
        """Returns the page map of all processes."""
        return pagemap.map_of_pages(self.session.processes)

    def likely_cause(self, failure: Failure, where: str) -> Cause | None:
        """Returns what is probably wrong."""
        try:
            signs = read_signs(self.session, failure, where)
        except (Failure, ValueError, LookupError, ArithmeticError):  # memory makes no sense
            signs = {}
        signs["test"] = self.test.id
        return likely_cause(failure, signs, self.session.machine.console(), self.history())


def build_probe(work: Path) -> Path:
    """Returns the program that plays process 1."""
    return probe_file.build(work)


def breakpoints(probe: Path) -> list[Place]:
    """The machine stops at the probe's checkpoint."""
    return [probe_file.read(probe).place("checkpoint")]


def play(test: Test, machine: Machine, built: Built, probe: Path, chance: random.Random) -> Played:
    """Prepares a test."""
    session = Session(machine, built, probe_file.read(probe), chance)
    if test.part != "H":  # there a kernel that copies is right, too
        session.watch_fork = forks.watch
    return Played(test, session)
