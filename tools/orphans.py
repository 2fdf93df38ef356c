"""Counts the CPU time of descendants whose own parent ends before them.

Bubblewrap does not wait for the commands it starts, so without this their time counts nowhere.
"""
from __future__ import annotations

import os
import sys

from grader.confine import PR_SET_CHILD_SUBREAPER, prctl


def adopt_orphans() -> None:
    """Makes this process the parent of such descendants, on Linux."""
    if sys.platform == "linux":
        prctl(PR_SET_CHILD_SUBREAPER, 1)


def reap_orphans(but: int = 0) -> None:
    """Waits for children that have ended, until it comes to the child `but`, which has a waiter."""
    while sys.platform == "linux":
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid == but:
            return
        os.waitpid(ended.si_pid, 0)
