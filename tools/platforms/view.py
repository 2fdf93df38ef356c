"""What an exporter needs beside the results, and the words that all platforms have in common."""
from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable, Optional

from grader.display import display
from grader.errors import GRADED, MACHINE_FAULT, RUNNING
from grader.results import Results, TestResult
from platforms.settings import Settings

NOT_YOUR_FAULT = (
    "The grading machine could not finish its work. This is not your fault, and there is no mark. "
    "Please hand in again later, or tell the course staff."
)
LEFT_OUT = ("files", "again")  # rows of a card that name paths of the grading machine
REFUSED = "The submission is read and built"
WIDTH, LABEL = 96, 11
CARD_COLUMNS, CARD_LINES = 300, 120
PASSED, NOT_RUN = "passed", "not run"


@dataclass(frozen=True)
class View:
    """The settings, what the platform says of the submission, and a test's page map as a PNG
    file."""

    settings: Settings
    facts: Mapping[str, str] = field(default_factory=dict)
    picture: Callable[[TestResult], Optional[bytes]] = lambda test: None


def was_refused(results: Results) -> bool:
    """Tells whether the submission could not be read, built or started."""
    return results["status"] not in (GRADED, RUNNING, MACHINE_FAULT)


def refusal(results: Results) -> str:
    """Says why a submission is not graded."""
    return display(results["reason"])


def finished(results: Results) -> list[TestResult]:
    """Returns the tests that have run."""
    return [test for test in results["tests"] if test["status"] != NOT_RUN]


def headline(results: Results) -> str:
    """Says in a sentence what became of the submission."""
    if results["status"] == RUNNING:
        return (
            f"Not finished: {len(finished(results))} of {len(results['tests'])} tests have run. If "
            "this stays so, the grading was stopped, which is not your fault."
        )
    if results["status"] == MACHINE_FAULT:
        return NOT_YOUR_FAULT
    score = f"Score: {results['score']}/{results['max_score']}"
    return f"{score} ({results['status']})" if was_refused(results) else score


def conclusion(results: Results) -> str:
    """Says what became of the submission, and why if it is not graded."""
    return f"{headline(results)}\n{refusal(results)}" if was_refused(results) else headline(results)


def name_of(test: TestResult) -> str:
    """Returns a test's name as people read it."""
    return f"{test['id']}: {test['shows']}"


def card_of(test: TestResult, seed: int) -> str:
    """Returns why a test failed, as lines of text; "" if it did not fail."""
    rows = [(label, text) for label, text in test["card"] if label not in LEFT_OUT]
    if rows:
        rows.append(("again", f"./grade-cow --seed {seed} {test['id']}"))
    lines: list[str] = []
    for label, text in rows:
        shown = display(text, columns=CARD_COLUMNS, lines=CARD_LINES)
        for line in shown.split("\n"):
            for piece in textwrap.wrap(line, WIDTH - LABEL) or [""]:
                lines.append(f"{label:<{LABEL}}{piece}".rstrip())
                label = ""
    return "\n".join(lines)


def hint_of(test: TestResult) -> str:
    """Returns in one line what is probably wrong, or what was seen; "" if the test did not fail."""
    rows = dict(test["card"])
    return display(rows.get("likely") or rows.get("seen") or "", lines=1)
