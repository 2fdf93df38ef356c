"""Makes the plan of a class: who is graded, what of them, and with which tests."""
from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from classroom.finder import Found, find_submissions
from classroom.fingerprint import grader_version
from classroom.gradescope_export import find_metadata, read_export
from classroom.listing import BadList, read_list
from classroom.options import ClassOptions, grading_words
from classroom.record import FORMAT, ClassInfo, read_class
from classroom.selection import SEEDS, Rules, select
from classroom.times import iso
from grader.run import Lab, Test


def read_submissions(place: Path) -> Found:
    """Finds what was handed in; BadList if that makes no sense or if there is nothing."""
    try:
        found = _find(place)
    except OSError as error:
        raise BadList(f"{place} cannot be read: {error.strerror}") from None
    if not found.attempts:
        raise BadList(
            f"{place} holds no submissions: expected archives, or folders with sources in them"
        )
    return found


def _find(place: Path) -> Found:
    if place.is_file():
        return read_list(place)
    metadata = find_metadata(place)
    return read_export(metadata) if metadata else find_submissions(place)


def make_plan(
    options: ClassOptions, found: Found, lab: Lab, title: str, tests: Sequence[Test]
) -> ClassInfo:
    """Returns the plan; the seed is that of an earlier run unless one is given."""
    seed = options.seed if options.seed is not None else earlier_seed(options.out)
    rules = Rules(options.deadline, options.grace_days, options.file_times)
    return {
        "format": FORMAT, "title": title, "parts": lab.PARTS,
        "tests": [
            {"id": test.id, "part": test.part, "points": test.points, "shows": test.shows}
            for test in tests
        ],
        "max_score": sum(test.points for test in tests), "seed": seed,
        "grader": grader_version(), "deadline": iso(options.deadline),
        "grace_days": options.grace_days, "words": grading_words(options),
        "submissions": select(found.attempts, rules, seed),
    }


def earlier_seed(out: Path) -> int:
    """Returns the seed of the report that is there, or a new one."""
    try:
        return read_class(out)["seed"]
    except (OSError, ValueError):
        return random.SystemRandom().randrange(SEEDS)
