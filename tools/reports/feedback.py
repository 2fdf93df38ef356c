"""feedback.zip: each student's page, under the name by which the platform gives it back."""
from __future__ import annotations

import zipfile
from pathlib import Path
from types import TracebackType

from classroom.names import CANVAS, MOODLE_FILE, MOODLE_FOLDER
from classroom.record import Submission
from reports.texts import file_name

FIXED_TIME = (2000, 1, 1, 0, 0, 0)  # so that the same pages make the same file


def feedback_name(submission: Submission) -> str:
    """Returns the name in the archive: the platform's, if it means this student. Of the name that
    the student chose for the file, nothing is kept."""
    original = submission["original"].rstrip("/").rpartition("/")
    names = (original[0].rpartition("/")[2], original[2])
    for pattern in (MOODLE_FOLDER, MOODLE_FILE, CANVAS):
        for found in filter(None, map(pattern.fullmatch, names)):
            if found["login"] == submission["login"]:
                return _platform_name(found.groupdict())
    return f"students/{file_name(submission['id'])}.html"


def _platform_name(found: dict[str, str | None]) -> str:
    """Returns the name by which Moodle or Canvas knows the student."""
    name, login = file_name(found["name"] or ""), found["login"]
    if "plugin" in found:
        return f"{name}_{login}_assignsubmission_{found['plugin']}_/feedback.html"
    return f"{name}{found['late'] or ''}_{login}_{found['number']}_feedback.html"


class Feedback:
    """The archive while it is written; a context manager."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self.names: set[str] = set()

    def __enter__(self) -> Feedback:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.archive.close()

    def add(self, submission: Submission, page: str) -> None:
        """Adds a student's page."""
        name = feedback_name(submission)
        if name.casefold() in self.names:  # numbers are unique, but names can be forged
            name = f"students/{file_name(submission['id'])}.html"
        self.names.add(name.casefold())
        data = page.encode("utf-8", "replace")
        self.archive.writestr(zipfile.ZipInfo(name, FIXED_TIME), data, zipfile.ZIP_DEFLATED)
