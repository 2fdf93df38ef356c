"""How far a class is: a bar on a terminal, and a line for each student."""
from __future__ import annotations

import sys
import threading

from classroom.unit import FAULT, KEPT, Outcome
from grader.display import display
from grader.errors import GRADED
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.progress import TimeElapsedColumn, TimeRemainingColumn

REASON_COLUMNS = 160


class ClassProgress:
    """Counts the submissions that are done, running and failed. A context manager; threads may
    share it."""

    def __init__(self, total: int) -> None:
        self.console = Console(
            highlight=False, markup=False, emoji=False, force_terminal=sys.stdout.isatty()
        )
        self.bar = Progress(
            TextColumn("graded"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[running]} running, {task.fields[faults]} failed"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
            console=self.console, transient=True,
        )
        self.total, self.number = total, 0
        self.faults = 0
        self._running: set[str] = set()
        self._lock = threading.Lock()
        self.task = self.bar.add_task("class", total=total, running=0, faults=0)

    def __enter__(self) -> "ClassProgress":
        if self.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.console.is_terminal:
            self.bar.stop()

    def start(self, identity: str) -> None:
        """A submission is being graded."""
        with self._lock:
            self._running.add(identity)
            self.bar.update(self.task, running=len(self._running))

    def stop(self, identity: str) -> None:
        """A submission is no longer being graded."""
        with self._lock:
            self._running.discard(identity)
            self.bar.update(self.task, running=len(self._running))

    def count_running(self, number: int) -> None:
        """So many submissions are being graded on other machines."""
        self.bar.update(self.task, running=number)

    def done(self, outcome: Outcome) -> None:
        """Tells of a submission; of one that was graded before only the bar does."""
        self.number += 1
        self.faults += outcome.what == FAULT
        self.bar.update(self.task, advance=1, faults=self.faults)
        if outcome.what != KEPT:
            self.say(f"[{self.number}/{self.total}] {line_of(outcome)}")

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        if self.bar.live.is_started:
            self.console.print(text, soft_wrap=True)
        else:
            print(text, flush=True)


def line_of(outcome: Outcome) -> str:
    """Returns a student's result in a line."""
    submission, results = outcome.record["submission"], outcome.record["results"]
    points = f"{results['score']}/{results['max_score']}"
    if results["status"] == GRADED:
        return f"{submission['id']}: {points}"
    reason = display(" ".join(results["reason"].split()), columns=REASON_COLUMNS, lines=1)
    verdict = "not graded" if outcome.what == FAULT else f"{points}, {results['status']}"
    return f"{submission['id']}: {verdict}: {reason}"
