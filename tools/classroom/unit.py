"""Grades one student's submission, once: from the class's plan to results/ID.json.

Whoever calls this, as often as they like and on as many machines as share the folder: a submission
is graded by one of them, a result that is there and still valid is kept, and one that appears is
whole.
"""
from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from threading import Event

from classroom.fingerprint import fingerprint, grader_version
from classroom.grading import Child, Stopped, grade_in_child
from classroom.record import (
    FORMAT, RESULTS_FOLDER, ClassInfo, Key, Record, Submission, read_record, record_path
)
from classroom.refused import refused
from classroom.repositories import resolve
from classroom.shared import append_line, refresh
from classroom.times import iso
from grader.errors import MACHINE_FAULT, UNREADABLE, InfraError, SubmissionError
from grader.results import write_json
from grader.sandbox import FULL

ATTEMPTS = 3  # at a submission, if the machine fails
PAUSE_SECONDS = 2.0  # before the second; each further pause is five times as long
GRADED, KEPT, FAULT = "graded", "kept", "machine fault"


@dataclass(frozen=True)
class Way:
    """How submissions are graded: options for grade-cow, the same for all of a class."""

    out: Path
    words: Sequence[str] = ()
    stop: Event = field(default_factory=Event)  # ends all gradings when it is set

    @property
    def sandbox(self) -> str:
        """The mode of the sandbox."""
        return self.words[self.words.index("--sandbox") + 1] if "--sandbox" in self.words else FULL


@dataclass(frozen=True)
class Outcome:
    """What became of a submission: one of the three words above, and its record; and whether a
    fault may be due to the submission, above all to the server from which it is to be fetched."""

    what: str
    record: Record
    is_its_own: bool = False


def grade_submission(way: Way, info: ClassInfo, submission: Submission) -> Outcome:
    """Grades a submission unless it has been; InfraError if not even that can be written down."""
    with lock(way.out, submission["id"]):
        submission, problem = settle(way, info, submission)
        try:
            key = make_key(info, submission)
        except Exception as error:  # pylint: disable=broad-except
            key, problem = make_key(info, submission, ""), own_fault(error)
        old = find_newest_record(way.out, submission["id"])
        if old and old["key"] == key and old["results"]["complete"]:
            return Outcome(KEPT, old)
        note(way.out, "start", submission["id"])
        child = _grade(way, info, submission, problem)
        record = make_record(submission, key, child, old["gradings"] if old else 0)
        write_json(record_path(way.out, submission["id"]), record)
        what = GRADED if record["results"]["complete"] else FAULT
        note(way.out, what, submission["id"])
        return Outcome(what, record, isinstance(problem, InfraError))


@contextmanager
def lock(out: Path, identity: str) -> Iterator[None]:
    """Waits until nobody else grades this student. The system gives the lock back when a process
    ends, however it ends."""
    path = out / "locks" / identity
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InfraError(f"the report's folder cannot be written to: {error}") from None
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise InfraError(f"the report's folder cannot be locked: {error}") from None
        yield
    finally:
        os.close(file)


def settle(
    way: Way, info: ClassInfo, submission: Submission
) -> tuple[Submission, Exception | None]:
    """Returns the submission with the commit that is graded, if it is in a repository; or why it
    cannot be found."""
    try:
        with tempfile.TemporaryDirectory(prefix="grade-") as work:
            return resolve(info, submission, Path(work), way.sandbox), None
    except (SubmissionError, InfraError) as error:
        return submission, error
    except Exception as error:  # pylint: disable=broad-except
        return submission, own_fault(error)


def own_fault(error: Exception) -> InfraError:
    """Returns what becomes of an error that nobody foresaw: the fault of a machine for the one
    submission that brings it up, and no end of the others' grading."""
    return InfraError(f"grade-cow itself failed: {type(error).__name__}: {error}")


def make_key(info: ClassInfo, submission: Submission, given: str | None = None) -> Key:
    """Returns what the result depends on; `given` stands for what was handed in, if that cannot be
    told."""
    content = fingerprint(submission["source"] or submission["problem"]) if given is None else given
    return {
        "input": content,
        "seed": submission["seed"], "grader": grader_version(),
        "tests": [test["id"] for test in info["tests"]],
    }


def find_record(out: Path, identity: str) -> Record | None:
    """Returns the record that is there; None if there is none that can be read."""
    try:
        return read_record(out, identity)
    except (OSError, ValueError):
        return None


def find_newest_record(out: Path, identity: str) -> Record | None:
    """Returns the record that is there, also if another machine has just written it; InfraError if
    the folder cannot be written to."""
    try:
        refresh(out / RESULTS_FOLDER)
    except OSError as error:
        raise InfraError(f"the report's folder cannot be written to: {error}") from None
    return find_record(out, identity)


def _grade(
    way: Way, info: ClassInfo, submission: Submission, problem: Exception | None
) -> Child:
    """Grades a submission; tries again if the machine fails."""
    if isinstance(problem, InfraError):
        return Child(refused(info, submission, MACHINE_FAULT, str(problem)))
    reason = str(problem) if problem else submission["problem"]
    if reason:
        return Child(refused(info, submission, UNREADABLE, reason))
    pause = PAUSE_SECONDS
    for attempt in range(1, ATTEMPTS + 1):
        child = grade_in_child(way.out, submission, way.words, way.stop)
        if child.results and child.results["complete"]:
            return child
        if attempt < ATTEMPTS and way.stop.wait(pause):
            raise Stopped
        pause *= 5
    said = child.complaint.rpartition("\n")[2] or "the grader ended without a word"
    results = child.results or refused(info, submission, MACHINE_FAULT, said)
    return Child(results, child.memory_bytes, child.complaint)


def make_record(submission: Submission, key: Key, child: Child, gradings: int) -> Record:
    """Returns what is written down of a grading."""
    assert child.results is not None
    return {
        "format": FORMAT, "submission": submission, "key": key, "gradings": gradings + 1,
        "worker": socket.gethostname(), "finished": iso(datetime.now(timezone.utc)),
        "memory_bytes": child.memory_bytes, "results": child.results,
    }


def note(out: Path, what: str, identity: str) -> None:
    """Adds a line to the journal, which tells who graded whom and when."""
    line = f"{iso(datetime.now(timezone.utc))} {socket.gethostname()} {os.getpid()} {what} "
    try:
        append_line(out / "journal.log", line + identity)
    except OSError as error:
        raise InfraError(f"the journal cannot be written: {error}") from None
