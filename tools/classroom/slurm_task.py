#!/usr/bin/env python3
"""What a task of a Slurm array runs: `slurm_task.py WORKER REPORT ROUND NUMBER` grades the students
of a batch (see slurm_round.py).

Each gets a worker of his own, so that what brings down one worker costs nobody else his result. A
task that Slurm starts again goes on where it was.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

BATCHES, DONE = "batches.json", "done"


def main() -> int:
    """Grades the batch; returns 0 if all are done."""
    worker, out, folder, number = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    batch = json.loads((folder / BATCHES).read_text(encoding="utf-8"))[number]
    node = os.environ.get("SLURMD_NODENAME", "?")
    print(f"batch {number} on {node}: {' '.join(batch)}", flush=True)
    failed = [name for name in batch if not grade(worker, out, folder / DONE / name)]
    print(f"{node} could not grade {' '.join(failed)}" if failed else "all done", flush=True)
    return 1 if failed else 0


def grade(worker: str, out: str, mark: Path) -> bool:
    """Lets a worker grade a student and leaves the mark if he is done; tells whether he is."""
    if mark.exists():
        return True
    status = subprocess.run([sys.executable, worker, out, mark.name], check=False).returncode
    if status != 0:
        why = f"exit status {status}" if status > 0 else f"signal {-status}"
        print(f"{mark.name}: the worker ended with {why}", flush=True)
        return False
    try:
        mark.touch()
    except OSError as error:
        print(f"{mark.name}: graded, but this cannot be noted down: {error}", flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
