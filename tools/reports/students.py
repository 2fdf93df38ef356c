"""A student as the reports show him or her: what was handed in, and what became of it."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from classroom.record import ClassInfo, Record, Submission
from grader.display import display
from grader.errors import (
    DOES_NOT_COMPILE, DOES_NOT_START, GRADED, MACHINE_FAULT, RUNNING, UNREADABLE
)
from grader.results import Results, TestResult

MISSING, WAITING = "not-handed-in", "waiting"  # besides the words in grader/errors.py
REFUSED = (UNREADABLE, DOES_NOT_COMPILE, DOES_NOT_START)
WORDS = {
    GRADED: "graded", UNREADABLE: "unreadable", DOES_NOT_COMPILE: "does not compile",
    DOES_NOT_START: "does not start", MACHINE_FAULT: "machine fault", RUNNING: "not finished",
    MISSING: "nothing handed in", WAITING: "not graded yet",
}
PROBLEM_COLUMNS = 2000


@dataclass(frozen=True)
class Student:
    """A student of the class; `number` is the place in it, from 1. The texts can be shown."""

    number: int
    id: str
    name: str
    login: str
    section: str
    submitted: str
    submission: Submission
    record: Record | None
    status: str
    reason: str

    @property
    def results(self) -> Results | None:
        """The results, if there are any."""
        return self.record["results"] if self.record else None

    @property
    def tests(self) -> list[TestResult]:
        """The tests that were to run."""
        return self.results["tests"] if self.results else []

    @property
    def failed(self) -> list[TestResult]:
        """The tests that were lost."""
        return [test for test in self.tests if test["status"] == "failed"]

    @property
    def score(self) -> int | None:
        """The points: None as long as it is not the student's work that decided."""
        if self.results and self.status == GRADED:
            return self.results["score"]
        return 0 if self.status in REFUSED else None

    @property
    def cpu_seconds(self) -> float:
        """What grading cost."""
        return self.results["cpu_seconds"] if self.results else 0.0

    @property
    def label(self) -> str:
        """The name, or what is known instead."""
        return self.name or self.login or self.id

    @property
    def words(self) -> str:
        """The status in words."""
        return WORDS.get(self.status, self.status)


def make_students(info: ClassInfo, records: Sequence[Record]) -> list[Student]:
    """Returns the students in the order of the class."""
    found = {record["submission"]["id"]: record for record in records}
    return [
        make_student(number, submission, found.get(submission["id"]))
        for number, submission in enumerate(info["submissions"], 1)
    ]


def make_student(number: int, submission: Submission, record: Record | None) -> Student:
    """Returns a student; without a record nothing has been graded yet."""
    def shown(text: str) -> str:
        return display(text, lines=1)

    problem = display(submission["problem"], columns=PROBLEM_COLUMNS)
    status, reason = WAITING, problem
    if record:
        status = shown(record["results"]["status"])
        reason = display(record["results"]["reason"], columns=PROBLEM_COLUMNS)
    if not submission["source"] and problem:
        status = MISSING
    elif problem and not record:
        status = UNREADABLE
    return Student(
        number, submission["id"], shown(submission["name"]), shown(submission["login"]),
        shown(submission["section"]), shown(submission["submitted"]), submission, record, status,
        reason,
    )


def causes_of(student: Student) -> dict[str, tuple[str, int]]:
    """Returns the likely causes of what a student lost: the text of each, and how many tests it may
    have cost, most first."""
    found: dict[str, tuple[str, int]] = {}
    for test in student.failed:
        text = dict(test["card"]).get("likely", "")
        if test["cause"] or text:
            key = test["cause"] or text
            found[key] = (text or key, found.get(key, ("", 0))[1] + 1)
    return dict(sorted(found.items(), key=lambda item: -item[1][1]))
