"""The results of a submission for which grade-cow has none."""
from __future__ import annotations

from classroom.record import ClassInfo, Submission, TestInfo
from grader.display import display
from grader.errors import MACHINE_FAULT
from grader.results import FORMAT, PartResult, Results, TestResult


def refused(info: ClassInfo, submission: Submission, status: str, reason: str) -> Results:
    """Returns results in which no test has run, and the reason."""
    return {
        "format": FORMAT,
        "source": display(submission["source"] or submission["original"], lines=1),
        "tree": "", "seed": submission["seed"], "status": status, "reason": display(reason),
        "complete": status != MACHINE_FAULT, "score": 0, "max_score": info["max_score"],
        "cpu_seconds": 0.0, "wall_seconds": 0.0, "parts": _parts(info),
        "tests": [_not_run(test) for test in info["tests"]], "protections": [], "missing": [],
    }


def _parts(info: ClassInfo) -> list[PartResult]:
    """Returns the parts that have tests."""
    parts: list[PartResult] = []
    for part, title in info["parts"].items():
        most = sum(test["points"] for test in info["tests"] if test["part"] == part)
        if most:
            parts.append({"part": part, "title": title, "score": 0, "max_score": most})
    return parts


def _not_run(test: TestInfo) -> TestResult:
    return {
        "id": test["id"], "part": test["part"], "shows": test["shows"], "score": 0,
        "max_score": test["points"], "status": "not run", "trials": 0, "failed_trials": [],
        "seconds": 0.0, "wall_seconds": 0.0, "cpu_seconds": 0.0, "cause": "", "card": [],
        "output": "", "page": None, "pages": [],
    }
