"""Lets the programs of this folder import from the whole tree when they are started by their path.

They import this before anything else of ours. Tests do not need it: pytest takes the paths from
pyproject.toml.
"""
from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests"), str(ROOT)]

from python_packages import need_packages  # noqa: E402

need_packages()
