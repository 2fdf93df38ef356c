"""The results of a submission, as --json writes them: their shape, and how the file is written and
read.

Whatever shows how a submission did, for people or for a platform, is made from these results alone.
All text in them can be shown as it is (display.py), but not yet as HTML or as a cell of a table.
"""
from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict, cast

from grader.errors import InfraError

FORMAT = 1
MAP_PROCESSES, MAP_PAGES = 12, 48  # that the results show, of all the pages that were looked at


class PageRow(TypedDict):
    """A page of a process: its virtual and its physical address, the letters of VRWXUGAD that are
    set in its entry, and the two bits for software."""

    va: int
    pa: int
    flags: str
    rsw: int


class ProcessPages(TypedDict):
    """The pages of a process, in the order of their addresses, and how many more there are; or the
    problem with its page table, whose root is at this physical address."""

    name: str
    pid: int
    root: int
    pages: list[PageRow]
    left_out: int
    problem: str


class PartResult(TypedDict):
    """The points of a part."""

    part: str
    title: str
    score: int
    max_score: int


class TestResult(TypedDict):
    """A test's verdict; `card`, `output`, `page` and `pages` say more if it failed."""

    id: str
    part: str
    shows: str
    score: int
    max_score: int
    status: str  # "passed", "failed" or "not run"
    trials: int
    failed_trials: list[int]
    seconds: float
    wall_seconds: float
    cpu_seconds: float
    cause: str  # the name of the likely cause
    card: list[tuple[str, str]]  # labels and texts
    output: str  # the card as it is printed
    page: int | None  # the address that the failure is about
    pages: list[ProcessPages]  # when it failed


class Results(TypedDict):
    """The results of a submission."""

    format: int
    source: str
    tree: str
    seed: int
    status: str  # one of the words in errors.py
    reason: str  # why it is not graded
    complete: bool
    score: int
    max_score: int
    cpu_seconds: float
    wall_seconds: float
    protections: list[str]  # what was between the submission and the machine: "name: means"
    missing: list[str]  # what was not: "name: reason"
    parts: list[PartResult]
    tests: list[TestResult]


def write_json(path: Path, value: object, private: bool = False) -> None:
    """Writes a file that readers see whole, the old one or the new one, never a part; a device or a
    pipe is written to directly. InfraError if it cannot be written. A private file is readable for
    its owner alone."""
    text = json.dumps(value, indent=1) + "\n"
    is_special = path.exists() and not path.is_file()
    temporary = path if is_special else path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        if not is_special:
            temporary.touch(0o600 if private else 0o666)
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        if not is_special:
            temporary.unlink(missing_ok=True)
        raise InfraError(f"the results cannot be written: {error}") from None


def read_results(path: Path) -> Results:
    """Reads a file of results; ValueError if it is none, or of another format, OSError if it cannot
    be read."""
    value: Any = json.loads(path.read_text(encoding="utf-8"))
    missing = Results.__annotations__.keys() - (value.keys() if isinstance(value, dict) else ())
    if missing or value["format"] != FORMAT:
        raise ValueError(f"{path} holds no results of format {FORMAT}")
    return cast(Results, value)


def shorten_map(processes: Sequence[ProcessPages], page: int | None) -> list[ProcessPages]:
    """Returns the part of a page map that the results show: of each process the pages nearest to
    the one that the failure is about, or else the first ones."""
    shown = []
    for process in processes[:MAP_PROCESSES]:
        rows = sorted(process["pages"], key=lambda row: abs(row["va"] - (page or 0)))[:MAP_PAGES]
        short = process.copy()
        short["pages"] = sorted(rows, key=lambda row: row["va"])
        short["left_out"] += len(process["pages"]) - len(rows)
        shown.append(short)
    return shown
