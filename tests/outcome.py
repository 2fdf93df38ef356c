"""The outcome of a check."""
from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """Numbers of tests, and the messages of those that failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    problems: str = ""

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped,
            "\n".join(text for text in (self.problems, other.problems) if text),
        )


def counts(text: str) -> tuple[int, int, int] | None:
    """Returns the numbers of the last line "N passed, M failed[, K skipped]"."""
    lines = SUMMARY.findall(text)
    if not lines:
        return None
    passed, failed, skipped = lines[-1]
    return int(passed), int(failed), int(skipped or 0)


def junit_outcome(xml: str) -> Outcome:
    """Returns the numbers in the report that pytest writes with --junitxml."""
    number = {key: 0 for key in ("tests", "failures", "errors", "skipped")}
    for suite in ElementTree.fromstring(xml).iter("testsuite"):
        number = {key: n + int(suite.get(key, 0)) for key, n in number.items()}
    failed = number["failures"] + number["errors"]
    return Outcome(number["tests"] - failed - number["skipped"], failed, number["skipped"])
