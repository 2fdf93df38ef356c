"""Points, per test and per part, as far as they are known."""
from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from grader.cards import Row, card_text
from grader.display import display
from grader.errors import MACHINE_FAULT, RUNNING
from grader.protections import Protections
from grader.results import FORMAT, PartResult, Results, TestResult, shorten_map
from grader.run import Result, Test, Trial

SOURCE_COLUMNS = 4096


@dataclass
class Score:
    """The results of a run, as far as they are known. Tests without a result have not run yet."""

    source: str
    tree: str
    seed: int
    parts: dict[str, str]
    tests: Sequence[Test]
    results: dict[str, Result] = field(default_factory=dict)
    cards: dict[str, list[Row]] = field(default_factory=dict)
    status: str = RUNNING
    reason: str = ""  # why it is not graded
    protections: Protections = Protections({}, {})
    started: float = field(default_factory=time.monotonic)

    @property
    def points(self) -> int:
        """The points reached."""
        return sum(result.points for result in self.results.values())

    @property
    def most(self) -> int:
        """The points of all tests of this run."""
        return sum(test.points for test in self.tests)

    @property
    def wall_seconds(self) -> float:
        """The time since the beginning."""
        return time.monotonic() - self.started

    def of_part(self, part: str) -> tuple[int, int]:
        """Returns a part's points, reached and at most."""
        tests = [test for test in self.tests if test.part == part]
        return (
            sum(self.results[test.id].points for test in tests if test.id in self.results),
            sum(test.points for test in tests),
        )

    def used_parts(self) -> list[str]:
        """Returns the parts that have tests in this run."""
        return [part for part in self.parts if self.of_part(part)[1]]

    def as_results(self) -> Results:
        """Returns what the file of results says."""
        cpu_seconds = sum((result.cpu_seconds for result in self.results.values()), 0.0)
        return {
            "format": FORMAT, "source": display(self.source, columns=SOURCE_COLUMNS, lines=1),
            "tree": self.tree, "seed": self.seed, "status": self.status,
            "reason": display(self.reason),
            "complete": self.status not in (RUNNING, MACHINE_FAULT),
            "score": self.points, "max_score": self.most,
            "cpu_seconds": round(cpu_seconds, 2), "wall_seconds": round(self.wall_seconds, 2),
            "protections": self.protections.in_force, "missing": self.protections.missing,
            "parts": [self._part(part) for part in self.used_parts()],
            "tests": [self._test(test) for test in self.tests],
        }

    def _part(self, part: str) -> PartResult:
        points, most = self.of_part(part)
        return {"part": part, "title": self.parts[part], "score": points, "max_score": most}

    def _test(self, test: Test) -> TestResult:
        result = self.results.get(test.id)
        known = result or Result(test)
        status = "not run" if result is None else "passed" if result.passed else "failed"
        trial = known.trials[known.failed[0]] if known.failed else Trial()
        page = trial.failure.page if trial.failure else None
        rows = self.cards.get(test.id, [])
        return {
            "id": test.id, "part": test.part, "shows": test.shows,
            "score": result.points if result else 0, "max_score": test.points, "status": status,
            "trials": len(known.trials), "failed_trials": known.failed,
            "seconds": round(known.wall_seconds, 2), "wall_seconds": round(known.wall_seconds, 2),
            "cpu_seconds": round(known.cpu_seconds, 2),
            "cause": known.cause.name if known.cause else "",
            "card": rows, "output": card_text(rows),
            "page": page, "pages": shorten_map(trial.pages, page),
        }
