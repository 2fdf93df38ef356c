"""Where make puts what it builds, for tools and tests: in this tree, or in the folder that BUILD names
(`make BUILD=DIR`), below which everything has the names that it has here."""
from __future__ import annotations

import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = os.environ.get("BUILD", "")
JOBS = re.compile(r"(?:^|(?<= ))(?:-j\d*|--jobserver-\S+)(?= |$)")


def product(name: str) -> Path:
    """Returns where a product is: "kernel/kernel", "build/check"."""
    return Path(os.path.abspath(ROOT / BUILD / name))


def target(name: str) -> str:
    """Returns what a product is called by make and by commands that run in this tree."""
    return str(product(name)) if BUILD else name


def can_be_made(path: Path) -> bool:
    """Tells whether a folder can be made, or written if it is there."""
    there = next(place for place in (path, *path.parents) if place.exists())
    return os.access(there, os.W_OK)


def make_environment(folder: Path = ROOT) -> dict[str, str]:
    """Returns the environment for a make that a tool runs in a folder.

    It cannot share in the jobs (-j) of the make that runs the tool, and would complain among what it prints. To another
    tree, neither BUILD nor the command line of that make applies.
    """
    if folder == ROOT:
        return {**os.environ, "MAKEFLAGS": JOBS.sub("", os.environ.get("MAKEFLAGS", ""))}
    dropped = ("BUILD", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL")
    return {name: value for name, value in os.environ.items() if name not in dropped}
