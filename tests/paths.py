"""Lets the programs of this folder import from tools/ when they are started by their path.

They import this before anything in tools/. Tests do not need it: pytest takes the paths from
pyproject.toml.
"""
from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

sys.path.insert(1, str(ROOT / "tools"))
