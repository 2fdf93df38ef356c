"""Runs a program under a python that has the packages that tools/needs wants imported.

make does so by itself. Programs that are started by hand, as in `python3 tools/lint.py`, run under
the first python3 on the path; they call need_packages before they import one of the packages.
"""
from __future__ import annotations

import os
import re
import site
import subprocess
import sys
from importlib.util import find_spec

from products import ROOT

RESTARTED = "COW6_RESTARTED"  # the python under which the program was started again


def has_package(name: str) -> bool:
    """Tells whether a package is there for every program of ours.

    A folder that a removed package left behind is none, and what the user installed for himself is
    not seen by programs that run with -I.
    """
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return False
    return not spec.origin.startswith(site.getusersitepackages())


def need_packages(*names: str) -> None:
    """Returns if this python has the packages, by default all that tools/needs wants imported.

    Else starts the program again under a python that has them, or ends it with a message that says
    what is missing.
    """
    needs = (ROOT / "tools/needs").read_text(encoding="utf-8")
    wanted = names or tuple(re.findall(r"^import_(\w+)", needs, re.MULTILINE))
    if sys.version_info >= (3, 9) and all(map(has_package, wanted)):
        return
    search = subprocess.run(
        ["sh", str(ROOT / "tools/find-python")],
        env={**os.environ, "IMPORTS": " ".join(wanted)},
        capture_output=True,
        text=True,
        check=False,
    )
    python = search.stdout.strip()
    if search.returncode != 0:
        sys.exit(search.stderr.strip())
    if os.environ.get(RESTARTED) == python:
        sys.exit(f"{python} was to have these packages, but does not find them: {' '.join(wanted)}")
    os.environ[RESTARTED] = python
    os.execv(python, [python, *sys.argv])
