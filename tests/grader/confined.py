#!/usr/bin/env python3
"""Runs a command in a reduced sandbox, as whatever user this is, and prints in JSON how it ended
and what the sandbox lacks. The request is JSON, too; `landlock` and `filter` can pretend that the
kernel has an older Landlock, or none, or that there is no libseccomp."""
from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from grader import confine, syscalls  # noqa: E402
from grader.errors import InfraError  # noqa: E402
from grader.sandbox import REDUCED, Limits, Sandbox, python_folders  # noqa: E402


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Makes the sandbox and runs the command in its folder `work`, which it shares."""
    sandbox = Sandbox(REDUCED)
    work = Path(request["work"])
    sandbox.share(work)
    words = [word.replace("GRADER", str(os.getpid())) for word in request["command"]]
    limits = replace(Limits(), **request.get("limits", {}))
    done = sandbox.run(
        words, cwd=work / "open", read=[work / "shown", *python_folders()],
        write=[work / "open"], limits=limits, network=request.get("network", False),
    )
    return {
        **asdict(done), "missing": sandbox.walls.protections.missing,
        "in_force": sandbox.walls.protections.in_force,
    }


def main() -> None:
    """Answers the request on the command line."""
    request = json.loads(sys.argv[1])
    version, library = confine.landlock_version(), syscalls.LIBRARY
    if request.get("landlock") is not None:
        version = min(version, request["landlock"])
    if not request.get("filter", True):
        library = "libnone.so"
    with mock.patch("grader.confine.landlock_version", return_value=version):
        with mock.patch("grader.syscalls.LIBRARY", library):
            try:
                print(json.dumps(run(request)))
            except InfraError as error:
                print(json.dumps({"error": str(error)}))


if __name__ == "__main__":
    main()
