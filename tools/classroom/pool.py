"""Grades a class on this machine, several submissions at a time."""
from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from classroom.grading import Stopped
from classroom.progress import ClassProgress
from classroom.record import ClassInfo, Submission
from classroom.unit import FAULT, Outcome, Way, grade_submission
from grader.errors import InfraError

FAULTS_IN_A_ROW = 5  # if no submission gets through, the machine is not fit to grade


def grade_here(
    way: Way, info: ClassInfo, submissions: Sequence[Submission], jobs: int, progress: ClassProgress
) -> list[Outcome]:
    """Grades the submissions, `jobs` at a time. InfraError if the machine fails for several in a
    row; on any exception all gradings that run are ended, and what is graded stays."""
    pool = ThreadPoolExecutor(jobs)

    def grade(submission: Submission) -> Outcome:
        progress.start(submission["id"])
        try:
            return grade_submission(way, info, submission)
        finally:
            progress.stop(submission["id"])

    futures = [pool.submit(grade, submission) for submission in submissions]
    try:
        return _collect(futures, progress)
    except BaseException:
        way.stop.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _collect(futures: list[Future[Outcome]], progress: ClassProgress) -> list[Outcome]:
    """Waits for all, and tells of each."""
    outcomes: list[Outcome] = []
    faults = 0
    left = set(futures)
    while left:
        ended, left = wait(left, return_when=FIRST_COMPLETED)
        for future in ended:
            try:
                outcome = future.result()
            except Stopped:
                continue
            outcomes.append(outcome)
            progress.done(outcome)
            if not outcome.is_its_own:
                faults = faults + 1 if outcome.what == FAULT else 0
            if faults == FAULTS_IN_A_ROW:
                reason = outcome.record["results"]["reason"]
                raise InfraError(f"{faults} gradings in a row failed here, the last one: {reason}")
    return outcomes
