"""Finds the commit of a student's repository that counts."""
from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from classroom.record import ClassInfo, Submission
from classroom.times import from_seconds, iso, late_days
from grader.repositories import find_revision
from grader.sandbox import Sandbox
from grader.submission import URL, split_revision


def resolve(info: ClassInfo, submission: Submission, work: Path, sandbox: str) -> Submission:
    """Returns the submission with the commit that is graded and its time. A folder without a
    repository stays as it is, and so does one with a repository if there is no deadline, or if the
    platform knows when it was handed in: commits have whatever times the student wants.

    Of a branch, the newest commit from before the deadline counts, by the time that the commit
    itself names. SubmissionError or InfraError if it cannot be fetched.
    """
    deadline = datetime.fromisoformat(info["deadline"]) if info["deadline"] else None
    is_timed = bool(submission["submitted"])
    place, revision = split_source(submission["source"], deadline is not None and not is_timed)
    if not place:
        return submission
    before = None
    if deadline is not None and revision is None:
        before = (deadline + timedelta(days=info["grace_days"])).timestamp()
    walls = Sandbox(sandbox)
    walls.share(work)
    found = find_revision(place, revision, before, work, walls)
    settled = submission.copy()
    settled["source"] = f"{place}@{found.commit}"
    if not is_timed:
        submitted = from_seconds(found.seconds)
        settled["submitted"] = iso(submitted)
        settled["late_days"] = late_days(submitted, deadline) if deadline else 0
    return settled


def split_source(source: str, folders: bool) -> tuple[str, str | None]:
    """Returns the repository and the revision that a source names, and "" if it names none; that a
    folder with a repository does only counts if wanted."""
    match, split = URL.fullmatch(source), split_revision(source)
    if match:
        return match["url"], match["revision"]
    if os.path.isfile(source):  # an archive, whatever its name
        return "", None
    if os.path.isdir(source):
        return (repository_in(source) if folders else ""), None
    return (os.path.abspath(split[0]), split[1]) if split else ("", None)


def repository_in(folder: str) -> str:
    """Returns the repository that a folder is, or that is all it holds; "" if there is none."""
    for _ in range(3):
        if os.path.lexists(os.path.join(folder, ".git")):
            return folder
        try:
            names = os.listdir(folder)
        except OSError:  # whoever reads the submission will say so
            break
        if len(names) != 1 or not os.path.isdir(os.path.join(folder, names[0])):
            break
        folder = os.path.join(folder, names[0])
    return ""
