"""Errors that nobody foresaw."""
from __future__ import annotations

from pathlib import Path

import pytest
from classroom.record import ClassInfo, Submission
from classroom.unit import FAULT, Way, grade_submission


@pytest.mark.parametrize("step", ["resolve", "fingerprint"])
def test_an_error_of_ours_is_no_end_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whatever a submission makes of the code that looks at it, the others are graded."""
    def fail(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(f"classroom.unit.{step}", fail)
    (tmp_path / "results").mkdir()
    submission: Submission = {
        "id": "ada", "name": "", "login": "ada", "section": "", "source": "", "original": "",
        "submitted": "", "late_days": 0, "attempts": 1, "problem": "", "seed": 1,
    }
    info: ClassInfo = {
        "format": 1, "title": "", "parts": {}, "max_score": 0, "seed": 1, "grader": "",
        "tests": [], "deadline": "", "grace_days": 0, "words": [], "submissions": [submission],
    }
    outcome = grade_submission(Way(tmp_path), info, submission)
    results = outcome.record["results"]
    assert outcome.what == FAULT and not results["complete"]
    assert results["reason"] == "grade-cow itself failed: RecursionError: too deep"
