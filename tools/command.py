"""Runs a command of ours, which gets no input, and returns what it prints.

Commands that a submission can influence run in the grader's sandbox instead (grader/sandbox.py).
"""
from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from products import ROOT, make_environment

SECONDS = 60.0
NOT_STARTED, NO_END = 127, 124  # as the shell, and timeout(1), have it
SHOWN_CHARACTERS = 3000


class CommandFailure(Exception):
    """A command did not do what it should have."""


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit status, negative for a signal, and what it printed. Its errors
    are in the output, too, unless they were to be kept apart."""

    status: int
    output: str
    errors: str = ""

    @property
    def succeeded(self) -> bool:
        """Tells whether the exit status is 0."""
        return self.status == 0


def run(
    command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None,
    seconds: float | None = SECONDS, errors_apart: bool = False,
) -> Done:
    """Runs a command to its end. If it cannot be started, or does not end in time, the output says
    so. At the end of the time only the command itself is killed, not what it has started."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if errors_apart else subprocess.STDOUT, text=True,
            errors="replace", timeout=seconds, check=False,
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout or ""
        said = said.decode(errors="replace") if isinstance(said, bytes) else said
        return Done(NO_END, f"{said}\n{words[0]} did not end within {seconds:g} s".lstrip())
    except OSError as error:
        return Done(NOT_STARTED, f"{words[0]} cannot be started: {error}")
    return Done(done.returncode, done.stdout, done.stderr or "")


def make(*arguments: str, tree: Path = ROOT) -> str:
    """Runs make in a tree; returns what it prints, or raises CommandFailure if it fails."""
    done = run(
        ["make", "--no-print-directory", "-s", *arguments], cwd=tree, env=make_environment(tree),
        seconds=None, errors_apart=True,
    )
    if not done.succeeded:
        said = (done.output + done.errors).strip()[-SHOWN_CHARACTERS:]
        raise CommandFailure(f"`make {' '.join(arguments)}` fails in {tree}:\n{said}")
    return done.output
