"""Folders to work in. What a submission leaves in them may be too deep for Python's functions."""
from __future__ import annotations

from pathlib import Path

from command import run
from grader.errors import InfraError

REMOVE_SECONDS = 600.0  # for a million files, on a busy disk


def remove(*paths: Path) -> None:
    """Removes files and folders with all that is in them; InfraError if that fails."""
    done = run(["rm", "-rf", "--", *paths], seconds=REMOVE_SECONDS)
    if not done.succeeded:
        raise InfraError(f"{paths[0]} cannot be removed: {done.output.strip()}")


def make_empty(path: Path) -> Path:
    """Returns the folder, which is new or emptied."""
    try:
        if path.exists() or path.is_symlink():
            remove(path)
        path.mkdir(parents=True)
    except OSError as error:
        raise InfraError(f"{path} cannot be made: {error}") from None
    return path.absolute()
