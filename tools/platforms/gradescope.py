"""Gradescope: /autograder/results/results.json.

Format: gradescope-autograders.readthedocs.io, "Autograder Specifications". A result that is missing
is what Gradescope itself takes for a fault of the autograder, and gives no mark for.
"""
from __future__ import annotations

import base64
import html
import json
from typing import Any

from grader.errors import MACHINE_FAULT
from grader.results import Results, TestResult
from platforms.settings import STDOUT
from platforms.view import (
    NOT_RUN, PASSED, REFUSED, View, card_of, headline, name_of, refusal, was_refused
)

PICTURE_BYTES = 3_000_000  # of all pictures together


def export(results: Results, view: View) -> str | None:
    """Returns results.json; None if there must be none, because the machine is to blame."""
    if results["status"] == MACHINE_FAULT:
        return None
    visibility = view.settings.visibility
    output = [headline(results), *([view.facts["late"]] if view.facts.get("late") else [])]
    value = {
        "output": "\n".join(output), "output_format": "text",
        "stdout_visibility": visibility.get(STDOUT, "hidden"),
        "execution_time": round(results["wall_seconds"]),
        "extra_data": {
            "tree": results["tree"], "seed": results["seed"], "status": results["status"],
            "complete": results["complete"], "missing": results["missing"],
        },
        "tests": _tests(results, view),
    }
    if not value["tests"]:  # yet: otherwise there must be a score
        value["score"] = 0
    return json.dumps(value, indent=1) + "\n"


def _tests(results: Results, view: View) -> list[dict[str, Any]]:
    if was_refused(results):
        return [{
            "name": REFUSED, "score": 0, "max_score": results["max_score"], "status": "failed",
            "output": refusal(results), "output_format": "text", "visibility": "visible",
        }]
    tests, left = [], PICTURE_BYTES
    for number, test in enumerate(results["tests"], start=1):
        if test["status"] == NOT_RUN:
            continue
        picture = view.picture(test) or b""
        picture = picture if len(picture) <= left else b""
        left -= len(picture)
        tests.append(_test(test, results["seed"], f"{test['part']}.{number}", view, picture))
    return tests


def _test(
    test: TestResult, seed: int, number: str, view: View, picture: bytes
) -> dict[str, Any]:
    card = card_of(test, seed)
    return {
        "name": name_of(test), "number": number, "name_format": "text",
        "score": test["score"], "max_score": test["max_score"],
        "status": "passed" if test["status"] == PASSED else "failed",
        "output": _with_picture(card, picture) if picture else card,
        "output_format": "html" if picture else "text",
        "visibility": view.settings.visibility_of(test), "tags": [f"part {test['part']}"],
    }


def _with_picture(card: str, picture: bytes) -> str:
    data = base64.b64encode(picture).decode()
    image = f'<img alt="the page map" src="data:image/png;base64,{data}">'
    return f"<pre>{html.escape(card)}</pre>\n{image}"
