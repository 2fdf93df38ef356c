"""Moodle's Virtual Programming Lab: what vpl_execution prints.

Format: vpl_submission.class.php of the plug-in. The last line that begins with `Grade :=>>` has the
grade; without one there is none. Between lines `<|--` and `--|>` stands the comment, in which a
line that begins with `-` is a title and one that begins with `>` is shown as it is. So each line of
a card begins with `>`, and none can be a tag.
"""
from __future__ import annotations

from grader.errors import MACHINE_FAULT
from grader.results import Results
from platforms.view import PASSED, View, card_of, conclusion, finished, was_refused

BEGIN, END, GRADE = "<|--", "--|>", "Grade :=>>"
COMMENT_MAX = 100_000
GRADE_MIN, GRADE_MAX = 0.0, 100.0


def export(results: Results, view: View) -> str | None:
    """Returns what is printed."""
    lines = [BEGIN, *_shown(conclusion(results)), *_comment(results, view), END]
    if results["status"] != MACHINE_FAULT:
        lines.append(f"{GRADE} {_grade(results, view):.2f}")
    return "\n".join(lines) + "\n"


def _comment(results: Results, view: View) -> list[str]:
    if was_refused(results) or results["status"] == MACHINE_FAULT:
        return []
    lines, left = [], COMMENT_MAX
    for test in finished(results):
        score = f"{test['score']} of {test['max_score']}"
        lines.append(f"-{test['id']}: {test['status']}, {score}")
        card = card_of(test, results["seed"]) if view.settings.shows_card(test) else ""
        if test["status"] != PASSED and card and len(card) <= left:
            lines += _shown(card)
            left -= len(card)
    return lines


def _shown(text: str) -> list[str]:
    """Returns the text as lines that are shown and never understood."""
    return [f"> {line}" for line in text.splitlines()]


def _grade(results: Results, view: View) -> float:
    """Returns the score in the activity's range of grades."""
    least = float(view.facts.get("grade_min") or GRADE_MIN)
    most = float(view.facts.get("grade_max") or GRADE_MAX)
    return least + (most - least) * results["score"] / max(results["max_score"], 1)
