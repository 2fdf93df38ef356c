"""Finds what matters on a console: the line with which the kernel gave up, and its details.

Kernels report trouble in different ways, and students in even more: the surest one counts.
"""
from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from firmware import after_firmware
from grader.display import display

LINE_MAX = 400  # letters of a line that are searched
COLUMNS, LINES = 110, 10  # of an excerpt
DETAILS_MAX = 3  # lines before a panic that belong to it
DETAIL = re.compile(r"\b(?:scause|sepc|stval)\b")
TRAP_ADDRESS = re.compile(r"\bsepc[ =:]*(?:0x)?([0-9a-fA-F]{8,16})\b")
TRAP_ADDRESSES_MAX = 4


@dataclass(frozen=True)
class Way:
    """A way to report that something went wrong; of several such lines the first or last counts."""

    pattern: re.Pattern[str]
    first: bool


WAYS = (  # the surest first
    Way(re.compile(r"(?:^|[\s:>\])])panic\s*[:!(]|^\W*panic\b|\bkernel panic\b", re.I), True),
    Way(re.compile(r"\bkerneltrap\b|^\s*scause\b"), True),
    Way(re.compile(r"\bassert\w*\b.*\bfail", re.I), True),
    Way(re.compile(r"\bunexpected scause\b|\(pid \d+\): killed\b|\bpid[ =]\d+.*\bkilled\b"), False),
    Way(
        re.compile(
            r"\b(?:fatal|bug|corrupt\w*|double free|already free"
            r"|(?:out of|no(?: free)?) (?:memory|frames?|pages?)"
            r"|ref(?:erence)?s?[ _]?(?:count|cnt)|error|fail(?:s|ed|ure)?|invalid|illegal)\b", re.I,
        ),
        False,
    ),
)
PANICS = 3  # the first three of these ways end a kernel


def own_lines(console: str) -> list[str]:
    """Returns the lines that the kernel printed, without the firmware's and without empty ones."""
    return [line.rstrip() for line in after_firmware(console).split("\n") if line.strip()]


def find_trouble(lines: list[str], ways: int = len(WAYS)) -> int | None:
    """Returns the number of the line that reports trouble in the surest of the first `ways`."""
    for way in WAYS[:ways]:
        hits = [i for i, line in enumerate(lines) if way.pattern.search(line[:LINE_MAX])]
        if hits:
            return hits[0 if way.first else -1]
    return None


def panic_text(console: str) -> str:
    """Returns the line with which the kernel gave up; "" if there is none."""
    lines = own_lines(console)
    found = find_trouble(lines, PANICS)
    return "" if found is None else lines[found].strip()


def excerpt(console: str, most: int = LINES) -> str:
    """Returns the lines that matter, as they can be shown; the last ones if none does."""
    lines = own_lines(console)
    found = find_trouble(lines)
    start = len(lines) if found is None else found
    before = lines[max(0, start - DETAILS_MAX):start] if found is not None else []
    start -= len(list(itertools.takewhile(DETAIL.search, reversed(before))))
    start = max(0, min(start, len(lines) - most))
    return "\n".join(display(line, columns=COLUMNS, lines=1) for line in lines[start:start + most])


def tells_trouble(console: str) -> bool:
    """Tells whether a line reports that something went wrong."""
    return find_trouble(own_lines(console)) is not None


def trap_addresses(console: str) -> list[int]:
    """Returns the addresses (`sepc`) of the last traps that the kernel reported."""
    lines = [line[:LINE_MAX] for line in own_lines(console)]
    found = [digits for line in lines for digits in TRAP_ADDRESS.findall(line)]
    return [int(digits, 16) for digits in found[-TRAP_ADDRESSES_MAX:]]
