"""What is known of a class and of each student's grading: the files class.json and
results/ID.json of a report, from which all reports are made.

All text in them can be shown as it is (grader/display.py), but not yet as HTML or as a cell of a
table; only the paths and names that are needed to find files again are raw.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypedDict, cast

from grader.results import Results

FORMAT = 1
CLASS_FILE, RESULTS_FOLDER = "class.json", "results"


class Submission(TypedDict):
    """What is graded of a student, and how."""

    id: str  # unique in the class whatever the case, and safe as the name of a file
    name: str  # the student's, "" if it is not known
    login: str  # what the platform calls the student: a number, a login, an address
    section: str
    source: str  # raw: an absolute path, a git URL, path@revision; "" if nothing was handed in
    original: str  # raw: the name of the file or folder as the platform wrote it
    submitted: str  # when, as ISO 8601 with a zone; "" if it is not known
    late_days: int
    attempts: int  # how many were found that can be graded
    problem: str  # why nothing can be graded, "" otherwise; safe to show
    seed: int


class TestInfo(TypedDict):
    """A test of the lab."""

    id: str
    part: str
    points: int
    shows: str


class ClassInfo(TypedDict):
    """The file class.json."""

    format: int
    title: str  # of the lab
    parts: dict[str, str]
    tests: list[TestInfo]
    max_score: int
    seed: int
    grader: str  # the version
    deadline: str  # ISO 8601, or ""
    grace_days: int  # so many days after it, what is newest still counts
    words: list[str]  # options with which grade-cow grades each submission
    submissions: list[Submission]


class Key(TypedDict):
    """What a result depends on: it is graded again only if this changes."""

    input: str  # SHA-256 of what was handed in
    seed: int
    grader: str
    tests: list[str]


class Record(TypedDict):
    """The file results/ID.json."""

    format: int
    submission: Submission
    key: Key
    gradings: int  # how often it was started
    worker: str  # the machine
    finished: str  # ISO 8601
    memory_bytes: int  # the most that the grading's processes had together, 0 if unknown
    results: Results


def record_path(out: Path, identity: str) -> Path:
    """Returns where the record of a student is."""
    return out / RESULTS_FOLDER / f"{identity}.json"


def read_json(path: Path, shape: type) -> Any:
    """Reads a file of this shape; ValueError if it is not one, OSError if it cannot be read."""
    value = json.loads(path.read_text(encoding="utf-8"))
    missing = shape.__annotations__.keys() - (value.keys() if isinstance(value, dict) else ())
    if missing or value["format"] != FORMAT:
        raise ValueError(f"{path} is no {shape.__name__} of format {FORMAT}")
    return value


def read_class(out: Path) -> ClassInfo:
    """Reads class.json of a report."""
    return cast(ClassInfo, read_json(out / CLASS_FILE, ClassInfo))


def read_record(out: Path, identity: str) -> Record:
    """Reads results/ID.json."""
    return cast(Record, read_json(record_path(out, identity), Record))


def read_records(out: Path) -> list[Record]:
    """Reads the records of all students who are graded so far, in the order of the class."""
    records = []
    for submission in read_class(out)["submissions"]:
        try:
            records.append(read_record(out, submission["id"]))
        except (OSError, ValueError):
            continue
    return records
