"""What is asked of Slurm: to queue arrays of tasks under one name, and to tell which tasks of that
name there are. Only its usual commands are needed (sbatch, squeue), and no accounting."""
from __future__ import annotations

import os
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from command import Done, run
from grader.display import display_message, display_name
from grader.errors import InfraError

ARRAY_SIZE_MAX = 1001  # Slurm's own, where scontrol does not tell
SECONDS = 300.0  # in which a controller that is busy answers
WAITING = ("PD", "RQ", "RH", "RD", "RF", "SE")  # states of tasks that have no node


class SlurmError(InfraError):
    """Slurm does not do what is asked of it; the message says why, and what to do."""


@dataclass(frozen=True)
class Tasks:
    """How many tasks there are in the queue, and why those wait that do: Slurm's words for it."""

    running: int
    waiting: int
    reasons: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        """Returns how many have not ended."""
        return self.running + self.waiting


@dataclass(frozen=True)
class Wishes:
    """What an array needs: how many tasks may run at a time, how many minutes each, and options for
    sbatch, which win over ours."""

    throttle: int
    minutes: int
    extra: Sequence[str] = ()


class Queue:
    """The tasks of one name in Slurm's queue. SlurmError if its commands are not installed."""

    def __init__(self, name: str) -> None:
        self.name = name
        missing = [word for word in ("sbatch", "squeue") if shutil.which(word) is None]
        if missing:
            raise SlurmError(
                f"{' and '.join(missing)} not found: start this on a machine of the cluster where "
                "jobs can be submitted"
            )

    def array_size_max(self) -> int:
        """Returns how many tasks an array can have."""
        said = _run("scontrol", "show", "config").output
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", said, re.MULTILINE)
        return max(1, int(found[1])) if found else ARRAY_SIZE_MAX

    def submit(self, script: Path, first: int, count: int, wishes: Wishes, after: str = "") -> str:
        """Queues an array of so many tasks, which begin when the array `after` has ended, if there
        is one; returns its number. Each task runs the script in the script's folder, with `first`
        as its argument. SlurmError if Slurm does not take it."""
        words = [
            "sbatch", "--parsable", f"--job-name={self.name}",
            f"--array=0-{count - 1}%{wishes.throttle}", "--requeue", "--open-mode=append",
            f"--chdir={script.parent}", "--output=%A_%a.log", "--nodes=1", "--ntasks=1",
            "--cpus-per-task=1", "--mem=1G", f"--time={wishes.minutes}",
            *([f"--dependency=afterany:{after}"] if after else []), *wishes.extra,
            str(script), str(first),
        ]
        done = _run(*words)
        number = done.output.strip().partition(";")[0]
        if done.succeeded and number.isdigit():
            return number
        raise SlurmError(_refusal(done, count, wishes.extra))

    def tasks(self) -> Tasks | None:
        """Returns what there is in the queue; None if the controller does not answer."""
        done = _run(
            "squeue", "--noheader", "--array", f"--user={os.getuid()}", f"--name={self.name}",
            "--format=%t|%r",
        )
        if not done.succeeded:
            return None
        rows = [line.strip().partition("|") for line in done.output.splitlines() if line.strip()]
        reasons = Counter(
            display_name(reason) for state, _, reason in rows if state in WAITING
        )
        waiting = sum(reasons.values())
        return Tasks(len(rows) - waiting, waiting, tuple(sorted(reasons)))


def _run(*words: str) -> Done:
    """Runs one of Slurm's commands; its complaints are kept apart from what it answers."""
    return run(words, seconds=SECONDS, errors_apart=True)


def _refusal(done: Done, count: int, extra: Sequence[str]) -> str:
    """Returns the message for an array that Slurm did not take."""
    said = display_message((done.errors or done.output).strip()) or f"exit status {done.status}"
    text = f"Slurm does not take the array of {count} tasks: {said}"
    if "limit" in said.lower() or "array spec" in said:
        text += "\nFewer tasks are submitted with a larger --per-task."
    if extra:
        text += f"\nThe words of --slurm-args were: {display_name(shlex.join(extra))}"
    return text
