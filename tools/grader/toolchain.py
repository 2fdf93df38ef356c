"""The names that RISC-V compilers and their tools have: see tools/prefixes."""
from __future__ import annotations

from pathlib import Path

PREFIXES = tuple(
    Path(__file__).resolve().parents[1].joinpath("prefixes").read_text(encoding="utf-8").split()
)
