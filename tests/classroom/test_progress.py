"""What is printed of each student while a class is graded."""
from __future__ import annotations

import pytest
from classroom.grading import Child
from classroom.progress import REASON_COLUMNS, line_of
from classroom.record import ClassInfo, Submission
from classroom.refused import refused
from classroom.unit import FAULT, GRADED, Outcome, make_key, make_record
from grader.errors import DOES_NOT_COMPILE, MACHINE_FAULT

SUBMISSION: Submission = {
    "id": "ada", "name": "", "login": "ada", "section": "", "source": "", "original": "",
    "submitted": "", "late_days": 0, "attempts": 1, "problem": "", "seed": 1,
}
INFO: ClassInfo = {
    "format": 1, "title": "", "parts": {"A": ""}, "max_score": 7, "seed": 1, "grader": "",
    "tests": [{"id": "test", "part": "A", "points": 7, "shows": ""}], "deadline": "",
    "grace_days": 0, "words": [], "submissions": [SUBMISSION],
}


def line(what: str, status: str, reason: str) -> str:
    """Returns the line of a student for whom there is no verdict of tests."""
    child = Child(refused(INFO, SUBMISSION, status, reason))
    record = make_record(SUBMISSION, make_key(INFO, SUBMISSION), child, 0)
    return line_of(Outcome(what, record))


def test_a_line_says_why_somebody_has_no_points() -> None:
    said = line(GRADED, DOES_NOT_COMPILE, "compiling a.c failed:\na.c:1: error: x\n   1 | x")
    assert said == "ada: 0/7, does-not-compile: compiling a.c failed: a.c:1: error: x 1 | x"
    assert line(FAULT, MACHINE_FAULT, "no space") == "ada: not graded: no space"


@pytest.mark.parametrize("reason", ["x\n" * 10_000, "x" * 10_000])
def test_no_reason_fills_the_screen(reason: str) -> None:
    said = line(GRADED, DOES_NOT_COMPILE, reason)
    assert len(said) < REASON_COLUMNS + 40 and "\n" not in said
