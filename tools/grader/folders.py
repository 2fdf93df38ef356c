"""Folders to work in. What a submission left in them may be too deep for Python's own functions."""
from __future__ import annotations

import subprocess
from pathlib import Path

from grader.errors import InfraError


def remove(*paths: Path) -> None:
    """Removes files and folders with all that is in them; InfraError if that fails."""
    command = ["rm", "-rf", "--", *map(str, paths)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise InfraError(
            f"{paths[0]} cannot be removed: {done.stderr.decode(errors='replace').strip()}"
        )


def make_empty(path: Path) -> Path:
    """Returns the folder, which is new or emptied."""
    try:
        if path.exists() or path.is_symlink():
            remove(path)
        path.mkdir(parents=True)
    except OSError as error:
        raise InfraError(f"{path} cannot be made: {error}") from None
    return path.absolute()
