#!/usr/bin/env python3
"""Classroom 50's runner starts this in the student's checkout. It unpacks the grader, which lies
beside it, installs what that needs, and becomes it. Another exit status than 0 means that the
machine is to blame."""
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp(prefix="cow-"))
with tarfile.open(Path(__file__).resolve().parent / "cow.tar.gz") as archive:
    archive.extractall(folder)
grader = folder / "cow"
subprocess.run(["sh", str(grader / "tools/setup"), "grading"], check=True)
program = str(grader / "tools/platforms/run.py")
os.execv(sys.executable, [sys.executable, program, "classroom50"])
