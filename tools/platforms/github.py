"""GitHub Actions: the summary of a job, in Markdown."""
from __future__ import annotations

import html

from grader.results import Results, TestResult
from platforms.view import PASSED, View, card_of, conclusion, finished, was_refused

BYTES_MAX = 1_000_000  # GitHub refuses a summary of more than 1 MiB


def export(results: Results, view: View) -> str | None:
    """Returns the summary."""
    return summary(results, view, BYTES_MAX)


def summary(results: Results, view: View, most: int) -> str:
    """Returns a summary of at most so many bytes, in which cards are left out if need be."""
    text = f"## Copy-on-write\n\n{_pre(conclusion(results))}\n"
    if was_refused(results) or not finished(results):
        return text
    text += "\n| test | result | points |\n| --- | --- | --- |\n"
    text += "".join(_row(test) for test in results["tests"])
    for test in finished(results):
        if test["status"] == PASSED or not view.settings.shows_card(test):
            continue
        card = f"\n### {test['id']}\n\n{_pre(card_of(test, results['seed']))}\n"
        if len((text + card).encode()) <= most:
            text += card
    return text


def _row(test: TestResult) -> str:
    return f"| `{test['id']}` | {test['status']} | {test['score']}/{test['max_score']} |\n"


def _pre(text: str) -> str:
    """Returns the text as it is shown. Nothing in it is markup, and no empty line ends it."""
    return f"<pre>{html.escape(text)}</pre>"
