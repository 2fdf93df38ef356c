"""A card for each test that failed: what was expected, what was seen and where, what is probably
wrong, and how to see it again."""
from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from grader import console
from grader.decode import CALLED_FROM, TRAP_FROM
from grader.display import display, shell_word
from grader.errors import InfraError
from grader.results import ProcessPages
from grader.run import Failure, Result, Trial

Row = tuple[str, str]  # label and text

WIDTH = console.COLUMNS
ROW_LINES = 30  # of text that a submission can influence
TRANSCRIPT_COLUMNS, TRANSCRIPT_LINES = 4096, 20000
WHOLE = ("again", "files")  # rows to copy and paste: no word is broken
LABEL = 12
FLAGS = "VRWXUGAD"  # of an entry, in the order of its bits
# Failures that the state of the machine may explain.
ENDS = ("alive", "user", "identity", "killed")
PANIC_FUNCTION = re.compile(r", in \w*panic\w*\b")


def paragraph(label: str, text: str) -> list[str]:
    """Returns the text, which can be shown, as lines after a label."""
    breaks, lines = label not in WHOLE, []
    for line in text.split("\n"):
        lines += textwrap.wrap(
            line, WIDTH - LABEL, break_long_words=breaks, break_on_hyphens=False
        ) or [""]
    return [
        f"    {label if i == 0 else '':<{LABEL}}{line}".rstrip() for i, line in enumerate(lines)
    ]


def save(trial: Trial, folder: Path) -> str:
    """Writes the transcript, the steps and the page map into the folder; returns where they are."""
    pages = pages_text(trial.pages)
    texts = {"console": trial.console, "steps": trial.history, "pages": pages}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            shown = display(text, columns=TRANSCRIPT_COLUMNS, lines=TRANSCRIPT_LINES)
            (folder / f"{name}.txt").write_text(shown, encoding="utf-8")
    except OSError as error:
        raise InfraError(f"the transcripts cannot be written: {error}") from None
    return f"{shell_word(str(folder))}/{{console,steps,pages}}.txt"


def pages_text(processes: Sequence[ProcessPages]) -> str:
    """Returns a page map as text, a line for each page."""
    lines = []
    for process in processes:
        table = f"page table at {process['root']:#x}"
        lines.append(f"{process['name']} (pid {process['pid']}), {table}")
        lines += [f"  {process['problem']}"] if process["problem"] else []
        for row in process["pages"]:
            letters = "".join(name if name in row["flags"] else "-" for name in FLAGS)
            lines.append(f"  {row['va']:#014x} -> {row['pa']:#x}  {letters}  rsw {row['rsw']:02b}")
        lines += [f"  and {process['left_out']} more"] if process["left_out"] else []
    return "\n".join(lines) + "\n"


def make_card(
    result: Result, invariants: dict[str, str], again: str, folder: Path | None
) -> list[Row]:
    """Returns the rows of the card of a test that failed, which can be shown; transcript and page
    map go into the folder."""
    number = result.failed[0]
    trial = result.trials[number]
    failure = trial.failure
    assert failure is not None
    rows = [("shows", result.test.shows)]
    rows += end_rows(trial) if failure.invariant in ENDS else []
    rows += evidence_rows(failure, invariants)
    said = console.excerpt(trial.console)
    if said and (failure.invariant in ENDS or console.tells_trouble(trial.console)):
        rows.append(("console", said))
    rows += [("likely", trial.cause.text)] if trial.cause else []
    if len(result.trials) > 1:
        failed = ", ".join(map(str, result.failed))
        rows.append(("trials", f"{len(result.failed)} of {len(result.trials)} failed: {failed}"))
    if len(result.trials) > 1 or result.test.only is not None:
        again += f" --trial {number}"
    rows.append(("again", again))
    rows += [("files", save(trial, folder))] if folder is not None else []
    return [(k, text if k in WHOLE else display(text, lines=ROW_LINES)) for k, text in rows]


def card_text(rows: Sequence[Row]) -> str:
    """Returns the card as it is printed."""
    return "\n".join(line for label, text in rows for line in paragraph(label, text))


def evidence_rows(failure: Failure, invariants: dict[str, str]) -> list[Row]:
    """Returns what was expected, what was seen, and where."""
    place = [f"page {failure.page:#x}"] if failure.page is not None else []
    place += [failure.process] if failure.process else []
    rows = [
        ("expected", failure.expected), ("seen", failure.seen),
        ("invariant", invariants.get(failure.invariant, failure.invariant)),
    ]
    return rows + ([("where", ", ".join(place))] if place else [])


def end_rows(trial: Trial) -> list[Row]:
    """Returns the state of the machine: first why and where it panicked, if it did."""
    text, calls, harts = console.panic_text(trial.console), [], trial.where.split("\n")
    if text:
        calls = [line for line in harts if line.startswith(TRAP_FROM)] + panic_calls(harts)
        harts = [line for line in harts if line not in calls]
    rows = [("panic", "\n".join([text, *calls]))] if text else []
    return rows + ([("machine", "\n".join(harts))] if trial.where else [])


def panic_calls(where: list[str]) -> list[str]:
    """Returns the calls that led to a panic, from the report of where the harts are."""
    panicked = [i for i, line in enumerate(where) if PANIC_FUNCTION.search(line)]
    after = where[panicked[-1] + 1:] if panicked else []
    return list(itertools.takewhile(lambda line: line.startswith(CALLED_FROM), after))
