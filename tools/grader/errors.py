"""The two kinds of failure that are not a test's verdict.

Which of them it is decides who is asked to do something: InfraError the instructor,
SubmissionError the student.
"""
from __future__ import annotations

import errno

# What the system says when it has nothing left, or is not set up: no input makes it say so where
# sizes are limited.
MACHINES = {
    errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EIO,
    errno.EROFS,
}


class InfraError(Exception):
    """The grading machine cannot do its work (no QEMU, no space, ...): never the student's fault;
    exit status 3."""


class SubmissionError(Exception):
    """The submission cannot be graded; the message is for the student; exit status 1."""


def blame(error: BaseException, doing: str) -> Exception:
    """Returns whose fault it is that something came up while a submission was read."""
    if isinstance(error, (InfraError, SubmissionError)):
        return error
    why = f"{doing}: {error or type(error).__name__}"
    if isinstance(error, OSError) and error.errno in MACHINES:
        return InfraError(why)
    return SubmissionError(why)
