"""Errors that nobody foresaw, and repositories that cannot be fetched."""
from __future__ import annotations

from pathlib import Path

import pytest
from classroom.pool import FAULTS_IN_A_ROW, grade_here
from classroom.progress import ClassProgress
from classroom.record import ClassInfo, Submission
from classroom.unit import FAULT, Way, grade_submission
from grader.errors import InfraError

SUBMISSION: Submission = {
    "id": "ada", "name": "", "login": "ada", "section": "", "source": "", "original": "",
    "submitted": "", "late_days": 0, "attempts": 1, "problem": "", "seed": 1,
}
INFO: ClassInfo = {
    "format": 1, "title": "", "parts": {}, "max_score": 0, "seed": 1, "grader": "", "tests": [],
    "deadline": "", "grace_days": 0, "words": [], "submissions": [SUBMISSION],
}


@pytest.mark.parametrize("step", ["resolve", "fingerprint"])
def test_an_error_of_ours_is_no_end_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whatever a submission makes of the code that looks at it, the others are graded."""
    def fail(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(f"classroom.unit.{step}", fail)
    (tmp_path / "results").mkdir()
    outcome = grade_submission(Way(tmp_path), INFO, SUBMISSION)
    results = outcome.record["results"]
    assert outcome.what == FAULT and not results["complete"]
    assert results["reason"] == "grade-cow itself failed: RecursionError: too deep"


def test_repositories_that_cannot_be_fetched_are_no_end_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Students name them, and their servers say what they like."""
    def fail(*_: object) -> None:
        raise InfraError("error: 500")

    monkeypatch.setattr("classroom.unit.resolve", fail)
    (tmp_path / "results").mkdir()
    count = FAULTS_IN_A_ROW + 1
    outcomes = grade_here(Way(tmp_path), INFO, [SUBMISSION] * count, 1, ClassProgress(count))
    assert [outcome.what for outcome in outcomes] == [FAULT] * count
