#!/usr/bin/env python3
"""Runs grade-cow --class for tests of --slurm: with the stub for grade-cow, and in a hurry."""
from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / "tools")]

import stub_class  # noqa: E402
from classroom import slurm  # noqa: E402

slurm.WORKER = Path(__file__).with_name("stub_worker.py")
slurm.LOOK_SECONDS = 0.2

if __name__ == "__main__":
    sys.exit(stub_class.cli.main())
