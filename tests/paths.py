"""Makes the modules of tools/ known to the programs of this folder that are started by their path.

Each of them imports this before anything of tools/; the tests need it not, because pytest has the paths from
pyproject.toml.
"""
from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

sys.path.insert(1, str(ROOT / "tools"))
