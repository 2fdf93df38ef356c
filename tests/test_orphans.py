"""The CPU time of descendants whose parents end before them."""
from __future__ import annotations

import subprocess
import sys

import pytest

from products import ROOT

# The shell ends before its loop does. Both run in a process of their own: it stays a parent.
COUNTED = """
import os, resource, subprocess
from orphans import adopt_orphans, reap_orphans
adopt_orphans()
work = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"
subprocess.run(["sh", "-c", f"({work}) & exit 0"], check=True)
os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
reap_orphans()
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime)
"""
LEFT = """
import os, subprocess
from orphans import reap_orphans
child = subprocess.Popen(["false"])
os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
reap_orphans(but=child.pid)
print(child.wait())
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans on")


def said(script: str) -> float:
    """Returns the number that a script prints."""
    command = [sys.executable, "-c", script]
    return float(subprocess.check_output(command, cwd=ROOT / "tools"))


def test_orphans_are_counted() -> None:
    """A loop takes longer than the start of a shell."""
    assert said(COUNTED) > 0.02


def test_child_with_a_waiter_is_left() -> None:
    """Its waiter gets its status."""
    assert said(LEFT) == 1
