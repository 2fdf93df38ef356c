"""Runs grade-cow for one submission, as a child that can neither be held up by a submission nor
take this process with it."""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from classroom.record import Submission
from grader.errors import InfraError
from grader.folders import remove
from grader.results import Results, read_results
from products import ROOT
from usage import tree_usage

GRADER = ROOT / "grade-cow"
LOOK_SECONDS = 0.25
END_SECONDS = 20.0  # in which a child that is told to end removes what it made
WALL_SECONDS = 3 * 3600.0  # of one grading, on the busiest host: then something hangs
COMPLAINT_LETTERS = 2000


class Stopped(Exception):
    """Somebody wants all gradings to end."""


@dataclass(frozen=True)
class Child:
    """How a grading ended: with results, unless the machine failed early; the most memory that it
    had; and the end of what it printed."""

    results: Results | None
    memory_bytes: int = 0
    complaint: str = ""


def grade_in_child(
    out: Path, submission: Submission, words: Sequence[str], stop: Event
) -> Child:
    """Grades; Stopped if `stop` is set meanwhile, InfraError if there is no place to work in."""
    files = out / "files" / submission["id"]
    try:
        remove(files)
        with tempfile.TemporaryDirectory(prefix="grade-class-") as work:
            own = make_own_folder(Path(work))
            results = own / "results.json"
            (own / "seed").write_text(f"{submission['seed']}\n")
            command = [
                *with_parent(), sys.executable, str(GRADER), "--json", str(results),
                "--seed", "-", "--files", str(files), *words, "--",
                submission["source"],
            ]
            memory = _run(command, own, stop)
            return Child(_read(results), memory, _tail(own / "log"))
    except OSError as error:
        raise InfraError(f"there is no place to work in: {error}") from None


def make_own_folder(work: Path) -> Path:
    """Lets commands that run as another user come through a folder to what they are given in it;
    returns a folder in it that is ours alone."""
    work.chmod(0o711)
    own = work / "own"
    own.mkdir(0o700)
    return own


def with_parent() -> list[str]:
    """Returns the words before a command that let it die with this process, where that is
    possible."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def _run(command: Sequence[str], own: Path, stop: Event) -> int:
    """Runs a command to its end; returns the most memory that its processes had at once. It reads
    the file `seed` of the folder, which no other user can, and writes the file `log`."""
    memory, started = 0, time.monotonic()
    with (own / "seed").open("rb") as seed, (own / "log").open("wb") as log, subprocess.Popen(
        command, stdin=seed, stdout=log, stderr=subprocess.STDOUT,
        env={**os.environ, "TMPDIR": str(own.parent)}, start_new_session=True,
    ) as child:
        try:
            while True:
                try:
                    child.wait(LOOK_SECONDS)
                    return memory
                except subprocess.TimeoutExpired:
                    memory = max(memory, tree_usage(child.pid).memory_bytes)
                if stop.is_set():
                    raise Stopped
                if time.monotonic() - started > WALL_SECONDS:
                    return memory
        finally:
            _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Ends a child that still runs, and all that it has started."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)


def _read(path: Path) -> Results | None:
    """Returns the results, if there are any."""
    try:
        return read_results(path)
    except (OSError, ValueError):
        return None


def _tail(log: Path) -> str:
    """Returns the end of what was printed."""
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - COMPLAINT_LETTERS))
        return file.read().decode("utf-8", "replace").strip()
