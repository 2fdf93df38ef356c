"""The two kinds of failure that are not a test's verdict, and the words for how a grading ended.

The kind decides who must act: the instructor for an InfraError, the student for a SubmissionError.
"""
from __future__ import annotations

import errno
import os
import stat

# What became of a submission.
RUNNING = "running"  # not finished, or killed
GRADED = "graded"
UNREADABLE = "unreadable"  # what was handed in is broken, empty, incomplete or too large
DOES_NOT_COMPILE = "does-not-compile"
DOES_NOT_START = "does-not-start"  # QEMU refuses the kernel
MACHINE_FAULT = "machine-fault"  # the grading machine could not do its work

# Errors of a system that is out of some resource, or not set up. Where sizes are limited, no input
# can cause them.
MACHINES = {
    errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EIO,
    errno.EROFS,
}


class InfraError(Exception):
    """The grading machine cannot do its work (no QEMU, no space, ...): never the student's fault;
    exit status 3."""


class HiddenError(InfraError):
    """A file of the submission is readable only for its owner, who is another user."""


class SubmissionError(Exception):
    """The submission cannot be graded; the message is for the student; exit status 4.

    `status` is one of the words above; with "" the caller, who knows what was being done, sets it.
    """

    def __init__(self, message: str, status: str = "") -> None:
        super().__init__(message)
        self.status = status


def blame(error: BaseException, doing: str) -> Exception:
    """Returns the error to raise for one that came up while a submission was read: the
    submission's, or this machine's."""
    if isinstance(error, (InfraError, SubmissionError)):
        return error
    if isinstance(error, PermissionError) and is_hidden(error.filename):
        return HiddenError(f"{doing}: {error.filename} is readable for another user only")
    why = f"{doing}: {error or type(error).__name__}"
    if isinstance(error, OSError) and error.errno in MACHINES:
        return InfraError(why)
    return SubmissionError(why)


def is_hidden(path: str | bytes | int | None) -> bool:
    """Tells whether a file that we cannot open is readable for its owner."""
    try:
        return path is not None and bool(os.stat(path).st_mode & stat.S_IRUSR)
    except OSError:
        return True
