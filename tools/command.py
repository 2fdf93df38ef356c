"""Runs a command of ours and returns what it says: nothing to read, both streams as one, an end
after some time.

Commands that a submission can influence run in the grader's sandbox instead (grader/sandbox.py).
"""
from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60.0
NOT_STARTED, NO_END = 127, 124  # as the shell, and timeout(1), have it


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit status, negative for a signal, and all that it printed."""

    status: int
    output: str

    @property
    def succeeded(self) -> bool:
        """Tells whether the exit status is 0."""
        return self.status == 0


def run(
    command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> Done:
    """Runs a command to its end. If it cannot be started, or does not end in time, the output says
    so. At the end of the time only the command itself is killed, not what it has started."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=seconds, check=False,
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout or ""
        said = said.decode(errors="replace") if isinstance(said, bytes) else said
        return Done(NO_END, f"{said}\n{words[0]} did not end within {seconds:g} s".lstrip())
    except OSError as error:
        return Done(NOT_STARTED, f"{words[0]} cannot be started: {error}")
    return Done(done.returncode, done.stdout)
