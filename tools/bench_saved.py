"""The benchmark's saved numbers: how they are kept, and what a comparison with them finds.

tests/bench.json has the instructions of each row, and names the tools that they depend on, the
compiler and QEMU with its firmware. It is written on purpose only, by `make bench-save`.
"""
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from products import ROOT

SAVED = ROOT / "tests/bench.json"
LIMIT = 0.05  # a row may have so many more instructions than were saved
LIMIT_OF_OTHER_TOOLS = 1.0
REMEDY = "`make bench-save` saves what is measured now"


class SavedProblem(Exception):
    """There are no saved numbers, or they cannot be read."""


@dataclass(frozen=True)
class Numbers:
    """The instructions of each row, and the tools with which they were counted."""

    tools: str
    instructions: Mapping[str, int]


@dataclass(frozen=True)
class Comparison:
    """What a comparison finds: problems make it fail, remarks do not."""

    problems: list[str]
    remarks: list[str]


def read_saved(path: Path) -> Numbers:
    """Reads the saved numbers."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        numbers = {str(name): int(count) for name, count in data["instructions"].items()}
        return Numbers(str(data["tools"]), numbers)
    except FileNotFoundError:
        raise SavedProblem(f"there are no saved numbers: {REMEDY}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SavedProblem(f"{path} cannot be read ({error!r}): {REMEDY}") from None


def write_saved(now: Numbers, path: Path) -> None:
    """Saves the numbers."""
    data = {"tools": now.tools, "instructions": dict(now.instructions)}
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def compare(saved: Numbers, now: Numbers) -> Comparison:
    """Compares each row. Counts are whole numbers, so one instruction more is never a problem."""
    problems, remarks = [], []
    limit = LIMIT
    if now.tools != saved.tools:
        limit = LIMIT_OF_OTHER_TOOLS
        remarks.append(
            f"the saved numbers are of {saved.tools}, these are of {now.tools}: "
            f"up to {limit:.0%} more instructions pass"
        )
    for name in {**saved.instructions, **now.instructions}:
        before, count = saved.instructions.get(name), now.instructions.get(name)
        if before is None:
            problems.append(f"{name}: measured, but not saved: {REMEDY}")
        elif count is None:
            problems.append(f"{name}: saved, but not measured; if it is no longer a row, {REMEDY}")
        elif count > max(before * (1 + limit), before + 1):
            problems.append(f"{name}: {change(before, count)}; if this must be, {REMEDY}")
        elif count < min(before * (1 - limit), before - 1):
            remarks.append(f"{name}: {change(before, count)}; {REMEDY}")
    return Comparison(problems, remarks)


def change(before: int, now: int) -> str:
    """Says what was saved, what is measured, and the difference in percent."""
    percent, word = 100 * abs(now - before) / max(before, 1), "more" if now > before else "fewer"
    return f"saved {before:,}, now {now:,}, {percent:.1f} % {word}"
