"""A card for each test that failed: what was expected and seen, where, why probably, and how to see it again."""
from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from grader.display import display, shell_word
from grader.errors import InfraError
from grader.run import Result, Trial

WIDTH = 110
ROW_LINES = 30  # of what a submission brought about
TRANSCRIPT_COLUMNS, TRANSCRIPT_LINES = 4096, 20000
WHOLE = ("again", "files")  # rows that are there to be copied, so that no word is broken
LABEL = 12
CONSOLE_LINES = 6
ENDS = ("alive", "user", "identity", "killed")  # failures that where the machine stands may explain
TROUBLE = re.compile(r"scause|panic|killed|unexpected", re.IGNORECASE)
FIRMWARE_END = "Boot HART MEDELEG"


def console_tail(console: str, lines: int = CONSOLE_LINES) -> str:
    """Returns the last lines that the kernel printed, without the firmware's."""
    _, _, after = console.rpartition(FIRMWARE_END)
    kept = [line.rstrip() for line in after.split("\n")[1 if FIRMWARE_END in console else 0:] if line.strip()]
    return "\n".join(display(line, columns=WIDTH, lines=1) for line in kept[-lines:])


def paragraph(label: str, text: str) -> List[str]:
    """Returns the text, which can be shown, as lines behind a label."""
    breaks, lines = label not in WHOLE, []
    for line in text.split("\n"):
        lines += textwrap.wrap(
            line, WIDTH - LABEL, break_long_words=breaks, break_on_hyphens=False
        ) or [""]
    return [f"    {label if i == 0 else '':<{LABEL}}{line}".rstrip() for i, line in enumerate(lines)]


def save(trial: Trial, folder: Path) -> str:
    """Writes the transcript, the steps and the page map into the folder; returns where they are."""
    texts = {"console": trial.console, "steps": trial.history, "pages": trial.pages}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            shown = display(text, columns=TRANSCRIPT_COLUMNS, lines=TRANSCRIPT_LINES)
            (folder / f"{name}.txt").write_text(shown, encoding="utf-8")
    except OSError as error:
        raise InfraError(f"the transcripts cannot be written: {error}") from None
    return f"{shell_word(str(folder))}/{{console,steps,pages}}.txt"


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
    lines: List[str] = []
    for label, text in rows:
        lines += paragraph(label, text if label in WHOLE else display(text, lines=ROW_LINES))
    return "\n".join(lines)
