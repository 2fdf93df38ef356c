"""Reads submissions in a limited child: whatever they contain, reading takes bounded time, memory
and disk.

The child (reader.py) gets the name of a job and its arguments in JSON. It answers with the result,
or with the reason that there is none, and who is to blame.
"""
from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grader.errors import UNREADABLE, HiddenError, InfraError, SubmissionError
from grader.folders import make_empty
from grader.sandbox import Sandbox, python_folders
from grader.watch import Finished, Limits

TOOLS = Path(__file__).resolve().parents[1]

LIMITS = Limits(
    cpu_seconds=40, memory_bytes=1 << 30, file_bytes=64 << 20, processes=8, output_bytes=8 << 20,
    disk_bytes=5 << 28,
)
STARTED = "started\n"


def read_limited(
    job: str, arguments: dict[str, object], sandbox: Sandbox, *, read: Sequence[Path],
    write: Sequence[Path] = (),
) -> Any:
    """Returns the result of a job in a child that sees only these paths; SubmissionError and
    InfraError as in the job itself. If files are readable only for another user, and we are root,
    a child of root's reads them."""
    try:
        return _read(job, arguments, sandbox, read, write, False)
    except HiddenError:
        if not sandbox.is_root:
            raise
    return _read(job, arguments, sandbox, read, [make_empty(path) for path in write], True)


def _read(
    job: str, arguments: dict[str, object], sandbox: Sandbox, read: Sequence[Path],
    write: Sequence[Path], as_root: bool,
) -> Any:
    """Runs the child."""
    request = json.dumps(
        {"job": job, "memory": LIMITS.memory_bytes, "arguments": arguments}, default=str
    )
    compiled = [Path(path) for path in [sys.pycache_prefix] if path and os.path.isdir(path)]
    options = [word for path in compiled for word in ("-X", f"pycache_prefix={path}")]
    done = sandbox.run(
        [sys.executable, "-I", "-B", *options, TOOLS / "grader/reader.py", request],
        cwd=Path("/tmp"), read=[TOOLS, *compiled, *python_folders(), *read], write=write,
        limits=LIMITS, as_root=as_root,
    )
    start, _, answer = done.output.rpartition("\n")
    if not done.output.startswith(STARTED):
        raise InfraError(
            f"the submission cannot be read here: {done.output.strip() or done.ended_by}"
        )
    try:
        said = json.loads(answer) if done.status == 0 and start else {}
    except ValueError:
        said = {}
    if "result" in said:
        return said["result"]
    raise reason(said, done)


def reason(said: dict[str, str], done: Finished) -> Exception:
    """Returns why a job has no result."""
    if "refused" in said:
        return SubmissionError(said["refused"], UNREADABLE)
    if "hidden" in said:
        return HiddenError(said["hidden"])
    if "failed" in said:
        return InfraError(said["failed"])
    if done.ended_by in ("cpu", "memory", "file", "disk", "output", "processes"):
        return SubmissionError(
            f"the submission is too large: reading it takes too much {done.ended_by}", UNREADABLE
        )
    how = done.ended_by or f"exit status {done.status}"
    return InfraError(f"the submission cannot be read here ({how}): {done.output[-500:]}")
