"""What is probably wrong in a submission, judged by how the faults of students' solutions show.

The first rule that fits gives the cause. A wrong cause is worse than none, so a rule asks for
evidence: words of what was expected, seen or done, and signs (signs.py). Where a simpler test shows
the same fault with less around it, that test's cause is given instead.
"""
from __future__ import annotations

from grader.run import Cause, Failure
from labs.cow.grading.rule import Rule
from labs.cow.grading.rules_ends import END_RULES
from labs.cow.grading.rules_entries import ENTRY_RULES
from labs.cow.grading.rules_machine import MACHINE_RULES
from labs.cow.grading.rules_pages import PAGE_RULES

STEPS_SEEN = 12  # of the last ones
CONSOLE_SEEN = 4000  # letters
RULES: list[Rule] = [*PAGE_RULES, *ENTRY_RULES, *END_RULES, *MACHINE_RULES]


def likely_cause(
    failure: Failure, signs: dict[str, str], console: str, history: str
) -> Cause | None:
    """Returns the likely cause, None if nothing is known."""
    facts = ", ".join(f"{name}={value}" for name, value in failure.facts.items())
    steps = history.rstrip("\n").split("\n")
    known = "\n".join([
        failure.expected, failure.seen, facts, console[-CONSOLE_SEEN:], *steps[-STEPS_SEEN:],
        f"last: {steps[-1]}",
    ])
    rule = next((rule for rule in RULES if rule.fits(failure, signs, known)), None)
    return None if rule is None else Cause(rule.name, rule.text, rule.simpler)
