"""A round of work for Slurm: which submissions each task grades, in a folder REPORT/slurm/N that
all machines share.

The folder has batches.json, the script that tasks run, a log of each task, and in done/ an empty
file for each student whose result is there. That file says more than the result's own: it was
looked at by a worker in this round, so it is not an old one.
"""
from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from classroom.shared import refresh
from classroom.slurm_task import BATCHES, DONE
from grader.display import display
from products import ROOT

SCRIPT = "task.sh"
SCRIPT_TEXT = b"""#!/bin/sh
# Grades a batch of submissions: the one of this task's number, counted from $1 on (docs/scale.md).
python=$(IMPORTS='elftools rich' sh %(find)s) || exit
exec "$python" %(task)s %(worker)s %(out)s . $(($1 + SLURM_ARRAY_TASK_ID))
"""
PER_TASK_MAX = 8  # unless somebody asks for more: some minutes of work
TAIL_BYTES = 4000
LOGS_SHOWN = 3
PROBE_BYTES = 1 << 20  # less space than that is none


def choose_size(count: int, throttle: int) -> int:
    """Returns how many submissions a task grades: one if all can be graded at once, and otherwise
    more, since a task that is started costs a node about two seconds."""
    return max(1, min(PER_TASK_MAX, -(-count // throttle)))


def split(identities: Sequence[str], per_task: int) -> list[list[str]]:
    """Returns the batches: as few as possible, of nearly the same size."""
    count = -(-len(identities) // per_task)
    return [list(identities[number::count]) for number in range(count)]


def quote(path: Path) -> bytes:
    """Returns a path as a word for the shell."""
    return shlex.quote(str(path)).encode("utf-8", "surrogateescape")


class Round:
    """A folder of a round."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / SCRIPT

    @classmethod
    def newest(cls, parent: Path) -> Round | None:
        """Returns the newest round below a folder, if there is one."""
        numbers = [int(path.name) for path in parent.glob("[0-9]*") if path.name.isdigit()]
        return cls(parent / str(max(numbers))) if numbers else None

    @classmethod
    def create(cls, out: Path, batches: Sequence[Sequence[str]], worker: Path) -> Round:
        """Writes down a new round; OSError if that is not possible."""
        parent = out / "slurm"
        last = cls.newest(parent)
        made = cls(parent / str(int(last.folder.name) + 1 if last else 1))
        (made.folder / DONE).mkdir(parents=True)
        (made.folder / BATCHES).write_text(json.dumps(batches) + "\n", encoding="utf-8")
        made.script.write_bytes(SCRIPT_TEXT % {
            b"find": quote(ROOT / "tools/find-python"), b"worker": quote(worker),
            b"task": quote(Path(__file__).with_name("slurm_task.py")), b"out": quote(out),
        })
        return made

    def batches(self) -> list[list[str]]:
        """Returns the batches."""
        value: list[list[str]] = json.loads((self.folder / BATCHES).read_text(encoding="utf-8"))
        return value

    def done(self) -> set[str]:
        """Returns the students whose results are there."""
        names = (path.name for path in (self.folder / DONE).iterdir())
        return {name for name in names if not name.startswith(".")}

    def refresh(self) -> None:
        """Makes sure that all marks are seen; OSError if there is no space left in this folder."""
        refresh(self.folder / DONE, PROBE_BYTES)

    def complaints(self) -> list[str]:
        """Returns what some of the tasks that did not end well said last, or what Slurm said about
        these, with the names of their logs."""
        found = []
        for log in sorted(self.folder.glob("*_*.log")):
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - TAIL_BYTES))
                lines = file.read().decode("utf-8", "replace").strip().split("\n")
            if lines[-1] != "all done":
                telling = [line for line in lines if line.startswith("slurmstepd: error")] or lines
                name = f"{self.folder.parent.name}/{self.folder.name}/{log.name}"
                found.append(f"{name}: {display(telling[-1], lines=1) or '(nothing)'}")
        more = [f"and {len(found) - LOGS_SHOWN} more"] if len(found) > LOGS_SHOWN else []
        return found[:LOGS_SHOWN] + more
