"""How far a run is: a bar below what is printed if that goes to a terminal, nothing elsewhere."""
from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar


class Progress:
    """Counts what is done, and prints text above the bar. A context manager."""

    def __init__(self, what: str, total: int) -> None:
        # Not FORCE_COLOR decides, which some set for all programs, but where the output goes.
        self.console = Console(highlight=False, force_terminal=sys.stdout.isatty())
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.bar = Bar(
            *columns, console=self.console, transient=True, disable=not self.console.is_terminal
        )
        self.task = self.bar.add_task(what, total=total)

    def __enter__(self) -> "Progress":
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()

    def done(self) -> None:
        """One more is done."""
        self.bar.advance(self.task)

    def print(self, text: str = "") -> None:
        """Prints text as it is: a terminal wraps long lines itself."""
        if self.bar.live.is_started:
            self.console.print(text, markup=False, emoji=False, soft_wrap=True)
        else:
            print(text, flush=True)
