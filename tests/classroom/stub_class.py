#!/usr/bin/env python3
"""Runs grade-cow --class, or with `worker` as the first word a worker, with the stub for
grade-cow and without pauses."""
from __future__ import annotations

import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools")]

from classroom import cli, grading, unit, worker  # noqa: E402

grading.GRADER = ROOT / "tests/classroom/stub_grader.py"
unit.PAUSE_SECONDS = 0.0

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell in the background has SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    if sys.argv[1] == "worker":
        del sys.argv[1]
        sys.exit(worker.main())
    sys.exit(cli.main())
