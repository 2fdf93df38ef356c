"""The two kinds of failure that are not a test's verdict.

Which of them it is decides who is asked to do something: InfraError the instructor,
SubmissionError the student.
"""
from __future__ import annotations

import errno
import os
import stat
from typing import Union

# What the system says when it has nothing left, or is not set up: no input makes it say so where
# sizes are limited.
MACHINES = {
    errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EIO,
    errno.EROFS,
}


class InfraError(Exception):
    """The grading machine cannot do its work (no QEMU, no space, ...): never the student's fault;
    exit status 3."""


class HiddenError(InfraError):
    """A file of the submission belongs to another user, who lets nobody else read it."""


class SubmissionError(Exception):
    """The submission cannot be graded; the message is for the student; exit status 1."""


def blame(error: BaseException, doing: str) -> Exception:
    """Returns whose fault it is that something came up while a submission was read."""
    if isinstance(error, (InfraError, SubmissionError)):
        return error
    if isinstance(error, PermissionError) and is_hidden(error.filename):
        return HiddenError(f"{doing}: {error.filename} is readable for another user only")
    why = f"{doing}: {error or type(error).__name__}"
    if isinstance(error, OSError) and error.errno in MACHINES:
        return InfraError(why)
    return SubmissionError(why)


def is_hidden(path: Union[str, bytes, int, None]) -> bool:
    """Whether a file that cannot be opened is readable for its owner, who is not us."""
    try:
        return path is not None and bool(os.stat(path).st_mode & stat.S_IRUSR)
    except OSError:
        return True
