"""Files that editors and file managers leave behind.

make's wildcards skip hidden files, and so do all tools here that look for files.
"""
from __future__ import annotations

from pathlib import PurePath

FOLDERS = {"__MACOSX", "__pycache__", "node_modules"}


def is_litter(path: str | PurePath) -> bool:
    """Tells whether a file is hidden (._fault.c, .#fault.c), a backup (fault.c~, #fault.c#), or in
    such a folder. The path is relative to the tree."""
    return any(
        part[0] == "." or part[-1] == "~" or part[0] == part[-1] == "#" or part in FOLDERS
        for part in PurePath(path).parts
    )
