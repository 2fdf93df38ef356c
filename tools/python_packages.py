"""Runs a program under a python that has the packages that tools/needs wants imported.

make does so by itself. Programs that are started by hand, as in `python3 tools/lint.py`, run under
the first python3 on the path; they call need_packages before they import one of the packages.
"""
from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec

from products import ROOT


def has_package(name: str) -> bool:
    """Tells whether a package is there; a folder that a removed one left behind is not."""
    spec = find_spec(name)
    return spec is not None and spec.origin is not None


def need_packages() -> None:
    """Returns if this python has the packages; else starts the program again under one that has.

    Ends the program, with a message that says what is missing, if there is none.
    """
    needs = (ROOT / "tools/needs").read_text()
    if all(map(has_package, re.findall(r"^import_(\w+)", needs, re.MULTILINE))):
        return
    command = ["sh", str(ROOT / "tools/find-python")]
    search = subprocess.run(command, capture_output=True, text=True, check=False)
    if search.returncode != 0:
        sys.exit(search.stderr.strip())
    python = search.stdout.strip()
    os.execv(python, [python, *sys.argv])
