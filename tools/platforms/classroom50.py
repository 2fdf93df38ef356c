"""Classroom 50: result.json in the student's checkout, and the text of the student's Release.

Format: Classroom 50's wiki, "Advanced Autograding". An autograder that ends with another status
than 0 is taken for a fault of the machine: the submission is listed as handed in, without a mark.
"""
from __future__ import annotations

import json
from typing import Any

from grader.errors import MACHINE_FAULT
from grader.results import Results
from platforms.github import summary
from platforms.view import PASSED, REFUSED, View, was_refused

SCHEMA = "classroom50/result/v1"
TESTS_MAX = 100
BODY_BYTES = 100_000  # GitHub refuses a Release whose text has more than 125,000 letters
FACTS = (
    "classroom", "assignment", "assignment_type", "owner", "submission", "commit", "release",
    "review", "datetime",
)


def export(results: Results, view: View) -> str | None:
    """Returns result.json; None if there must be none, because the machine is to blame."""
    if results["status"] == MACHINE_FAULT:
        return None
    value = {
        "schema": SCHEMA, **{name: view.facts[name] for name in FACTS},
        "score": results["score"], "max-score": results["max_score"], "tests": _tests(results),
    }
    return json.dumps(value, indent=1) + "\n"


def release_body(results: Results, view: View) -> str | None:
    """Returns release-body.md, which has the cards; None as for result.json."""
    return None if results["status"] == MACHINE_FAULT else summary(results, view, BODY_BYTES)


def _tests(results: Results) -> list[dict[str, Any]]:
    """Returns the tests, or the parts if there are too many tests."""
    if was_refused(results):
        return [_test(REFUSED, 0, results["max_score"], False)]
    if len(results["tests"]) > TESTS_MAX:
        return [
            _test(f"{part['part']}: {part['title']}", part["score"], part["max_score"],
                  part["score"] == part["max_score"])
            for part in results["parts"]
        ]
    return [
        _test(test["id"], test["score"], test["max_score"], test["status"] == PASSED)
        for test in results["tests"]
    ]


def _test(name: str, score: int, most: int, passed: bool) -> dict[str, Any]:
    return {"test-name": name, "passed": passed, "score": score, "max-score": most}
