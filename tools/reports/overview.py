"""What there is to say about a class as a whole: how many, how good, what was lost most and why."""
from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from classroom.record import ClassInfo, Record, TestInfo
from grader.errors import GRADED
from reports.students import MISSING, REFUSED, Student, causes_of, make_students

BINS = 10  # of the histogram, and one more for those with all points
SLOWEST = 5


@dataclass(frozen=True)
class Bin:
    """A bar of the histogram: so many students have so many points."""

    first: int
    last: int
    students: int

    @property
    def label(self) -> str:
        """The points, as a range unless it is one number."""
        return f"{self.first}" if self.first == self.last else f"{self.first}–{self.last}"


@dataclass(frozen=True)
class Scores:
    """The scores of those who were graded."""

    mean: float
    median: float
    quartiles: tuple[float, float]  # the first and the third


@dataclass(frozen=True)
class Lost:
    """How many of those for whom it ran lost a test."""

    test: TestInfo
    lost: int
    ran: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.lost / self.ran if self.ran else 0.0


@dataclass(frozen=True)
class CommonCause:
    """A likely cause, with how many students have it and how many of their tests it may have
    cost."""

    text: str
    students: int
    tests: int


@dataclass(frozen=True)
class Overview:
    """A class."""

    info: ClassInfo
    students: list[Student]
    graded: list[Student]
    refused: list[Student]
    missing: list[Student]
    unfinished: list[Student]  # for whom the machine still owes a result
    scores: Scores | None
    histogram: list[Bin]
    tests: list[Lost]  # in the order of the lab
    causes: list[CommonCause]  # most common first
    slowest: list[Student]
    cpu_seconds: float

    @property
    def hardest(self) -> list[Lost]:
        """The tests that somebody lost, the most lost first."""
        return sorted((test for test in self.tests if test.lost), key=lambda test: -test.share)

    @property
    def not_graded(self) -> list[Student]:
        """All who have no verdict on their work."""
        return [student for student in self.students if student.status != GRADED]


def make_overview(info: ClassInfo, records: Sequence[Record]) -> Overview:
    """Returns what is known of a class so far."""
    students = make_students(info, records)
    graded = [student for student in students if student.status == GRADED]
    refused = [student for student in students if student.status in REFUSED]
    missing = [student for student in students if student.status == MISSING]
    points = [student.score or 0 for student in graded]
    known = {student.id for student in (*graded, *refused, *missing)}
    return Overview(
        info, students, graded, refused, missing,
        [student for student in students if student.id not in known],
        make_scores(points), make_histogram(points, info["max_score"]),
        [count_lost(test, graded) for test in info["tests"]], common_causes(graded),
        sorted(students, key=lambda student: -student.cpu_seconds)[:SLOWEST],
        sum(student.cpu_seconds for student in students),
    )


def make_scores(points: Sequence[int]) -> Scores | None:
    """Returns mean, median and quartiles; None without any scores."""
    if not points:
        return None
    parts = statistics.quantiles([*points] * (1 if len(points) > 1 else 2), method="inclusive")
    return Scores(statistics.fmean(points), statistics.median(points), (parts[0], parts[2]))


def make_histogram(points: Sequence[int], most: int) -> list[Bin]:
    """Returns bars of equal width from 0 to all but one point, and one for all points."""
    bins = []
    for number in range(BINS):
        first, end = most * number // BINS, most * (number + 1) // BINS
        if first < end:
            count = sum(first <= score < end for score in points)
            bins.append(Bin(first, end - 1, count))
    return [*bins, Bin(most, most, sum(score >= most for score in points))]


def count_lost(test: TestInfo, graded: Sequence[Student]) -> Lost:
    """Returns how many lost a test."""
    verdicts = Counter(
        result["status"] for student in graded for result in student.tests
        if result["id"] == test["id"]
    )
    return Lost(test, verdicts["failed"], verdicts["failed"] + verdicts["passed"])


def common_causes(graded: Sequence[Student]) -> list[CommonCause]:
    """Returns the likely causes, the one that most students have first."""
    texts: dict[str, str] = {}
    students: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for student in graded:
        for name, (text, count) in causes_of(student).items():
            texts.setdefault(name, text)
            students[name] += 1
            tests[name] += count
    return [CommonCause(texts[name], number, tests[name])
            for name, number in students.most_common()]
