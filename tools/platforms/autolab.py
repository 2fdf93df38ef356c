"""Autolab: what the autograder prints.

Format: Autolab's documentation, "Guide for Lab Authors" and "Formatted Feedback". The last line has
the scores, the one before it a table of the tests; all that is printed before is shown as text. A
score of null is none: an output that cannot be read would be a zero.
"""
from __future__ import annotations

import json
from typing import Any

from grader.errors import MACHINE_FAULT
from grader.results import Results, TestResult
from platforms.view import (
    PASSED, REFUSED, View, card_of, conclusion, finished, hint_of, name_of, refusal, was_refused
)

TEXT_MAX = 300_000  # Autolab cuts what is longer than its limit, and with it the last line


def export(results: Results, view: View) -> str | None:
    """Returns what is printed."""
    text = "\n\n".join([*_cards(results, view), conclusion(results)])
    fault = results["status"] == MACHINE_FAULT
    scores = {
        "scores": {view.settings.own["problem"]: None if fault else results["score"]},
        "scoreboard": [] if fault else [results["score"]],
    }
    return "\n".join([_cut(text), _table(results, view), json.dumps(scores)]) + "\n"


def _cards(results: Results, view: View) -> list[str]:
    cards = []
    for test in finished(results):
        card = card_of(test, results["seed"]) if view.settings.shows_card(test) else ""
        if test["status"] != PASSED:
            cards.append(f"{name_of(test)}: failed\n{_indented(card)}".rstrip())
    return cards


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "\n[...]"


def _table(results: Results, view: View) -> str:
    """Returns the line with the table of tests, a stage for each part."""
    stages: dict[str, dict[str, Any]] = {}
    if was_refused(results):
        stages["Build"] = {REFUSED: {"passed": False, "hint": refusal(results)}}
    elif results["status"] != MACHINE_FAULT:
        titles = {part["part"]: f"{part['part']} {part['title']}" for part in results["parts"]}
        for test in results["tests"]:
            stages.setdefault(titles[test["part"]], {})[test["id"]] = _row(test, view)
    table: dict[str, Any] = {"_presentation": "semantic", "stages": list(stages)}
    return json.dumps({**table, **stages})


def _row(test: TestResult, view: View) -> dict[str, Any]:
    if test["status"] == PASSED:
        return {"passed": True}
    hint = hint_of(test) if view.settings.shows_card(test) else ""
    return {"passed": False, **({"hint": hint} if hint else {})}
