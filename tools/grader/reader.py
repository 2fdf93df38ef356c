"""The child that reads a submission: it does the job that its command line names (see
reading.py)."""
from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from grader import archives, cow6_tree, xv6_tree  # noqa: E402
from grader.errors import HiddenError, SubmissionError, blame  # noqa: E402
from grader.reading import STARTED  # noqa: E402
from grader.xv6_find import find_kernel  # noqa: E402


def unpack(archive: str, name: str, folder: str, sizes: dict[str, Any]) -> None:
    """Unpacks an archive into an empty folder."""
    archives.unpack(Path(archive), name, Path(folder), archives.Sizes(**sizes))


def survey(folder: str, source: str, kind: str | None) -> dict[str, str]:
    """Returns where the tree is in a folder, and of which kind it is. An xv6 kernel may be anywhere
    in it, as in a collection of labs."""
    place = Path(folder)
    os.listdir(place)
    try:
        root = cow6_tree.find_root(place, source)
    except SubmissionError:
        if kind != "cow6" and has_xv6_kernel(place):
            return {"tree": folder, "kind": "xv6"}
        raise
    return {"tree": str(root), "kind": kind or cow6_tree.detect(root)}


def has_xv6_kernel(folder: Path) -> bool:
    """Tells whether an xv6 kernel is anywhere in a folder."""
    try:
        find_kernel(folder)
    except SubmissionError:
        return False
    return True


def collect(
    tree: str, to: str, allowed: list[str], required: list[str], sizes: dict[str, Any]
) -> dict[str, object]:
    """Copies a cow6 tree's allowed files to an empty folder."""
    collected = cow6_tree.collect(Path(tree), Path(to), allowed, required, archives.Sizes(**sizes))
    copies = collected.copies[:COPIES_TOLD]
    return {"files": collected.files, "copies": copies, "prefix": collected.prefix}


def stage(tree: str, to: str) -> dict[str, object]:
    """Copies what makes an xv6 kernel to an empty folder."""
    return {**asdict(xv6_tree.stage(Path(tree), Path(to))), "folder": to}


def read_kernel(file: str) -> dict[str, object]:
    """Returns what a kernel's ELF file says: segments and variables."""
    from grader import elf  # takes longer to import than other jobs take

    return elf.parse_kernel(Path(file))


COPIES_TOLD = 100
JOBS: dict[str, Callable[..., object]] = {
    "unpack": unpack, "survey": survey, "collect": collect, "stage": stage, "kernel": read_kernel,
}


def answer(request: dict[str, Any]) -> dict[str, object]:
    """Does a job, and says who is to blame for any error in it."""
    try:
        return {"result": JOBS[request["job"]](**request["arguments"])}
    except MemoryError:
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit not in (resource.RLIM_INFINITY, request["memory"] // 1024 * 1024):
            return {"failed": "this machine has too little memory to read the submission"}
        return {"refused": "the submission is too large: reading it takes too much memory"}
    except Exception as error:  # pylint: disable=broad-except
        culprit = blame(error, "the submission cannot be read")
        if isinstance(culprit, HiddenError):
            return {"hidden": str(culprit)}
        return {"refused" if isinstance(culprit, SubmissionError) else "failed": str(culprit)}


def main() -> None:
    """Answers what the command line asks for."""
    print(STARTED, end="", flush=True)
    print(json.dumps(answer(json.loads(sys.argv[1]))), end="")


if __name__ == "__main__":
    main()
