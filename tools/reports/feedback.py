"""feedback.zip: each student's page, under the name by which the platform gives it back."""
from __future__ import annotations

import re
import zipfile
from pathlib import Path
from types import TracebackType

from classroom.record import Submission
from reports.texts import file_name

MOODLE = re.compile(
    r"(?P<name>[^/\\]+)_(?P<participant>\d{1,20})_assignsubmission_(?P<plugin>file|onlinetext)_.*",
    re.DOTALL,
)
CANVAS = re.compile(
    r"(?P<name>[^_/\\]+)(?P<late>_LATE)?_(?P<user>\d{1,20})_(?P<file>\d{1,20})_.+", re.DOTALL
)
FIXED_TIME = (2000, 1, 1, 0, 0, 0)  # so that the same pages make the same file


def feedback_name(submission: Submission) -> str:
    """Returns the name in the archive. Of the name that the student chose for the file, nothing is
    kept."""
    original = submission["original"].rstrip("/").rpartition("/")
    for name in (original[0].rpartition("/")[2], original[2]):
        moodle, canvas = MOODLE.fullmatch(name), CANVAS.fullmatch(name)
        if moodle:
            words = f"{moodle['participant']}_assignsubmission_{moodle['plugin']}_"
            return f"{file_name(moodle['name'])}_{words}/feedback.html"
        if canvas:
            numbers = f"{canvas['late'] or ''}_{canvas['user']}_{canvas['file']}"
            return f"{file_name(canvas['name'])}{numbers}_feedback.html"
    return f"students/{file_name(submission['id'])}.html"


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
