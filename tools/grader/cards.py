"""A card for each test that failed: what was expected and seen, where, why probably, and how to see it again."""
from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from grader.run import Result, Trial

WIDTH = 110
LABEL = 12
CONSOLE_LINES = 6
ENDS = ("alive", "user", "identity", "killed")  # failures that where the machine stands may explain
TROUBLE = re.compile(r"scause|panic|killed|unexpected", re.IGNORECASE)
FIRMWARE_END = "Boot HART MEDELEG"


def console_tail(console: str, lines: int = CONSOLE_LINES) -> str:
    """Returns the last lines that the kernel printed, without the firmware's."""
    _, _, after = console.rpartition(FIRMWARE_END)
    kept = [line.rstrip() for line in after.splitlines()[1 if FIRMWARE_END in console else 0:] if line.strip()]
    return "\n".join(line[:WIDTH] for line in kept[-lines:])


def paragraph(label: str, text: str) -> List[str]:
    """Returns the text as lines behind a label."""
    lines: List[str] = []
    for line in text.splitlines() or [""]:
        lines += textwrap.wrap(line, WIDTH - LABEL, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"    {label if i == 0 else '':<{LABEL}}{line}".rstrip() for i, line in enumerate(lines)]


def save(trial: Trial, folder: Path) -> str:
    """Writes the transcript, the steps and the page map into the folder; returns where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("console.txt", trial.console), ("steps.txt", trial.history), ("pages.txt", trial.pages)):
        (folder / name).write_text(text, encoding="utf-8", errors="replace")
    return f"{folder}/{{console,steps,pages}}.txt"


def make_card(result: Result, invariants: Dict[str, str], again: str, folder: Optional[Path]) -> str:
    """Returns the card of a test that failed; transcript and page map go into the folder."""
    number = result.failed[0]
    trial = result.trials[number]
    failure = trial.failure
    assert failure is not None
    rows: List[Tuple[str, str]] = [
        ("shows", result.test.shows), ("expected", failure.expected), ("seen", failure.seen),
        ("invariant", invariants.get(failure.invariant, failure.invariant)),
    ]
    place = [f"page {failure.page:#x}"] if failure.page is not None else []
    place += [failure.process] if failure.process else []
    if place:
        rows.append(("where", ", ".join(place)))
    if failure.invariant in ENDS and trial.where and trial.where not in failure.seen:
        rows.append(("machine", trial.where))
    if console_tail(trial.console) and (failure.invariant in ENDS or TROUBLE.search(trial.console)):
        rows.append(("console", console_tail(trial.console)))
    if trial.cause:
        rows.append(("likely", trial.cause))
    if len(result.trials) > 1:
        rows.append(
            ("trials", f"{len(result.failed)} of {len(result.trials)} failed: {', '.join(map(str, result.failed))}")
        )
    if len(result.trials) > 1 or result.test.only is not None:
        again += f" --trial {number}"
    rows.append(("again", again))
    if folder is not None:
        rows.append(("files", save(trial, folder)))
    return "\n".join(line for label, text in rows for line in paragraph(label, text))
