"""The two kinds of failure that are not a test's verdict.

Which of them it is decides who is asked to do something: InfraError the instructor, SubmissionError the student.
"""
from __future__ import annotations


class InfraError(Exception):
    """The grading machine cannot do its work (no QEMU, no space, ...): never the student's fault; exit status 3."""


class SubmissionError(Exception):
    """The submission cannot be graded; the message is for the student; exit status 1."""
