"""A guest's disk image, as mkfs/fsck sees it after the machine has been switched off."""
from __future__ import annotations

from pathlib import Path

from command import run
from products import product

FSCK = product("mkfs/fsck")


def fsck(image: Path) -> list[str]:
    """Returns what fsck finds wrong with the image."""
    done = run([FSCK, "-q", image], seconds=3600)
    if done.succeeded:
        return []
    return done.output.strip().splitlines() or [f"fsck ends with {done.status}"]
