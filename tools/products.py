"""Where make puts what it builds: in this tree, or in the folder that BUILD names
(`make BUILD=DIR`), where everything has the same names."""
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
    """Returns make's name of a product, which also works for commands that run in this tree."""
    return str(product(name)) if BUILD else name


def can_be_made(path: Path) -> bool:
    """Tells whether a folder can be made, or written to if it exists."""
    there = next(place for place in (path, *path.parents) if place.exists())
    return os.access(there, os.W_OK)


def make_environment(folder: Path = ROOT) -> dict[str, str]:
    """Returns the environment for a make that a tool runs in a folder.

    It cannot share the jobs (-j) of the make that runs the tool, and would print a warning about
    that. Neither BUILD nor the command line of that make applies to another tree.
    """
    if folder == ROOT:
        return {**os.environ, "MAKEFLAGS": JOBS.sub("", os.environ.get("MAKEFLAGS", ""))}
    dropped = ("BUILD", "MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL")
    return {name: value for name, value in os.environ.items() if name not in dropped}
