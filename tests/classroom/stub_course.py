"""A class whose submissions say how the stub for grade-cow judges them (stub_grader.py)."""
from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from classroom.record import Record, read_record
from products import ROOT

PROGRAM = ROOT / "tests/classroom/stub_class.py"
SECONDS = 600.0  # in which anything that is waited for happens, on the busiest host


class Course:
    """A folder of submissions and the folder of its report."""

    def __init__(self, folder: Path) -> None:
        self.submissions, self.out = folder / "submissions", folder / "report"
        self.processes: list[subprocess.Popen[str]] = []

    def hand_in(self, **verdicts: str) -> None:
        """Adds a submission for each name, with its verdict."""
        for name, verdict in verdicts.items():
            place = self.submissions / name
            (place / "kernel").mkdir(parents=True, exist_ok=True)
            (place / "kernel/main.c").write_text("")
            (place / "verdict").write_text(verdict)

    def words(self, *words: str) -> list[str]:
        """Returns the command that grades the class."""
        place = ["--class", str(self.submissions), "--out", str(self.out)]
        return [sys.executable, str(PROGRAM), *place, "-t", "fork_shares", *words]

    def grade(self, *words: str) -> tuple[int, str]:
        """Grades; returns the exit status and what is printed."""
        done = subprocess.run(
            self.words(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=SECONDS,
        )
        return done.returncode, done.stdout

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Starts to grade."""
        return self._start(self.words(*words))

    def work(self, *ids: str) -> "subprocess.Popen[str]":
        """Starts a worker."""
        return self._start([sys.executable, str(PROGRAM), "worker", str(self.out), *ids])

    def _start(self, words: list[str]) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.processes.append(process)
        return process

    def end(self) -> None:
        """Ends what a test that failed has left running."""
        for process in self.processes:
            process.kill()
            process.communicate()

    def record(self, name: str) -> Record:
        """Returns a student's record."""
        return read_record(self.out, name)

    def score(self, name: str) -> int:
        """Returns a student's points."""
        return self.record(name)["results"]["score"]

    def gradings(self, name: str) -> int:
        """Returns how often a submission was graded."""
        log = self.submissions / name / ".gradings"
        return len(log.read_text().split()) if log.exists() else 0

    def wait_for(self, name: str, file: str = ".waiting") -> None:
        """Waits until a grading has come to where it waits."""
        deadline = time.monotonic() + SECONDS
        while not (self.submissions / name / file).exists():
            assert time.monotonic() < deadline, f"{file} of {name} does not appear"
            time.sleep(0.01)

    def go(self, name: str) -> None:
        """Lets a grading that waits go on."""
        (self.submissions / name / ".go").touch()

    def grader_lives(self, name: str) -> bool:
        """Tells whether the last grading of a submission still runs."""
        pid = int((self.submissions / name / ".gradings").read_text().split()[-1])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
