"""Runs a program under a python that has the packages of tools/python-packages.

make does so by itself. Programs that are started by hand, as in `python3 tools/lint.py`, get whichever python3 is the
first on the path; they call need_packages before they import one of the packages.
"""
from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

from products import ROOT


def need_packages() -> None:
    """Returns if this python has the packages; else starts the program again under one that has them.

    Ends the program, with a message that says what is missing, if there is none.
    """
    lines = (ROOT / "tools/python-packages").read_text().splitlines()
    if all(find_spec(line.split("|", 1)[0]) for line in lines):
        return
    search = subprocess.run(["sh", str(ROOT / "tools/find-python")], capture_output=True, text=True, check=False)
    if search.returncode != 0:
        sys.exit(search.stderr.strip())
    python = search.stdout.strip()
    os.execv(python, [python, *sys.argv])
