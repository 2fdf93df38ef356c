"""What editors and file managers leave beside the files that are meant.

make's wildcards pass over hidden files, and so does everything here that looks for files by itself.
"""
from __future__ import annotations

from pathlib import PurePath

FOLDERS = {"__MACOSX", "__pycache__", "node_modules"}


def is_litter(path: str | PurePath) -> bool:
    """Tells whether a file of a tree is hidden (._fault.c, the link .#fault.c), a backup (fault.c~, #fault.c#),
    or in a folder that is. The path is relative to the tree."""
    return any(
        part[0] == "." or part[-1] == "~" or part[0] == part[-1] == "#" or part in FOLDERS
        for part in PurePath(path).parts
    )
