"""PrairieLearn: /grade/results/results.json.

Format: PrairieLearn's documentation, "External grading". What cannot be graded, whoever is to
blame, is `gradable: false`: no points are given or taken, and the attempt does not count.
"""
from __future__ import annotations

import base64
import json
from typing import Any

from grader.errors import MACHINE_FAULT
from grader.results import Results
from platforms.view import (
    NOT_YOUR_FAULT, View, card_of, finished, headline, refusal, was_refused
)

BYTES_MAX = 1_000_000
TEXT_BYTES = 600_000  # of all cards; the rest is for pictures
CUT = "\n[...]"


def export(results: Results, view: View) -> str | None:
    """Returns results.json, which is never larger than PrairieLearn reads."""
    if results["status"] == MACHINE_FAULT or was_refused(results):
        fault = results["status"] == MACHINE_FAULT
        why = NOT_YOUR_FAULT if fault else refusal(results)
        return _text({"gradable": False, "format_errors": [why], "message": why})
    value: dict[str, Any] = {
        "gradable": True, "score": results["score"] / max(results["max_score"], 1),
        "message": headline(results), "tests": _tests(results, view),
    }
    _add_pictures(value, results, view)
    return _text(value)


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1) + "\n"


def _tests(results: Results, view: View) -> list[dict[str, Any]]:
    """Returns the tests; cards are cut as much as needed."""
    share = TEXT_BYTES // max(len(results["tests"]), 1)
    tests = []
    for test in finished(results):
        card = card_of(test, results["seed"]) if view.settings.shows_card(test) else ""
        tests.append({
            "name": test["id"], "description": test["shows"],
            "points": test["score"], "max_points": test["max_score"],
            "message": test["status"], "output": _cut(card, share),
        })
    return tests


def _cut(text: str, size: int) -> str:
    """Returns the beginning of a text that takes at most so many bytes in the file."""
    shown = text
    while len(json.dumps(shown)) > size:
        shown = shown[:len(shown) // 2]
    return shown if shown == text else shown + CUT


def _add_pictures(value: dict[str, Any], results: Results, view: View) -> None:
    """Adds page maps as long as there is room."""
    left = BYTES_MAX - len(_text(value))
    for shown, test in zip(value["tests"], finished(results)):
        picture = view.picture(test) if view.settings.shows_card(test) else None
        if not picture:
            continue
        data = base64.b64encode(picture).decode()
        images = [{"label": "page map", "url": f"data:image/png;base64,{data}"}]
        size = len(json.dumps(images)) + 100  # with the spaces of the layout
        if size <= left:
            shown["images"] = images
            left -= size
